"""Folds what the rules of a grid record about levels, reducing, peak, day, moves and flags."""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.grid.cells import cells_of
from gridkeeper_core.grid.levels import capital_e6
from gridkeeper_core.grid.memory import Memory, Note
from gridkeeper_core.grid.naming import Names
from gridkeeper_core.grid.state import NO_CELL, GridState
from gridkeeper_core.grid.window import BEYOND_THE_ACCOUNT

RuleFact = (
    e.GridEdited
    | e.LevelsShifted
    | e.ReducingStarted
    | e.ReducingDone
    | e.PeakRaised
    | e.DayBegan
    | e.PumpSeen
    | e.GridFlagged
    | e.EditProposed
    | e.EditRefused
    | e.SlotsNeeded
    | e.CollateralSeen
    | e.PositionDoubted
)


def fold(state: GridState, fact: RuleFact, ts_ns: int) -> GridState:
    """The state after one of these facts."""
    match fact:
        case e.GridEdited():
            return _edited(state, fact, ts_ns)
        case e.LevelsShifted():
            return _shifted(state, fact)
        case e.PeakRaised():
            return replace(state, risk_base_e6=fact.peak_e6)
        case e.GridFlagged():
            real = {key: order for key, order in state.orders.items() if not order.shadow}
            return replace(state, orders=real, memory=_remembered(state, fact, ts_ns))
        case e.EditProposed():
            return replace(state, pending=fact)
        case e.EditRefused():
            return replace(state, pending=None)
        case e.SlotsNeeded():
            return replace(state, slots=fact.slots)
        case e.PositionDoubted():
            return replace(state, beside_e9=fact.beside_e9)
        case e.CollateralSeen():
            left = {key: retry for key, retry in state.retries.items() if retry.why not in BEYOND_THE_ACCOUNT}
            return replace(state, retries=left)
        case _:
            return replace(state, memory=_remembered(state, fact, ts_ns))


def _remembered(
    state: GridState,
    fact: e.ReducingStarted | e.ReducingDone | e.DayBegan | e.PumpSeen | e.GridFlagged,
    ts_ns: int,
) -> Memory:
    memory = state.memory
    match fact:
        case e.ReducingStarted():
            is_done = fact.why == "range"
            return replace(memory, reduce_to_e9=fact.target_e9, left_paused=memory.left_paused and not is_done)
        case e.ReducingDone():
            return replace(memory, reduce_to_e9=None)
        case e.DayBegan():
            return replace(memory, day=fact.day, day_base_e6=fact.base_e6)
        case e.PumpSeen():
            return replace(memory, pump_until_ns=fact.until_ns, notes=(Note(ts_ns, fact.price_e6),))
        case e.GridFlagged():
            return replace(memory, flag=fact.flag, flag_until_ns=fact.until_ns, size_share_e4=fact.size_share_e4)


def _edited(state: GridState, fact: e.GridEdited, ts_ns: int) -> GridState:
    names = state.names
    turned: dict[int, int] = {}
    if fact.cells:
        old_count = len(state.sizes_e9)
        turned = {names.number(place): state.cycles[place] for place in range(old_count)}
        moves = {move.source: move.target for move in fact.moves}
        open_cells = (order.cell for order in state.orders.values() if order.cell != NO_CELL)
        # A name that was ever in use is never given again, also when the newest cells are dropped.
        names = replace(names, unused=names.next_unused(old_count)).renamed(fact.cells, moves, open_cells)
    cycles = [turned.get(number, 0) for number in names.all(len(fact.sizes_e9))]
    memory = replace(
        state.memory,
        relaid_ns=ts_ns,
        compounded_e6=fact.compounded_e6,
        unplaced_e9=_unplaced_e9(state, fact) if fact.why == "restart" else state.memory.unplaced_e9,
    )
    known = set(names.all(len(fact.sizes_e9)))
    edited = replace(
        state,
        config=fact.config,
        source=fact.source,
        levels_e6=fact.levels_e6,
        cells=cells_of(fact.sizes_e9, fact.held_e9, cycles),
        start_held_e9=state.start_held_e9 + sum(fact.held_e9) - state.held_e9.total,
        names=names,
        last_roll_ns=0,
        low_index=fact.low_index,
        slots=max(state.slots, fact.config.order_slots),
        pending=None if fact.why == "edit" else state.pending,
        memory=memory,
        retries={key: retry for key, retry in state.retries.items() if key[1] in known or key[1] == NO_CELL},
    )
    if fact.why != "edit" or state.price is None:
        return edited
    return replace(edited, capital_e6=capital_e6(fact.config, fact.levels_e6, fact.sizes_e9, state.price.oracle_e6))


def _unplaced_e9(state: GridState, fact: e.GridEdited) -> int:
    """What was traded outside of cells and no cell could take over: a long grid's cells cannot hold a short."""
    if state.config.direction == "neutral":
        return 0
    grown_e9 = sum(fact.sizes_e9) - sum(state.sizes_e9) if state.config.direction == "short" else 0
    return state.memory.unplaced_e9 - (sum(fact.held_e9) - state.held_e9.total - grown_e9)


def _shifted(state: GridState, fact: e.LevelsShifted) -> GridState:
    count = len(state.sizes_e9)
    numbers, sizes, held, cycles = (
        list(state.names.all(count)),
        list(state.sizes_e9),
        list(state.held_e9),
        list(state.cycles),
    )
    levels = list(state.levels_e6)
    is_up = fact.where == "up"
    content, turns = 0, 0
    if not fact.grew:
        old = 0 if is_up else count - 1
        content, turns = held.pop(old), cycles.pop(old)
        sizes.pop(old)
        numbers.pop(old)
        levels.pop(0 if is_up else -1)
    before = content
    content = content if fact.held_e9 is None else fact.held_e9
    at = len(numbers) if is_up else 0
    numbers.insert(at, fact.cell)
    sizes.insert(at, fact.size_e9)
    held.insert(at, content)
    cycles.insert(at, turns)
    levels.insert(len(levels) if is_up else 0, fact.level_e6)
    moved = 0 if fact.grew else 1
    unused = max(state.names.next_unused(count), fact.cell + 1)
    return replace(
        state,
        levels_e6=tuple(levels),
        cells=cells_of(sizes, held, cycles),
        start_held_e9=state.start_held_e9 + content - before,
        names=Names(
            numbers=tuple(numbers),
            places={number: place for place, number in enumerate(numbers)},
            heirs=state.names.heirs,
            unused=unused,
        ),
        low_index=state.low_index + (moved if is_up else -1),
    )
