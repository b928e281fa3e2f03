"""`gridkeeper preview`: what a grid would be, before anything is risked."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from gridkeeper_cli import preview_document, preview_suggestion
from gridkeeper_cli.grid_file import Assumptions, Previewed, positive_e6, preview_anyhow, read_grid_file
from gridkeeper_cli.preview_history import history_in, paid_hour_e9
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.preview_checks import check_accepted, open_refusals
from gridkeeper_core.grid.preview_money import SIGNATURE_LAMPORTS

_PICTURES = (".png", ".svg")


def assuming(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which a user says what a preview is made with; the command gets them as `assumed`."""

    @functools.wraps(command)
    def with_assumptions(
        *args: Any,
        price: str | None,
        sol_price: str | None,
        sigma: str | None,
        transaction_lamports: int,
        spread: str | None,
        funding: tuple[Path, ...],
        **rest: Any,
    ) -> Any:
        check_accepted(rest["accepted"])
        assumed = Assumptions(
            price_e6=positive_e6(price, "--price"),
            sol_price_e6=positive_e6(sol_price, "--sol-price"),
            sigma_day_e6=positive_e6(sigma, "--sigma"),
            transaction_lamports=transaction_lamports,
            spread_ratio_e6=positive_e6(spread, "--spread"),
            paid_hour_e9=paid_hour_e9(funding) if funding else None,
        )
        return command(*args, assumed=assumed, **rest)

    options = (
        click.option("--price", metavar="P", help="The market's price (default: the newest one that is known)."),
        click.option("--sol-price", metavar="P", help="SOL's price, for what transactions cost."),
        click.option("--sigma", metavar="S", help="Standard deviation of the price per day, such as 0.04."),
        click.option(
            "--transaction-lamports",
            type=click.IntRange(min=0),
            default=SIGNATURE_LAMPORTS,
            show_default=True,
            help="What one transaction costs, priority fee included.",
        ),
        click.option("--spread", metavar="S", help="The venue's spread, such as 0.001 (default: as its prices say)."),
        click.option(
            "--funding",
            metavar="FILE",
            multiple=True,
            type=click.Path(path_type=Path),
            help="Recorded funding rates, whose mean is taken for the funding per day (default: the venue's own rate).",
        ),
        click.option("--accept", "accepted", metavar="CODE", multiple=True, help="Override a refusal; recorded."),
    )
    for option in reversed(options):
        with_assumptions = option(with_assumptions)
    return with_assumptions


def show(session: Session, previewed: Previewed, accepted: tuple[str, ...]) -> None:
    """Print the preview; ends with 1 when a refusal was not accepted."""
    document = preview_document.document(previewed, accepted)
    session.answer(document, *preview_document.text(previewed, accepted))
    if open_refusals(previewed.preview.refusals, accepted):
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("grid_file", metavar="GRID.toml", type=click.Path(path_type=Path))
@assuming
@click.option("--plot", metavar="FILE", type=click.Path(path_type=Path), help="Also draw it: FILE.png or FILE.svg.")
@click.option(
    "--data", metavar="FILE", multiple=True, type=click.Path(path_type=Path), help="Recorded prices, for sigma."
)
@click.option("--suggest", is_flag=True, help="Suggest range and spacing from --data; nothing is applied.")
@everywhere
@pass_session
def preview(
    session: Session,
    grid_file: Path,
    assumed: Assumptions,
    accepted: tuple[str, ...],
    plot: Path | None,
    data: tuple[Path, ...],
    suggest: bool,  # noqa: FBT001 - click hands options over by name
) -> None:
    """Show what a grid would be: levels, profit per turn, worst inventory, liquidation price, expectation.

    Market values come from the running gridkeeper; when none runs they are typical ones, and it says so. Ends with 1
    when something speaks against the grid that was not accepted.

    \b
    Example:
      gridkeeper preview sol-range.toml --price 150 --plot sol-range.png
      gridkeeper preview sol-range.toml --price 150 --sigma 0.04 --json
      gridkeeper preview sol-range.toml --suggest --data candles.csv.gz
    """
    _check_together(plot, data, suggest=suggest)
    file = read_grid_file(grid_file)
    history = history_in(data, file.config.market) if data else None
    if history is not None:
        # What the recording says stands in for what was not said by hand.
        assumed = msgspec.structs.replace(
            assumed,
            price_e6=assumed.price_e6 or (history.last_e6 if suggest else None),
            sigma_day_e6=assumed.sigma_day_e6 or history.history.sigma_day_e6,
        )
    previewed = preview_anyhow(session, file.config, assumed)
    if history is not None and suggest:
        document, text = preview_suggestion.answer(file, previewed, history)
        session.answer(document, *text)
        return
    if plot is not None:
        # Imported here: drawing takes longer to load than everything else together.
        from gridkeeper_cli.preview_picture import draw

        draw(previewed, plot)
        session.warn(f"the picture is in {plot}")
    show(session, previewed, accepted)


def _check_together(plot: Path | None, data: tuple[Path, ...], *, suggest: bool) -> None:
    if suggest and not data:
        raise GridkeeperError("BAD_USAGE", field="--suggest", expected="--data FILE with recorded prices")
    if plot is not None and plot.suffix.lower() not in _PICTURES:
        raise GridkeeperError("BAD_VALUE", field="--plot", value=plot, expected="a name ending in .png or .svg")
