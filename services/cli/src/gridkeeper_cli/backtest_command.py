"""`gridkeeper backtest`: the live core on recorded data."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.prices.path import PATH_ORDERS
from gridkeeper_core.venue.state import FillModel

if TYPE_CHECKING:
    from gridkeeper_cli.backtest_plan import Options
    from gridkeeper_cli.grid_source import GridFile
    from gridkeeper_lab.backtest import Run
    from gridkeeper_lab.trials import History

_OPTIONS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option("--data", multiple=True, required=True, metavar="FILE", help="Trades or candles; MARKET=FILE."),
    click.option("--funding", multiple=True, metavar="FILE", help="Funding rates; MARKET=FILE."),
    click.option(
        "--fill", type=click.Choice(get_args(FillModel)), default="through", show_default=True, help="What fills."
    ),
    click.option("--queue-ahead", default="0", metavar="SHARE", help="With --fill queue: what trades before us."),
    click.option(
        "--latency", "latency_ms", type=click.IntRange(min=0), default=400, show_default=True, metavar="MS",
        help="Until an order rests after it was decided.",
    ),
    click.option("--fees", metavar="maker=R,taker=R", help="Rates, or tier=1 to 6 (default: the lowest tier)."),
    click.option("--margin/--no-margin", default=True, help="Without: no collateral is needed, nothing is liquidated."),
    click.option(
        "--post-only/--no-post-only", default=True, help="Without: a post-only order that would cross is not rejected."
    ),
    click.option(
        "--path", type=click.Choice(PATH_ORDERS), default="near", show_default=True, help="Which extreme comes first."
    ),
    click.option("--participation", default="0.1", metavar="SHARE", help="Share of a candle's volume that is traded."),
    click.option("--spread", "spread_bps", type=click.IntRange(min=0), default=0, metavar="BPS", help="Of the vAMM."),
    click.option("--deposit", metavar="QUOTE", help="Collateral (default: the grid's capital)."),
    click.option("--symbol", help="Which instrument of a file that holds several."),
    click.option("--venue", help="Which venue of a file that holds several."),
)  # fmt: skip


def assuming(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say under what a run is made; the command gets them as `options`."""

    @functools.wraps(command)
    def with_options(*args: Any, **given: Any) -> Any:
        from gridkeeper_cli.backtest_plan import Options

        named = {name: given.pop(name) for name in Options.__struct_fields__}
        return command(*args, options=Options(**named), **given)

    chosen: Callable[..., Any] = with_options
    for option in reversed(_OPTIONS):
        chosen = option(chosen)
    return chosen


@click.command()
@click.argument("grid_files", metavar="GRID.toml…", nargs=-1, required=True, type=click.Path(path_type=Path))
@assuming
@click.option("--vary", multiple=True, metavar="K=V,…", help="Compare these values of a setting; repeat for a raster.")
@click.option(
    "--walk-forward", type=click.IntRange(min=1), metavar="N", help="With --vary: choose on a part, judge on the next."
)
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes (default: one per core).")
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE.html", help="Write a page with plots.")
@click.option("--plain", is_flag=True, help="Look at every row, one by one; the same result, slowly.")
@everywhere
@pass_session
def backtest(
    session: Session,
    grid_files: tuple[Path, ...],
    options: Options,
    vary: tuple[str, ...],
    walk_forward: int | None,
    jobs: int | None,
    report: Path | None,
    plain: bool,  # noqa: FBT001
) -> None:
    """Run grids on recorded trades or candles with the very rules that trade live.

    Each grid has a sub-account of its own. The price of the first row starts it.

    \b
    Example:
      gridkeeper backtest sol-range.toml --data SOL_1m.csv.gz --funding SOL_funding.csv
      gridkeeper backtest sol-range.toml --data trades.parquet --fill queue --report run.html
      gridkeeper backtest sol-range.toml --data SOL_1m.csv.gz --vary intervals=50,100,200 --walk-forward 4
    """
    # Imported here: asking for help needs no library of numbers.
    from gridkeeper_cli.backtest_plan import histories
    from gridkeeper_cli.grid_source import read_grid_file

    files = [read_grid_file(path) for path in grid_files]
    markets = tuple(dict.fromkeys(file.config.market for file in files))
    known = histories(markets, options)
    if vary:
        from gridkeeper_cli.sweep_command import sweep

        sweep(session, files, known, options, vary=vary, splits=walk_forward or 0, jobs=jobs, report=report)
        return
    if walk_forward:
        raise click.UsageError("--walk-forward chooses among --vary settings: give at least one.")
    runs = _runs(files, known, options, plain=plain, for_report=report is not None)
    _answer(session, runs, known, options)
    if report is not None:
        from gridkeeper_cli.report_page import write_report

        write_report(report, files, runs, known, options)
        session.warn(f"the report is in {report}")


def _runs(
    files: Sequence[GridFile], known: dict[str, History], options: Options, *, plain: bool, for_report: bool
) -> list[Run]:
    from gridkeeper_cli.backtest_plan import trial_of
    from gridkeeper_lab.outcome import NEEDED
    from gridkeeper_lab.trials import run_trial

    runs = []
    for file in files:
        history = known[file.config.market]
        with progress_bar(file.config.grid_id, len(history.tape)) as tell:
            trial = trial_of(file, history, options)
            kept = None if for_report else NEEDED
            runs.append(run_trial(trial, history, "plain" if plain else "skipping", tell, kept))
    return runs


def _answer(session: Session, runs: Sequence[Run], known: dict[str, History], options: Options) -> None:
    from gridkeeper_cli.backtest_document import document_of, text_of, together
    from gridkeeper_cli.backtest_rows import counted_over_all
    from gridkeeper_lab.outcome import books_of, fills_of, joint_drawdown_e6, outcome_of

    outcomes = [outcome_of(run) for run in runs]
    if len(runs) == 1 and len(known) == 1:
        session.answer(document_of(outcomes[0]), *(() if session.json else text_of(outcomes[0], options)))
        return
    tapes = {market: history.tape for market, history in known.items()}
    fills = [counted_over_all(fills_of(run), run.config.market, tapes) for run in runs]
    ticks = sum(len(tape) for tape in tapes.values())
    text = () if session.json else [part for outcome in outcomes for part in text_of(outcome, options)]
    session.answer(together(outcomes, fills, ticks, joint_drawdown_e6([books_of(run) for run in runs])), *text)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """A bar on stderr where somebody looks at it, else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
