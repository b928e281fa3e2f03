"""How a grid ends: its orders go, its position is kept or closed, and its stops go last."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid import stops, window
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import NO_CELL
from gridkeeper_core.grid.taking import worst_taker_e6
from gridkeeper_core.grid.triggers import reference_e6
from gridkeeper_core.market import round_down_to
from gridkeeper_core.names import intent_id
from gridkeeper_core.units import NS_PER_S

FLATTEN = ("flatten", NO_CELL)
FOLLOW_EVERY_NS = 2 * NS_PER_S


def wind_down(d: Decision) -> window.Change:
    """The next step of the end. As long as a position is to be closed, the stops keep guarding it."""
    state = d.state
    flatten = _flatten(d)
    closes = state.close_wanted and (flatten is not None or FLATTEN in state.orders)
    change = window.everything_unwanted(state, "stop", stays=(*stops.CODES, "flatten") if closes else ())
    if closes:
        change = window.joined(change, followed(d))
    _want(d, change)
    if any(not closes or order.kind not in stops.CODES for order in d.state.orders.values()):
        return change
    if closes:
        if flatten is not None and not _waits(d):
            _want(d, window.Change(wanted=(flatten,)))
        return change
    d.add(e.GridStopped(position_e9=state.position_e9, quote_e6=state.cash_e6, fills=state.fills, code=state.stop_code))
    return change


def followed(d: Decision) -> window.Change:
    """A closing order whose worst price is too near to the market by now is placed anew, at most every two seconds."""
    order, newest = d.state.orders.get(FLATTEN), d.newest
    if order is None or newest is None or order.unwanted or d.now_ns < order.wanted_ns + FOLLOW_EVERY_NS:
        return window.Change()
    worst_e6 = worst_taker_e6(d.state, order.side, newest)
    if worst_e6 >= order.price_e6 if order.side == "sell" else worst_e6 <= order.price_e6:
        return window.Change()
    return window.Change(unwanted=(e.UnwantedOrder(intent_id=order.intent_id, why="follow"),))


def _want(d: Decision, change: window.Change) -> None:
    if change.is_empty:
        return
    state, newest = d.state, d.newest
    price_e6 = reference_e6(state, newest) if newest is not None else 0
    d.add(window.fact_of(state, change, price_e6, newest.source_seq if newest is not None else 0))


def _waits(d: Decision) -> bool:
    """A closing order that was turned away is tried again only after its pause."""
    retry = d.state.retries.get(FLATTEN)
    return retry is not None and d.now_ns < retry.not_before_ns


def _flatten(d: Decision) -> e.WantedOrder | None:
    """A reduce-only taker order for the whole position, within the slippage cap; None when nothing is left."""
    state, newest = d.state, d.newest
    if state.spec is None or newest is None:
        return None
    position_e9 = state.closable_e9
    size_e9 = round_down_to(abs(position_e9), state.spec.step_e9)
    if size_e9 == 0:
        return None
    side: e.Side = "sell" if position_e9 > 0 else "buy"
    return e.WantedOrder(
        intent_id=intent_id(state.grid_id, "flatten", 0, state.flattens),
        kind="flatten",
        cell=NO_CELL,
        side=side,
        price_e6=worst_taker_e6(state, side, newest),
        size_e9=size_e9,
        post_only="none",
        reduce_only=True,
    )
