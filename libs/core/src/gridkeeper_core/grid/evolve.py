"""Folds the facts of a grid's own stream into its state."""

from __future__ import annotations

from typing import Any, assert_never

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.grid.levels import capital_e6
from gridkeeper_core.grid.state import FAULT, NO_CELL, GridState, LiveOrder, Retry
from gridkeeper_core.names import split_intent

GridFact = (
    e.GridProposed
    | e.GridOpened
    | e.GridRejected
    | e.PriceSeen
    | e.OrdersWanted
    | e.OrderGone
    | e.CellChanged
    | e.PositionReduced
    | e.RangeLeft
    | e.RangeReturned
    | e.RiskTripped
    | e.RiskReset
    | e.GridPaused
    | e.GridResumed
    | e.GridEdited
    | e.GridStopping
    | e.GridStopped
    | e.GridFaulted
)


def begin(grid_id: str, fact: e.GridProposed) -> GridState:
    """The state after the first fact of a grid's stream."""
    return GridState(grid_id=grid_id, status="proposed", config=fact.config, source=fact.source)


def evolve(state: GridState, fact: GridFact, ts_ns: int) -> GridState:
    """The state after one more fact. What `decide` guarantees is asserted here when the log is read back."""
    match fact:
        case e.GridProposed():
            return begin(state.grid_id, fact)
        case e.GridOpened():
            return _opened(state, fact, ts_ns)
        case e.PriceSeen():
            return replace(state, price=fact.price)
        case e.OrdersWanted():
            return _orders_wanted(state, fact, ts_ns)
        case e.OrderGone():
            return _order_gone(state, fact)
        case e.CellChanged():
            return _cell_changed(state, fact, ts_ns)
        case e.PositionReduced():
            return _position_reduced(state, fact)
        case e.RangeLeft():
            return replace(state, range_left=fact.where)
        case e.RangeReturned():
            return replace(state, range_left="")
        case e.RiskTripped():
            return state
        case e.RiskReset():
            return replace(state, risk_base_e6=fact.base_e6)
        case e.GridPaused():
            return replace(state, pauses={**state.pauses, fact.code: fact.keep_orders})
        case e.GridResumed():
            return replace(state, pauses={code: keep for code, keep in state.pauses.items() if code != fact.code})
        case e.GridFaulted():
            return replace(state, pauses={**state.pauses, FAULT: False})
        case e.GridEdited():
            return replace(state, config=fact.config, source=fact.source)
        case e.GridStopping():
            return replace(state, status="stopping", close_wanted=fact.close)
        case e.GridStopped():
            return replace(state, status="stopped", orders={}, retries={})
        case e.GridRejected():
            return replace(state, status="rejected")
        case _:
            assert_never(fact)


def _opened(state: GridState, fact: e.GridOpened, ts_ns: int) -> GridState:
    return replace(
        state,
        status="open",
        spec=fact.spec,
        levels_e6=fact.levels_e6,
        sizes_e9=fact.sizes_e9,
        held_e9=fact.held_e9,
        start_held_e9=sum(fact.held_e9),
        start_position_e9=fact.start_position_e9,
        start_price_e6=fact.start_price_e6,
        cycles=(0,) * len(fact.sizes_e9),
        last_roll_ns=ts_ns,
        capital_e6=capital_e6(state.config, fact.levels_e6, fact.sizes_e9, fact.start_price_e6),
    )


def _orders_wanted(state: GridState, fact: e.OrdersWanted, ts_ns: int) -> GridState:
    orders = dict(state.orders)
    for gone in fact.unwanted:
        key = key_of(gone.intent_id)
        assert orders[key].intent_id == gone.intent_id
        orders[key] = replace(orders[key], unwanted=gone.why)
    for want in fact.wanted:
        key = key_of(want.intent_id)
        assert key not in orders
        orders[key] = LiveOrder(
            intent_id=want.intent_id,
            kind=want.kind,
            cell=want.cell,
            side=want.side,
            price_e6=want.price_e6,
            size_e9=want.size_e9,
            filled_e9=0,
            wanted_ns=ts_ns,
        )
    flattens = state.flattens + sum(want.kind == "flatten" for want in fact.wanted)
    return replace(state, orders=orders, last_roll_ns=ts_ns if fact.rolled else state.last_roll_ns, flattens=flattens)


def key_of(intent_id: str) -> tuple[str, int]:
    """Where the order of an intent stands in `GridState.orders`; closing orders stand under cell -1."""
    parts = split_intent(intent_id)
    if parts.kind in ("buy", "sell"):
        return (parts.kind, parts.key)
    return (parts.kind, NO_CELL)


def _order_gone(state: GridState, fact: e.OrderGone) -> GridState:
    key = find(state, fact.intent_id)
    assert key is not None
    orders = {k: order for k, order in state.orders.items() if k != key}
    retries = {k: retry for k, retry in state.retries.items() if k != key}
    if fact.not_before_ns:
        retries[key] = Retry(not_before_ns=fact.not_before_ns, price_e6=fact.reference_e6, tries=fact.tries)
    return replace(state, orders=orders, retries=retries)


def find(state: GridState, intent_id: str) -> tuple[str, int] | None:
    """The key of the order that belongs to an intent, if the grid has it."""
    key = key_of(intent_id)
    order = state.orders.get(key)
    return key if order is not None and order.intent_id == intent_id else None


def _cell_changed(state: GridState, fact: e.CellChanged, ts_ns: int) -> GridState:
    cell = fact.cell
    assert 0 <= fact.held_e9 <= state.sizes_e9[cell]
    money: dict[str, Any] = _money(state, fact)
    turned = fact.cycle - state.cycles[cell]
    return replace(
        state,
        held_e9=(*state.held_e9[:cell], fact.held_e9, *state.held_e9[cell + 1 :]),
        cycles=(*state.cycles[:cell], fact.cycle, *state.cycles[cell + 1 :]) if turned else state.cycles,
        turns=state.turns + turned,
        last_fill_e6=fact.price_e6,
        last_fill_side=fact.side,
        last_fill_ns=ts_ns,
        **money,
    )


def _position_reduced(state: GridState, fact: e.PositionReduced) -> GridState:
    signed_e9 = fact.filled_e9 if fact.side == "buy" else -fact.filled_e9
    money: dict[str, Any] = _money(state, fact)
    return replace(state, reduced_e9=state.reduced_e9 + signed_e9, **money)


def _money(state: GridState, fact: e.CellChanged | e.PositionReduced) -> dict[str, Any]:
    key = find(state, fact.intent_id)
    orders = state.orders
    retries = state.retries
    if key is not None:
        filled_e9 = orders[key].filled_e9 + fact.filled_e9
        assert filled_e9 <= orders[key].size_e9
        orders = dict(orders)
        if filled_e9 == orders[key].size_e9:
            del orders[key]
        else:
            orders[key] = replace(orders[key], filled_e9=filled_e9)
        if key in retries:
            retries = {k: retry for k, retry in retries.items() if k != key}
    signed_e6 = -fact.quote_e6 if fact.side == "buy" else fact.quote_e6
    return {
        "orders": orders,
        "retries": retries,
        "cash_e6": state.cash_e6 + signed_e6 - fact.fee_e6,
        "fees_e6": state.fees_e6 + fact.fee_e6,
        "fills": state.fills + 1,
    }
