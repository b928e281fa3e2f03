"""Brings the position down to what a rule asked for, by reduce-only orders, however many it takes."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid import closing, relay, window
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import ENTRY, NO_CELL, GridState
from gridkeeper_core.grid.taking import worst_taker_e6
from gridkeeper_core.grid.triggers import reference_e6
from gridkeeper_core.market import round_down_to
from gridkeeper_core.names import intent_id
from gridkeeper_core.prices.price import Price


def finish(d: Decision, newest: Price) -> None:
    """Note that the position is as small as was wanted: from here on the cells hold what is left of it."""
    state = d.state
    if state.memory.reduce_to_e9 is None or state.memory.flag == "shadow" or _left_e9(state) > 0:
        return
    d.add(e.ReducingDone(position_e9=state.position_e9))
    # Until its entry is done a grid's cells are a plan, and the entry says what becomes of them.
    if state.config.direction != "neutral" and ENTRY not in state.pauses:
        relay.restart(d, reference_e6(state, newest), "the position was reduced")


def check(d: Decision, newest: Price) -> window.Change:
    """The order that is wanted now for it: one at a time, nearer when the market ran away, again after its pause."""
    state = d.state
    if state.memory.reduce_to_e9 is None or state.memory.flag == "shadow":
        return window.Change()
    if any(order.kind == "flatten" for order in state.orders.values()):
        return closing.followed(d)
    if any(d.now_ns < retry.not_before_ns for key, retry in state.retries.items() if key[0] == "flatten"):
        return window.Change()
    return window.Change(wanted=(_order(state, newest, _left_e9(state)),))


def keeps_its_side(state: GridState) -> bool:
    """Whether a long or short grid is being reduced: cells that sold as well would bring it to the other side."""
    is_real = state.memory.flag != "shadow" and not state.pauses
    return state.memory.reduce_to_e9 is not None and state.config.direction != "neutral" and is_real


def stays_e9(state: GridState) -> int:
    """How much of the position is left to the cells, in whatever direction it is."""
    target_e9, position_e9 = state.memory.reduce_to_e9 or 0, state.position_e9
    return min(abs(target_e9), abs(position_e9)) if target_e9 * position_e9 > 0 else 0


def give_up(d: Decision) -> None:
    """Stop reducing: the grid trades again from what it holds."""
    if d.state.memory.reduce_to_e9 is not None:
        d.add(e.ReducingDone(position_e9=d.state.position_e9))


def _left_e9(state: GridState) -> int:
    """How much is still to be given up; nothing once the position is on the other side or as small as wanted."""
    assert state.spec is not None
    target_e9 = state.memory.reduce_to_e9 or 0
    position_e9 = state.position_e9
    over_e9 = position_e9 - target_e9 if position_e9 > 0 else target_e9 - position_e9
    return round_down_to(max(over_e9, 0), state.spec.step_e9)


def _order(state: GridState, newest: Price, size_e9: int) -> e.WantedOrder:
    side: e.Side = "sell" if state.position_e9 > 0 else "buy"
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
