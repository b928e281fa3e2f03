"""When a grid has to be asked again: the prices and the moment up to which nothing can follow."""

from __future__ import annotations

from gridkeeper_core.grid.state import STALE_PRICE, GridState
from gridkeeper_core.grid.window import candidates, crossed, order_price_e6, retry_band
from gridkeeper_core.prices.price import Price

HIGHEST_E6 = 2**63 - 1
ALWAYS = (HIGHEST_E6, 0)
"""A band that no price is strictly inside of."""
NEVER = (0, HIGHEST_E6)
"""A band that every price is strictly inside of."""


def reference_e6(state: GridState, newest: Price) -> int:
    """Where the market is: the newest price, or what a later fill proves (a buy filled at 99 says at most 99)."""
    price_e6 = newest.oracle_e6
    if state.last_fill_ns < newest.ts_ns:
        return price_e6
    if state.last_fill_side == "buy":
        return min(price_e6, state.last_fill_e6)
    return max(price_e6, state.last_fill_e6) if state.last_fill_side else price_e6


def stale_after_ns(state: GridState, newest: Price) -> int:
    """The last moment at which the newest price still counts."""
    return newest.ts_ns + max(state.config.price_age_max_ns, newest.good_for_ns)


def band(state: GridState, newest: Price | None) -> tuple[int, int]:
    """Prices strictly inside lead to no event as long as no other input comes and no deadline passes."""
    match state.status:
        case "stopped" | "rejected":
            return NEVER
        case "proposed" | "stopping":
            return ALWAYS
        case "open":
            pass
    if newest is None or STALE_PRICE in state.pauses:
        return ALWAYS
    if state.pauses:
        return ALWAYS if state.retries else NEVER
    at_e6 = reference_e6(state, newest)
    low, high = _order_band(state, at_e6)
    if not state.retries:
        return low, high
    low_retry, high_retry = retry_band(state, at_e6, newest.ts_ns)
    return max(low, low_retry), min(high, high_retry)


def _order_band(state: GridState, at_e6: int) -> tuple[int, int]:
    buy = next(candidates(state, "buy", at_e6), None)
    sell = next(candidates(state, "sell", at_e6), None)
    low = order_price_e6(state, "buy", buy) if buy is not None else 0
    high = order_price_e6(state, "sell", sell) if sell is not None else HIGHEST_E6
    # A cell that wants to buy above the price, or to sell below it, becomes eligible when the price comes back.
    low_sell = next(crossed(state, "sell", at_e6), None)
    high_buy = next(crossed(state, "buy", at_e6), None)
    low = max(low, order_price_e6(state, "sell", low_sell)) if low_sell is not None else low
    return low, min(high, order_price_e6(state, "buy", high_buy)) if high_buy is not None else high
