"""A comparison of variants for a person at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType

from gridkeeper_cli.backtest_document import assumptions
from gridkeeper_cli.backtest_plan import Options
from gridkeeper_cli.render import table
from gridkeeper_lab.compare import Spread

if TYPE_CHECKING:
    from gridkeeper_cli.sweep_command import Compared

_ROWS_SHOWN = 40


def sweep_text(compared: Compared, options: Options) -> list[RenderableType]:
    """The variants by return, the front marked, and how the returns spread."""
    names = list(compared.variants[0].settings)
    columns = [(name, name.rpartition(".")[2]) for name in names]
    columns += [("return", ">return"), ("drawdown", ">drawdown"), ("fills", ">fills"), ("turns", ">turns")]
    columns += [("fees", ">fees"), ("mark", "")]
    ranked = sorted(range(len(compared.variants)), key=lambda place: _rank(compared, place))
    shown: list[RenderableType] = [
        compared.grid_id,
        table(columns, [_row(compared, place) for place in ranked[:_ROWS_SHOWN]]),
    ]
    if len(ranked) > _ROWS_SHOWN:
        shown.append(f"{len(ranked) - _ROWS_SHOWN} more; --json and --report have all of them.")
    if compared.spread is not None:
        shown.append(f"returns of all variants: {spread_text(compared.spread)}")
        shown.append("P: no other variant has both a higher return and a smaller drawdown.")
    shown += [_split_text(compared, place) for place in range(len(compared.splits))]
    shown.append(f"assumed: {assumptions(options)}")
    return shown


def spread_text(spread: Spread) -> str:
    """Worst to best, with the middle half."""
    return (
        f"{percent(spread.worst_e6)} worst, {percent(spread.lower_e6)} to {percent(spread.upper_e6)} the middle half, "
        f"{percent(spread.median_e6)} median, {percent(spread.best_e6)} best"
    )


def percent(share_e6: int) -> str:
    """A share (1e-6) in percent."""
    return f"{share_e6 / 10_000:+.2f} %"


def _rank(compared: Compared, place: int) -> int:
    score = compared.scores[place]
    return 2**63 if score is None else -score.return_e6


def _row(compared: Compared, place: int) -> dict[str, object]:
    outcome, score = compared.outcomes[place], compared.scores[place]
    row: dict[str, object] = dict(compared.variants[place].settings)
    if outcome is None or score is None:
        return row | {
            "return": "",
            "drawdown": "",
            "fills": "",
            "turns": "",
            "fees": "",
            "mark": compared.errors[place][0],
        }
    return row | {
        "return": percent(score.return_e6),
        "drawdown": f"{score.drawdown_e6 / 10_000:.2f} %",
        "fills": f"{outcome.fills:,}",
        "turns": f"{outcome.turns:,}",
        "fees": f"{outcome.fees_e6 / 1e6:+.2f}",
        "mark": "P" if place in compared.front else " ",
    }


def _split_text(compared: Compared, place: int) -> str:
    split = compared.splits[place]
    settings = ", ".join(
        f"{name.rpartition('.')[2]} {value}" for name, value in compared.variants[split.chosen].settings.items()
    )
    return (
        f"step {place + 1}: {settings} was best on rows {split.rows[0]:,} to {split.rows[1]:,} "
        f"({percent(split.before.return_e6)}); on the next part it made {percent(split.after.return_e6)}, "
        f"all variants there: {percent(split.others.worst_e6)} to {percent(split.others.best_e6)}"
    )
