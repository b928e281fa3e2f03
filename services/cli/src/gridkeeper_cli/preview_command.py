"""`gridkeeper preview`: what a grid would be, before anything is risked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gridkeeper_cli import preview_document
from gridkeeper_cli.grid_file import Assumptions, Previewed, positive_e6, preview_anyhow, read_grid_file
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.grid.preview_checks import check_accepted, open_refusals
from gridkeeper_core.grid.preview_money import SIGNATURE_LAMPORTS


def assuming(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which a user says what a preview is made with."""
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
        click.option("--accept", "accepted", metavar="CODE", multiple=True, help="Override a refusal; recorded."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def assumptions(price: str | None, sol_price: str | None, sigma: str | None, lamports: int) -> Assumptions:
    """The options as numbers."""
    return Assumptions(
        price_e6=positive_e6(price, "--price"),
        sol_price_e6=positive_e6(sol_price, "--sol-price"),
        sigma_day_e6=positive_e6(sigma, "--sigma"),
        transaction_lamports=lamports,
    )


def show(session: Session, previewed: Previewed, accepted: tuple[str, ...]) -> None:
    """Print the preview; ends with 1 when a refusal was not accepted."""
    document = preview_document.document(previewed, accepted)
    session.answer(document, *preview_document.text(previewed, accepted))
    if open_refusals(previewed.preview.refusals, accepted):
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("grid_file", metavar="GRID.toml", type=click.Path(path_type=Path))
@assuming
@everywhere
@pass_session
def preview(
    session: Session,
    grid_file: Path,
    price: str | None,
    sol_price: str | None,
    sigma: str | None,
    transaction_lamports: int,
    accepted: tuple[str, ...],
) -> None:
    """Show what a grid would be: levels, profit per turn, worst inventory, liquidation price.

    Market values come from the running gridkeeper; when none runs they are typical ones, and it says so. Ends with 1
    when something speaks against the grid that was not accepted.

    \b
    Example:
      gridkeeper preview sol-range.toml --price 150
      gridkeeper preview sol-range.toml --price 150 --sigma 0.04 --json
    """
    check_accepted(accepted)
    assumed = assumptions(price, sol_price, sigma, transaction_lamports)
    file = read_grid_file(grid_file)
    show(session, preview_anyhow(session, file.config, assumed), accepted)
