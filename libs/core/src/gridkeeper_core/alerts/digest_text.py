"""Puts what was held back into one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from gridkeeper_core.alerts.notice import FILLS, PAUSED_GRIDS, REFUSALS, RESUMED_GRIDS
from gridkeeper_core.units import e6_text, e9_text

NAMES_SHOWN = 8


def digest_text(target: str, key: str, count: int, last_text: str, amounts: Mapping[str, int]) -> str:
    """The sentence for `count` notices of one kind; `amounts` are their sums by name."""
    kind, _, market = key.partition(":")
    if kind == FILLS:
        return f"Grid {target}: {_fills(count, market, amounts)}."
    if kind == REFUSALS:
        reasons = ", ".join(f"{number} {code}" for code, number in sorted(amounts.items()))
        return f"Grid {target}: {_counted(count, 'order')} not placed: {reasons}."
    if kind in (PAUSED_GRIDS, RESUMED_GRIDS) and count > 1:
        verb = "stopped placing orders" if kind == PAUSED_GRIDS else "trade again after"
        return f"{_named(amounts)} {verb}: {market}."
    return last_text if count == 1 else f"{count} more messages of this kind; the last: {last_text}"


def heartbeat_text(tally: Mapping[str, int]) -> str:
    """The daily report from what was told since the last one; `tally` counts severities and adds up amounts."""
    fills = tally.get("buys", 0) + tally.get("sells", 0)
    profit = _signed(e6_text(tally.get("grid_quote_e6", 0)))
    warnings, criticals = tally.get("warning", 0), tally.get("critical", 0)
    return (
        f"Gridkeeper is running. Since the last report: {_counted(fills, 'fill')}, grid profit {profit}; "
        f"{_counted(warnings, 'warning')}, {_counted(criticals, 'critical message')}."
    )


def _named(amounts: Mapping[str, int]) -> str:
    names = sorted(amounts)
    shown = ", ".join(names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    return f"{_counted(len(names), 'grid')} ({shown}{f' and {more} more' if more > 0 else ''})"


def _fills(count: int, market: str, amounts: Mapping[str, int]) -> str:
    base = market.removesuffix("-PERP")
    sides = f"{_counted(amounts.get('buys', 0), 'buy')}, {_counted(amounts.get('sells', 0), 'sell')}"
    net = _signed(e9_text(amounts.get("base_e9", 0)))
    profit = _signed(e6_text(amounts.get("grid_quote_e6", 0)))
    return f"{_counted(count, 'fill')}: {sides}, net {net} {base}, grid profit {profit}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _signed(text: str) -> str:
    return text if text.startswith("-") or text == "0" else f"+{text}"
