"""Writes the report of a backtest: one page with every number, picture and assumption of the run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from gridkeeper_cli.backtest_document import assumptions, share_text
from gridkeeper_cli.backtest_plan import Options
from gridkeeper_cli.grid_source import GridFile
from gridkeeper_cli.render import cents
from gridkeeper_cli.report_curves import curves_of, levels_of, marks_of
from gridkeeper_cli.report_html import cards, folded, heading, literal, note, page, picture, section, table
from gridkeeper_cli.report_plots import (
    drawdown_picture,
    equity_picture,
    held_picture,
    levels_picture,
    price_picture,
)
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import e6_text, e9_text
from gridkeeper_lab.backtest import Run
from gridkeeper_lab.outcome import Outcome, outcome_of
from gridkeeper_lab.trials import History

_READ_AT_ONCE = 1 << 20


def write_report(
    path: Path, files: Sequence[GridFile], runs: Sequence[Run], known: Mapping[str, History], options: Options
) -> None:
    """Write the page. Raises GridkeeperError BAD_FILE."""
    parts: list[str] = []
    for file, run in zip(files, runs, strict=True):
        parts += _grid_parts(file, run, options)
    parts.append(_data_section(options, known))
    save(path, page("Gridkeeper backtest: " + ", ".join(run.config.grid_id for run in runs), parts))


def save(path: Path, text: str) -> None:
    """Write a page. Raises GridkeeperError BAD_FILE."""
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise GridkeeperError("BAD_FILE", field="--report", value=path, detail=error.strerror or "") from error


def made_by() -> str:
    """Which release made a page, and when."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"Gridkeeper {version('gridkeeper-cli')}, {now}"


def _grid_parts(file: GridFile, run: Run, options: Options) -> list[str]:
    outcome = outcome_of(run)
    curves, levels = curves_of(run), levels_of(run)
    grid = run.lab.strategy.grid(run.config.grid_id)
    spec = grid.spec
    assert spec is not None
    first, last = (_time(int(run.tape.ts_ns[at])) for at in (0, -1))
    return [
        heading(
            f"{run.config.grid_id} on {run.config.market}",
            f"{first} to {last}, {outcome.ticks:,} rows. Assumed: {assumptions(options)}.",
        ),
        cards(_first_numbers(outcome)),
        section("Price, levels and fills", picture(price_picture(curves, marks_of(run), grid.levels_e6))),
        section("Where the result comes from", picture(equity_picture(curves)), _explained(outcome)),
        section("Position", picture(held_picture(curves))),
        section("Drawdown", picture(drawdown_picture(curves))),
        section("Levels", picture(levels_picture(levels)), folded("Every level", _level_table(run))),
        section(
            "Settings",
            literal(file.source.strip()),
            note(_market_text(spec)),
            note(f"fills sha256 {outcome.fills_sha256}"),
        ),
    ]


def _first_numbers(outcome: Outcome) -> list[tuple[str, str]]:
    return [
        (f"total PnL ({share_text(outcome.total_pnl_e6, outcome.capital_e6)})", _cents(outcome.total_pnl_e6)),
        ("grid profit", _cents(outcome.grid_profit_e6)),
        (
            f"deepest drawdown ({share_text(-outcome.max_drawdown_e6, outcome.capital_e6)})",
            _cents(-outcome.max_drawdown_e6),
        ),
        ("fees paid, rebates negative", _cents(outcome.fees_e6)),
        ("funding received", _cents(outcome.funding_e6)),
        ("fills", f"{outcome.fills:,}"),
        ("turns completed", f"{outcome.turns:,}"),
        ("capital", f"{outcome.capital_e6 / 1e6:,.2f}"),
    ]


def _explained(outcome: Outcome) -> str:
    rows = [(line.name, e6_text(line.quote_e6)) for line in outcome.lines]
    rows.append(("total PnL", e6_text(outcome.total_pnl_e6)))
    residual = "not proven" if outcome.residual_e6 is None else e6_text(outcome.residual_e6)
    rows.append(("left unexplained by the proof against the venue", residual))
    counts = (
        f"{outcome.placed:,} orders placed, {outcome.cancelled:,} cancelled, {outcome.refused:,} refused, "
        f"at most {outcome.max_live_orders} at once, {outcome.liquidations} liquidations; position at the end "
        f"{e9_text(outcome.position_e9)} at {e6_text(outcome.final_price_e6)}."
    )
    paused = (note(f"Paused at the end: {', '.join(outcome.paused)}."),) if outcome.paused else ()
    return table(("", "quote"), rows) + note(counts) + "".join(paused)


def _level_table(run: Run) -> str:
    columns = ("level", "price", "bought", "sold", "base bought", "base sold", "turns", "profit", "held at the end")
    rows = [
        (
            str(row.level),
            e6_text(row.price_e6),
            f"{row.buys:,}",
            f"{row.sells:,}",
            e9_text(row.bought_e9),
            e9_text(row.sold_e9),
            f"{row.turns:,}",
            _cents(row.profit_e6),
            e9_text(row.held_e9),
        )
        for row in levels_of(run)
    ]
    return table(columns, rows) + note("Turns, profit and content are those of the cell above the level.")


def _market_text(spec: MarketSpec) -> str:
    initial, maintenance = spec.margin_ratio_initial_e4 / 100, spec.margin_ratio_maintenance_e4 / 100
    return (
        f"{spec.symbol}: tick {e6_text(spec.tick_e6)}, step {e9_text(spec.step_e9)}, margin {initial:g} % initial and "
        f"{maintenance:g} % maintenance, fees {spec.maker_fee_e5 / 1000:g} % maker and "
        f"{spec.taker_fee_e5 / 1000:g} % taker (negative: a rebate)"
    )


def _data_section(options: Options, known: Mapping[str, History]) -> str:
    words = [*options.data, *options.funding]
    files = [_file_of(word, known) for word in words]
    return section("Data", *(note(f"{file}, sha256 {_sha256(file)}") for file in files), note(made_by()))


def _file_of(word: str, known: Mapping[str, History]) -> Path:
    market, is_named, file = word.partition("=")
    return Path(file) if is_named and market in known else Path(word)


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(_READ_AT_ONCE):
            digest.update(chunk)
    return digest.hexdigest()


def _time(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _cents(amount_e6: int) -> str:
    return cents(e6_text(amount_e6)) or ""
