"""Brings the position down to what a rule asked for, by reduce-only orders, however many it takes."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid import closing, relay, window
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import NO_CELL, GridState
from gridkeeper_core.market import round_down_to
from gridkeeper_core.names import intent_id
from gridkeeper_core.units import BPS

SLIPPAGE_CAP_BPS = 50


def check(d: Decision, price_e6: int) -> window.Change:
    """The order that is wanted now for it: one at a time, nearer when the market ran away, again after its pause."""
    state = d.state
    if state.memory.reduce_to_e9 is None or state.memory.flag == "shadow":
        return window.Change()
    size_e9 = _left_e9(state)
    if size_e9 == 0:
        d.add(e.ReducingDone(position_e9=state.position_e9))
        if state.config.direction != "neutral":
            relay.restart(d, price_e6, "the position was reduced")
        return window.Change()
    if any(order.kind == "flatten" for order in state.orders.values()):
        return closing.followed(d)
    if any(d.now_ns < retry.not_before_ns for key, retry in state.retries.items() if key[0] == "flatten"):
        return window.Change()
    return window.Change(wanted=(_order(state, price_e6, size_e9),))


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


def _order(state: GridState, price_e6: int, size_e9: int) -> e.WantedOrder:
    assert state.spec is not None
    is_long = state.position_e9 > 0
    slip_e6 = price_e6 * SLIPPAGE_CAP_BPS // BPS
    return e.WantedOrder(
        intent_id=intent_id(state.grid_id, "flatten", 0, state.flattens),
        kind="flatten",
        cell=NO_CELL,
        side="sell" if is_long else "buy",
        price_e6=round_down_to(price_e6 - slip_e6 if is_long else price_e6 + slip_e6, state.spec.tick_e6),
        size_e9=size_e9,
        post_only="none",
        reduce_only=True,
    )
