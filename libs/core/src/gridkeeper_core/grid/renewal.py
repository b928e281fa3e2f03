"""Orders are placed anew at half of their life, a transaction's worth at a time, so that none ever runs out."""

from __future__ import annotations

from gridkeeper_core.events import UnwantedOrder
from gridkeeper_core.grid.state import GridState, LiveOrder

AT_ONCE = 16
"""Cancels that fit one transaction. What goes together comes back together, in the transaction after it, which also
cancels the next sixteen: so no level is without its order for longer than one round trip."""


def due(state: GridState, now_ns: int) -> list[UnwantedOrder]:
    """The next orders to renew; none while earlier ones are on their way out.

    At half of its life an order takes along all that are not much younger, so that a whole window is renewed in a few
    transactions instead of one by one.
    """
    life_ns = state.config.order_life_ns
    if not life_ns or not _has_older(state, now_ns - life_ns // 2) or is_under_way(state):
        return []
    old = [order for order in _limit_orders(state) if now_ns - order.wanted_ns >= life_ns * 3 // 8]
    old.sort(key=lambda order: order.wanted_ns)
    return [UnwantedOrder(intent_id=order.intent_id, why="renew") for order in old[:AT_ONCE]]


def is_under_way(state: GridState) -> bool:
    """Whether orders that are to be renewed are still on their way out."""
    return "renew" in [order.unwanted for order in state.orders.values()]


def to_place(state: GridState) -> frozenset[int]:
    """The cells whose renewed orders come back now: all together, once the last one is gone."""
    if not state.renewing or is_under_way(state):
        return frozenset()
    places = (state.place_of(number) for _, number in state.renewing)
    return frozenset(place for place in places if place is not None)


def next_ns(state: GridState, now_ns: int) -> int:
    """When time alone makes a renewal due (0 = never)."""
    half_ns = state.config.order_life_ns // 2
    if not half_ns:
        return 0
    moments = (order.wanted_ns + half_ns for order in _limit_orders(state))
    return min((m for m in moments if m > now_ns), default=0)


def _has_older(state: GridState, since_ns: int) -> bool:
    # Asked at every decision: a loop costs half as much as `any` of a generator.
    for order in state.orders.values():
        if order.wanted_ns <= since_ns and not order.unwanted and order.kind in ("buy", "sell"):
            return True
    return False


def _limit_orders(state: GridState) -> list[LiveOrder]:
    return [order for order in state.orders.values() if not order.unwanted and order.kind in ("buy", "sell")]
