"""Folds the facts of a grid's own stream into its state."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.grid import evolve_rules, memory
from gridkeeper_core.grid.budget import spent
from gridkeeper_core.grid.cells import cells_of
from gridkeeper_core.grid.levels import capital_e6
from gridkeeper_core.grid.state import ENTRY, FAULT, NO_CELL, RISK, WAITING_TRIGGER, GridState, LiveOrder, Retry

GridFact = (
    e.GridProposed
    | e.GridArmed
    | e.GridOpened
    | e.EntryDone
    | e.BudgetSpent
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
    | evolve_rules.RuleFact
    | e.GridStopping
    | e.GridStopped
    | e.GridFaulted
)


def begin(grid_id: str, fact: e.GridProposed) -> GridState:
    """The state after the first fact of a grid's stream."""
    slots = fact.config.order_slots
    return GridState(grid_id=grid_id, status="proposed", config=fact.config, source=fact.source, slots=slots)


def evolve(state: GridState, fact: GridFact, ts_ns: int) -> GridState:
    """The state after one more fact. What `decide` guarantees is asserted here when the log is read back."""
    often = _OFTEN.get(type(fact))
    if often is not None:
        return often(state, fact, ts_ns)
    match fact:
        case e.GridProposed():
            return begin(state.grid_id, fact)
        case e.GridArmed():
            return replace(state, status="armed", spec=fact.spec, armed=fact, pauses={WAITING_TRIGGER: True})
        case e.GridOpened():
            return _opened(state, fact, ts_ns)
        case e.EntryDone():
            return _entry_done(state, fact, ts_ns)
        case e.BudgetSpent():
            return replace(state, budget_out_day=fact.day)
        case e.PositionReduced():
            return _position_reduced(state, fact)
        case e.RangeLeft():
            return replace(state, range_left=fact.where, memory=replace(state.memory, left_paused=bool(state.pauses)))
        case e.RangeReturned():
            return replace(state, range_left="", memory=replace(state.memory, left_paused=False))
        case e.RiskTripped():
            return replace(state, memory=memory.tripped(state.memory, fact, state.config.cool_down_ns, ts_ns))
        case e.RiskReset():
            after = memory.reset if RISK in state.pauses else memory.calmed
            return replace(state, risk_base_e6=fact.base_e6, memory=after(state.memory))
        case e.GridPaused():
            told = {**state.told, fact.code: f"{fact.author}: {fact.reason}"}
            return replace(state, pauses={**state.pauses, fact.code: fact.keep_orders}, told=told)
        case e.GridResumed():
            left = {code: keep for code, keep in state.pauses.items() if code != fact.code}
            return replace(state, pauses=left, told={code: why for code, why in state.told.items() if code in left})
        case e.GridFaulted():
            told = {**state.told, FAULT: f"{fact.at_cause}: {fact.detail}"}
            return replace(state, pauses={**state.pauses, FAULT: False}, told=told)
        case e.GridStopping():
            return replace(state, status="stopping", close_wanted=fact.close, stop_code=fact.code)
        case e.GridStopped():
            return _released(state)
        case e.GridRejected():
            return replace(state, status="rejected", told={fact.code: fact.detail})
        case _:
            return evolve_rules.fold(state, fact, ts_ns)  # type: ignore[arg-type]  # the frequent ones are done above


def _price_seen(state: GridState, fact: e.PriceSeen, _ts_ns: int) -> GridState:
    return replace(state, price=fact.price, memory=memory.seen(state.memory, fact.price, state.config))


def _released(state: GridState) -> GridState:
    """What is left of a stopped grid: whose it was, its position and its sums; the rest is in the record."""
    return GridState(
        grid_id=state.grid_id,
        status="stopped",
        config=replace(state.config, custom_levels_e6=()),
        start_position_e9=state.position_e9,
        cash_e6=state.cash_e6,
        fees_e6=state.fees_e6,
        fills=state.fills,
        turns=state.turns,
        stop_code=state.stop_code,
    )


def _opened(state: GridState, fact: e.GridOpened, ts_ns: int) -> GridState:
    return replace(
        state,
        status="open",
        spec=fact.spec,
        levels_e6=fact.levels_e6,
        cells=cells_of(fact.sizes_e9, fact.held_e9),
        start_held_e9=sum(fact.held_e9),
        start_position_e9=fact.start_position_e9,
        start_price_e6=fact.start_price_e6,
        last_roll_ns=ts_ns,
        opened_ns=ts_ns,
        armed=None,
        entry_e9=fact.entry_e9,
        pauses={ENTRY: True} if fact.enters else {},
        capital_e6=capital_e6(state.config, fact.levels_e6, fact.sizes_e9, fact.start_price_e6),
    )


def _entry_done(state: GridState, fact: e.EntryDone, ts_ns: int) -> GridState:
    return replace(
        state,
        cells=cells_of(fact.sizes_e9, fact.held_e9),
        start_held_e9=sum(fact.held_e9),
        entry_e9=0,
        memory=replace(state.memory, unplaced_e9=0),
        last_roll_ns=ts_ns,
        pauses={code: keep for code, keep in state.pauses.items() if code != ENTRY},
    )


def _orders_wanted(state: GridState, fact: e.OrdersWanted, ts_ns: int) -> GridState:
    orders = dict(state.orders)
    for gone in fact.unwanted:
        key = key_of(gone.intent_id)
        assert orders[key].intent_id == gone.intent_id
        if orders[key].shadow:
            del orders[key]
        else:
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
            takes=want.immediate_or_cancel,
            trigger_e6=want.trigger_e6,
            shadow=fact.shadow,
        )
    kinds = [want.kind for want in fact.wanted]
    renewing = state.renewing and state.renewing - {key_of(want.intent_id) for want in fact.wanted}
    return replace(
        state,
        orders=orders,
        last_roll_ns=ts_ns if fact.rolled else state.last_roll_ns,
        flattens=state.flattens + kinds.count("flatten"),
        entries=state.entries + kinds.count("entry"),
        renewing=frozenset() if fact.rolled else renewing,
        **spent(state, fact, ts_ns),
    )


@lru_cache(maxsize=8192)
def key_of(intent_id: str) -> tuple[str, int]:
    """Where the order of an intent stands in `GridState.orders`; closing orders stand under cell -1."""
    _, kind, cell, _ = intent_id.split("/")
    return (kind, int(cell) if kind in ("buy", "sell") else NO_CELL)


def _order_gone(state: GridState, fact: e.OrderGone, ts_ns: int) -> GridState:
    key = find(state, fact.intent_id)
    assert key is not None
    orders, retries = dict(state.orders), dict(state.retries)
    is_renewed = orders.pop(key).unwanted == "renew"
    retries.pop(key, None)
    if fact.not_before_ns:
        retries[key] = Retry(
            not_before_ns=fact.not_before_ns, price_e6=fact.reference_e6, tries=fact.tries, why=fact.why
        )
    renewing = state.renewing | {key} if is_renewed else state.renewing
    failing = memory.gone(state.memory, fact, ts_ns)
    return replace(state, orders=orders, retries=retries, renewing=renewing, memory=failing)


def find(state: GridState, intent_id: str) -> tuple[str, int] | None:
    """The key of the order that belongs to an intent, if the grid has it."""
    key = key_of(intent_id)
    order = state.orders.get(key)
    return key if order is not None and order.intent_id == intent_id else None


def _cell_changed(state: GridState, fact: e.CellChanged, ts_ns: int) -> GridState:
    cell = state.place_of(fact.cell)
    assert cell is not None
    moved: dict[str, Any] = _money(state, fact)
    moved["memory"] = memory.filled(state.memory, fact, state.levels_e6[cell], state.config, ts_ns)
    if fact.filled_e9 > 0:  # a fill that is taken back says nothing of where the market is
        moved |= {"last_fill_e6": fact.price_e6, "last_fill_side": fact.side, "last_fill_ns": ts_ns}
    if fact.late or fact.filled_e9 < 0:
        moved["disturbed"] = state.disturbed | {fact.cell}
    turned = fact.cycle - state.cycles[cell]
    return replace(
        state, cells=state.cells.with_held(cell, fact.held_e9, fact.cycle), turns=state.turns + turned, **moved
    )


def _is_disturbed(state: GridState, fact: e.CellChanged | e.PositionReduced) -> bool:
    is_late = fact.late if isinstance(fact, e.CellChanged) else fact.cell != NO_CELL
    return is_late or fact.filled_e9 < 0 or fact.cell in state.disturbed


def _position_reduced(state: GridState, fact: e.PositionReduced) -> GridState:
    signed_e9 = fact.filled_e9 if fact.side == "buy" else -fact.filled_e9
    money: dict[str, Any] = _money(state, fact)
    if fact.cell != NO_CELL:
        money["disturbed"] = state.disturbed | {fact.cell}
    outside = replace(state.memory, unplaced_e9=state.memory.unplaced_e9 + signed_e9)
    return replace(state, reduced_e9=state.reduced_e9 + signed_e9, memory=outside, **money)


def _money(state: GridState, fact: e.CellChanged | e.PositionReduced) -> dict[str, Any]:
    key = find(state, fact.intent_id)
    orders = state.orders
    retries = state.retries
    if key is not None:
        filled_e9 = orders[key].filled_e9 + fact.filled_e9
        if _is_disturbed(state, fact):
            # What is taken back, or came late, may be a fill of an earlier attempt.
            filled_e9 = min(max(0, filled_e9), orders[key].size_e9)
        assert 0 <= filled_e9 <= orders[key].size_e9
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
        "fills": state.fills + (1 if fact.filled_e9 > 0 else -1),
    }


_OFTEN: dict[type[e.Fact], Callable[[GridState, Any, int], GridState]] = {
    e.PriceSeen: _price_seen,
    e.OrdersWanted: _orders_wanted,
    e.OrderGone: _order_gone,
    e.CellChanged: _cell_changed,
}
"""What nearly all events of a log are: found at once, not after every rare one was asked for."""
