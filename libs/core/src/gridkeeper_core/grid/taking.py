"""Prices for orders that follow the market: the best one that rests, the worst one that may be taken."""

from __future__ import annotations

from gridkeeper_core.events import Side
from gridkeeper_core.grid.state import GridState
from gridkeeper_core.grid.triggers import reference_e6
from gridkeeper_core.market import round_down_to
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E4


def best_maker_e6(state: GridState, side: Side, newest: Price) -> int:
    """The price nearest to the market at which an order of this side still rests (1e-6, on the tick)."""
    assert state.spec is not None
    tick_e6, at_e6 = state.spec.tick_e6, reference_e6(state, newest)
    if side == "buy":
        return round_down_to(min(at_e6, newest.ask_e6 or at_e6) - 1, tick_e6)
    return round_down_to(max(at_e6, newest.bid_e6 or at_e6), tick_e6) + tick_e6


def worst_taker_e6(state: GridState, side: Side, newest: Price) -> int:
    """The price beyond which a taking order of this side may not fill (1e-6, on the tick, never beyond the cap)."""
    assert state.spec is not None
    tick_e6, at_e6 = state.spec.tick_e6, reference_e6(state, newest)
    slip_e6 = at_e6 * state.config.slippage_e4 // E4
    if side == "buy":
        return round_down_to(at_e6 + slip_e6, tick_e6)
    return -round_down_to(-(at_e6 - slip_e6), tick_e6)
