"""Writes the report of a comparison: all variants, the front of return against drawdown, and the steps forward."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gridkeeper_cli.backtest_document import assumptions
from gridkeeper_cli.backtest_plan import Options
from gridkeeper_cli.report_html import heading, note, page, picture, section, table
from gridkeeper_cli.report_page import made_by, save
from gridkeeper_cli.report_plots import front_picture
from gridkeeper_cli.sweep_text import percent, spread_text

if TYPE_CHECKING:
    from gridkeeper_cli.sweep_command import Compared


def write_sweep_report(path: Path, found: Sequence[Compared], options: Options) -> None:
    """Write the page. Raises GridkeeperError BAD_FILE."""
    parts: list[str] = []
    for compared in found:
        parts += _parts(compared, options)
    parts.append(note(f"data: {', '.join(options.data)}; {made_by()}"))
    save(path, page("Gridkeeper comparison", parts))


def _parts(compared: Compared, options: Options) -> list[str]:
    points = [(s.drawdown_e6 / 10_000, s.return_e6 / 10_000) for s in compared.scores if s is not None]
    scores = [compared.scores[place] for place in compared.front]
    front = [(s.drawdown_e6 / 10_000, s.return_e6 / 10_000) for s in scores if s is not None]
    parts = [
        heading(
            f"{compared.grid_id}: {len(compared.variants)} variants",
            f"Assumed: {assumptions(options)}.",
            "The best of many variants is partly luck: judge it by its neighbours and by the steps forward.",
        ),
    ]
    if compared.spread is not None:
        parts.append(
            section("How far they spread", note(spread_text(compared.spread)), picture(front_picture(points, front)))
        )
    parts.append(section("Variants", _variant_table(compared)))
    if compared.splits:
        parts.append(section("Chosen on one part, judged on the next", _split_table(compared)))
    return parts


def _variant_table(compared: Compared) -> str:
    names = list(compared.variants[0].settings)
    ranked = sorted(range(len(compared.variants)), key=lambda place: _rank(compared, place))
    columns = (
        *(name.rpartition(".")[2] for name in names),
        "return",
        "drawdown",
        "fills",
        "turns",
        "fees",
        "not beaten",
    )
    return table(columns, [_variant_row(compared, place) for place in ranked])


def _variant_row(compared: Compared, place: int) -> tuple[str, ...]:
    settings = tuple(compared.variants[place].settings.values())
    outcome, score = compared.outcomes[place], compared.scores[place]
    if outcome is None or score is None:
        return (*settings, compared.errors[place][0], "", "", "", "", "")
    return (
        *settings,
        percent(score.return_e6),
        f"{score.drawdown_e6 / 10_000:.2f} %",
        f"{outcome.fills:,}",
        f"{outcome.turns:,}",
        f"{outcome.fees_e6 / 1e6:+,.2f}",
        "yes" if place in compared.front else "",
    )


def _split_table(compared: Compared) -> str:
    columns = ("step", "chosen", "rows", "return there", "rows after", "return after", "all variants after")
    rows = []
    for place, split in enumerate(compared.splits, start=1):
        settings = compared.variants[split.chosen].settings
        rows.append(
            (
                str(place),
                ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in settings.items()),
                f"{split.rows[0]:,} to {split.rows[1]:,}",
                percent(split.before.return_e6),
                f"{split.next_rows[0]:,} to {split.next_rows[1]:,}",
                percent(split.after.return_e6),
                f"{percent(split.others.worst_e6)} to {percent(split.others.best_e6)}",
            )
        )
    return table(columns, rows)


def _rank(compared: Compared, place: int) -> int:
    score = compared.scores[place]
    return 2**63 if score is None else -score.return_e6
