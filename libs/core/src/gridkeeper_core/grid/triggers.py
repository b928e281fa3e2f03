"""When a grid has to be asked again: the prices and the moment up to which nothing can follow."""

from __future__ import annotations

from gridkeeper_core.grid.state import STALE_PRICE, GridState
from gridkeeper_core.grid.window import candidates, order_price_e6
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E4, E9, div_ceil

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


def total_pnl_e6(state: GridState, price_e6: int) -> int:
    """Cash of all fills (fees included) and the change of the position's value since the start, at a price."""
    value_e6 = state.position_e9 * price_e6 // E9
    start_e6 = state.start_position_e9 * state.start_price_e6 // E9
    return state.cash_e6 + value_e6 - start_e6


def loss_allowed_e6(state: GridState) -> int:
    """How much the grid may lose from its risk base before it stops itself (quote 1e-6)."""
    return state.capital_e6 * state.config.max_drawdown_e4 // E4


def band(state: GridState, newest: Price | None) -> tuple[int, int]:
    """Prices strictly inside lead to no event as long as no other input comes and no deadline passes."""
    match state.status:
        case "stopped" | "rejected":
            return NEVER
        case "proposed" | "stopping":
            return ALWAYS
        case "open":
            pass
    if newest is None or STALE_PRICE in state.pauses or state.retries:
        return ALWAYS
    low, high = _range_band(state)
    risk_low, risk_high = _risk_band(state)
    low, high = max(low, risk_low), min(high, risk_high)
    if not state.pauses:
        at_e6 = reference_e6(state, newest)
        near_low, near_high = _order_band(state, at_e6)
        low, high = max(low, near_low), min(high, near_high)
    return low, high


def _range_band(state: GridState) -> tuple[int, int]:
    levels = state.levels_e6
    match state.range_left:
        case "high":
            return levels[-2], HIGHEST_E6
        case "low":
            return 0, levels[1]
        case "":
            return levels[0] - 1, levels[-1] + 1


def _risk_band(state: GridState) -> tuple[int, int]:
    """The price at which the loss limit is reached: total PnL is a line in the price."""
    position_e9 = state.position_e9
    if not state.config.risk_enabled or position_e9 == 0:
        return NEVER
    start_e6 = state.start_position_e9 * state.start_price_e6 // E9
    needed_e6 = state.risk_base_e6 - loss_allowed_e6(state) - state.cash_e6 + start_e6
    # One unit to the safe side of the rounding in total_pnl_e6: too early only costs a look.
    if position_e9 > 0:
        return div_ceil((needed_e6 + 1) * E9, position_e9) + 1, HIGHEST_E6
    return 0, (needed_e6 + 1) * E9 // position_e9 - 1


def _order_band(state: GridState, at_e6: int) -> tuple[int, int]:
    buy = next(candidates(state, "buy", at_e6), None)
    sell = next(candidates(state, "sell", at_e6), None)
    low = order_price_e6(state, "buy", buy) if buy is not None else 0
    high = order_price_e6(state, "sell", sell) if sell is not None else HIGHEST_E6
    # A cell that wants to buy above the price, or to sell below it, becomes eligible when the price comes back.
    low_sell = _nearest_crossed(state, "sell", at_e6)
    high_buy = _nearest_crossed(state, "buy", at_e6)
    low = max(low, low_sell) if low_sell is not None else low
    return low, min(high, high_buy) if high_buy is not None else high


def _nearest_crossed(state: GridState, side: str, at_e6: int) -> int | None:
    """The nearest price on the wrong side at which a cell still wants an order of this side."""
    assert state.spec is not None
    minimum_e9 = state.spec.minimum_e9
    cells = range(len(state.sizes_e9))
    if side == "sell":
        prices = (state.levels_e6[k + 1] for k in reversed(cells) if state.held_e9[k] >= minimum_e9)
        return next((p for p in prices if p <= at_e6), None)
    prices = (state.levels_e6[k] for k in cells if state.sizes_e9[k] - state.held_e9[k] >= minimum_e9)
    return next((p for p in prices if p >= at_e6), None)
