"""Pauses while the oracle is uncertain of its own price, or while the market trades far from it."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import ORACLE_DIVERGES, ORACLE_UNCERTAIN, GridState
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E4

CODES = (ORACLE_UNCERTAIN, ORACLE_DIVERGES)


def check(d: Decision, newest: Price) -> None:
    """Pause or resume as the newest price says; its resting orders stay, as they do when prices are old."""
    found = troubles(d.state, newest)
    for code in CODES:
        if code in found:
            d.pause(code, "gridkeeper", found[code], keep_orders=True)
        elif code in d.state.pauses:
            d.add(e.GridResumed(code=code, author="gridkeeper", reason="oracle and market agree again"))


def is_news(state: GridState, price: Price) -> bool:
    """Whether a price changes one of these pauses, wherever it lies."""
    if price.confidence_e6 is None and price.bid_e6 is None and not state.pauses:
        return False  # on every tick of a tape: nothing is known, nothing was wrong
    return state.status == "open" and set(troubles(state, price)) != set(CODES) & set(state.pauses)


def troubles(state: GridState, price: Price) -> dict[str, str]:
    """What is wrong with a price: code -> in words. What the source does not tell is not judged."""
    config = state.config
    found: dict[str, str] = {}
    if not config.risk_enabled:
        return found
    confidence_e6 = price.confidence_e6
    if confidence_e6 is not None and confidence_e6 * E4 > price.oracle_e6 * config.confidence_max_e4:
        found[ORACLE_UNCERTAIN] = "the oracle's confidence interval is too wide"
    if price.bid_e6 is not None and price.ask_e6 is not None:
        apart_e6 = abs((price.bid_e6 + price.ask_e6) // 2 - price.oracle_e6)
        if apart_e6 * E4 > price.oracle_e6 * config.divergence_max_e4:
            found[ORACLE_DIVERGES] = "the market trades too far from the oracle"
    return found
