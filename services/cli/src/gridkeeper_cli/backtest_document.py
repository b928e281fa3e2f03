"""What a backtest came to, as a JSON document and as text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gridkeeper_cli.backtest_plan import Options
from gridkeeper_core.units import e6_text, e9_text
from gridkeeper_lab.outcome import Fills, Outcome

if TYPE_CHECKING:
    from rich.console import RenderableType

Document = dict[str, Any]


def document_of(outcome: Outcome) -> Document:
    """One grid's run."""
    return {
        "grid": outcome.grid_id,
        "ticks": outcome.ticks,
        "fills": outcome.fills,
        "placed": outcome.placed,
        "cancelled": outcome.cancelled,
        "refused": outcome.refused,
        "final_gap": outcome.final_gap,
        "final_price": e6_text(outcome.final_price_e6),
        "position": e9_text(outcome.position_e9),
        "cash": e6_text(outcome.cash_e6),
        "volume": e6_text(outcome.volume_e6),
        "fees": e6_text(outcome.fees_e6),
        "funding": e6_text(outcome.funding_e6),
        "grid_profit": e6_text(outcome.grid_profit_e6),
        "total_pnl": e6_text(outcome.total_pnl_e6),
        "max_drawdown": e6_text(outcome.max_drawdown_e6),
        "max_live_orders": outcome.max_live_orders,
        "turns": outcome.turns,
        "capital": e6_text(outcome.capital_e6),
        "liquidations": outcome.liquidations,
        "paused": list(outcome.paused),
        "residual": None if outcome.residual_e6 is None else e6_text(outcome.residual_e6),
        "lines": [{"name": line.name, "amount": e6_text(line.quote_e6)} for line in outcome.lines],
        "fills_sha256": outcome.fills_sha256,
    }


def together(outcomes: Sequence[Outcome], fills: Sequence[Fills], ticks: int, drawdown_e6: int) -> Document:
    """Several grids of one run: sums, and each grid's own numbers under `grids`. `drawdown_e6` is that of their sum.

    `fills` are counted by rows of all tapes together, in order of time; the hash is over the fills of all grids, by row
    and then in the order in which the grids were named.
    """
    merged = sorted(
        (int(row), place, level, side)
        for place, found in enumerate(fills)
        for row, level, side in zip(found.row.tolist(), found.level.tolist(), found.side.tolist(), strict=True)
    )
    digest = hashlib.sha256()
    for row, _, level, side in merged:
        digest.update(b"".join(value.to_bytes(4, "little", signed=True) for value in (row, level, side)))
    amounts = ("cash", "volume", "fees", "funding", "grid_profit", "total_pnl", "capital")
    sums = {name: e6_text(sum(getattr(o, f"{name}_e6") for o in outcomes)) for name in amounts}
    counts = ("fills", "placed", "cancelled", "refused", "turns", "liquidations")
    return {
        "ticks": ticks,
        **{name: sum(getattr(o, name) for o in outcomes) for name in counts},
        "final_gap": None,
        "position": None,
        **sums,
        "max_drawdown": e6_text(drawdown_e6),
        "max_live_orders": max(o.max_live_orders for o in outcomes),
        "fills_sha256": digest.hexdigest(),
        "grids": [document_of(outcome) for outcome in outcomes],
    }


def text_of(outcome: Outcome, options: Options) -> tuple[RenderableType, ...]:
    """One grid's run for a person at a terminal."""
    from gridkeeper_cli.render import cents, counted, facts

    total = share_text(outcome.total_pnl_e6, outcome.capital_e6)
    drawdown = share_text(-outcome.max_drawdown_e6, outcome.capital_e6)
    pairs: list[tuple[str, object]] = [
        ("rows", f"{outcome.ticks:,}"),
        ("fills", f"{outcome.fills:,} ({counted(outcome.turns, 'turn')} completed)"),
        ("orders", f"{outcome.placed:,} placed, {outcome.cancelled:,} cancelled, {outcome.refused:,} refused"),
        ("most orders at once", outcome.max_live_orders),
        ("position at the end", f"{e9_text(outcome.position_e9)} at {e6_text(outcome.final_price_e6)}"),
        *((line.name, cents(e6_text(line.quote_e6))) for line in outcome.lines if line.quote_e6),
        ("total PnL", f"{cents(e6_text(outcome.total_pnl_e6))} ({total} of the capital)"),
        ("deepest drawdown", f"{cents(e6_text(-outcome.max_drawdown_e6))} ({drawdown} of the capital)"),
    ]
    notes = [f"paused at the end: {', '.join(outcome.paused)}"] if outcome.paused else []
    if outcome.liquidations:
        notes.append(f"liquidated {counted(outcome.liquidations, 'time')}")
    if outcome.residual_e6:
        notes.append(f"the equity proof leaves {e6_text(outcome.residual_e6)}, which must be 0: please report it")
    notes.append(f"assumed: {assumptions(options)}")
    return (f"{outcome.grid_id}", facts(pairs), *notes)


def assumptions(options: Options) -> str:
    """Under what the run was made, in words."""
    fills = {
        "touch": "a trade at the order's price fills it",
        "through": "a trade beyond the order's price fills it",
        "queue": f"trades fill by their size, {options.queue_ahead} of it to others first",
    }[options.fill]
    margin = "margin as on the venue" if options.margin else "no margin"
    if not options.post_only:
        margin += "; what would cross is not rejected"
    return (
        f"{fills}; {options.latency_ms} ms until an order rests; {margin}; candles walked {options.path} extreme first"
    )


def share_text(part_e6: int, whole_e6: int) -> str:
    """A share in percent with two places, or a dash."""
    return f"{100 * part_e6 / whole_e6:+.2f} %" if whole_e6 else "-"
