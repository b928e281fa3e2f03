"""Puts what was held back into one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from gridkeeper_core.alerts.notice import FILLS, REFUSALS
from gridkeeper_core.units import e6_text, e9_text


def digest_text(target: str, key: str, count: int, last_text: str, amounts: Mapping[str, int]) -> str:
    """The sentence for `count` notices of one kind; `amounts` are their sums by name."""
    kind, _, market = key.partition(":")
    if kind == FILLS:
        return f"Grid {target}: {_fills(count, market, amounts)}."
    if kind == REFUSALS:
        reasons = ", ".join(f"{number} {code}" for code, number in sorted(amounts.items()))
        return f"Grid {target}: {_counted(count, 'order')} not placed: {reasons}."
    return last_text if count == 1 else f"{count} more messages of this kind; the last: {last_text}"


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
