"""What an order's fills and its end do to a grid."""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.grid import stops, window
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.evolve import find
from gridkeeper_core.grid.state import NO_CELL, GridState
from gridkeeper_core.grid.triggers import reference_e6
from gridkeeper_core.units import E9, NS_PER_S

RETRY_LONGEST_S = 60
TURNED_AWAY = ("not_placed", "failed", "expired", "venue")
"""Ways an order can end that call for waiting before the same order is wanted again."""
WITHDRAWN = "WITHDRAWN"
"""Execution's answer when an order was unwanted again before it was ever attempted."""

Fill = e.OrderFilled | e.FillProven


def filled(d: Decision, fact: Fill) -> frozenset[int]:
    """A fill moves its cell, or the position outside of cells. Returns the cells that changed."""
    is_disturbed = _is_late(fact) or fact.cell in d.state.disturbed
    if wrong := _over_filled(d.state, fact, is_disturbed=is_disturbed):
        return _faulted(d, fact.intent_id, wrong)
    cell = d.state.place_of(fact.cell) if fact.cell != NO_CELL else None
    room_e9 = _room_e9(d.state, cell, fact) if cell is not None else 0
    if cell is None or (room_e9 < fact.base_e9 and d.state.names.number(cell) != fact.cell):
        d.add(_outside(fact))  # of no cell; or its cell was given up, and the heir has no room for it
        stops.fired(d, fact.intent_id)
        return window.NO_CELLS
    if room_e9 >= fact.base_e9:
        return _into_cell(d, cell, fact)
    if is_disturbed:
        return _as_far_as_it_fits(d, cell, fact, room_e9)
    d.add(_outside(fact))  # it moved the position all the same, whatever is wrong with the cells
    return _faulted(d, fact.intent_id, f"cell {fact.cell} would hold {_held_after(d.state, cell, fact)}")


def _as_far_as_it_fits(d: Decision, cell: int, fact: Fill, room_e9: int) -> frozenset[int]:
    """An order that was thought over and the one in its place both filled: what the cell cannot take belongs to none.

    Both did happen, and the position is what they say.
    """
    if room_e9 == 0:
        d.add(_outside(fact, cell=fact.cell))
        return window.NO_CELLS
    quote_e6, fee_e6 = fact.quote_e6 * room_e9 // fact.base_e9, fact.fee_e6 * room_e9 // fact.base_e9
    rest = replace(fact, base_e9=fact.base_e9 - room_e9, quote_e6=fact.quote_e6 - quote_e6, fee_e6=fact.fee_e6 - fee_e6)
    changed = _into_cell(d, cell, replace(fact, base_e9=room_e9, quote_e6=quote_e6, fee_e6=fee_e6))
    d.add(_outside(rest, cell=fact.cell))
    return changed


def _into_cell(d: Decision, cell: int, fact: Fill) -> frozenset[int]:
    held_e9 = _held_after(d.state, cell, fact)
    turned = fact.side == "sell" and held_e9 == 0
    d.add(
        e.CellChanged(
            cell=d.state.names.number(cell),
            held_e9=held_e9,
            cycle=d.state.cycles[cell] + turned,
            side=fact.side,
            filled_e9=fact.base_e9,
            price_e6=_price_e6(fact),
            quote_e6=fact.quote_e6,
            fee_e6=fact.fee_e6,
            intent_id=fact.intent_id,
            late=_is_late(fact),
        )
    )
    return frozenset((cell,))


def _held_after(state: GridState, cell: int, fact: Fill) -> int:
    return state.held_e9[cell] + (fact.base_e9 if fact.side == "buy" else -fact.base_e9)


def _room_e9(state: GridState, cell: int, fact: Fill) -> int:
    """How much of a fill the cell can take."""
    held_e9 = state.held_e9[cell]
    return state.sizes_e9[cell] - held_e9 if fact.side == "buy" else held_e9


def _is_late(fact: Fill) -> bool:
    return isinstance(fact, e.OrderFilled) and fact.late


def reverted(d: Decision, fact: e.FillReverted) -> frozenset[int]:
    """A fill is not part of the chain after all: its cell goes back, with cost and fee. Turns counted stay counted."""
    if fact.base_e9 == 0:
        return _faulted(d, fact.intent_id, "a fill was taken back, and how large it was is not known")
    base_e9 = -fact.base_e9 if fact.side == "buy" else fact.base_e9
    cell = d.state.place_of(fact.cell) if fact.cell != NO_CELL else None
    held_e9 = d.state.held_e9[cell] + base_e9 if cell is not None else 0
    if cell is None or not 0 <= held_e9 <= d.state.sizes_e9[cell]:
        # The cell traded on meanwhile: what is taken back belongs to none.
        d.add(_outside(fact, sign=-1, cell=fact.cell))
        return window.NO_CELLS
    d.add(
        e.CellChanged(
            cell=d.state.names.number(cell),
            held_e9=held_e9,
            cycle=d.state.cycles[cell],
            side=fact.side,
            filled_e9=-fact.base_e9,
            price_e6=_price_e6(fact),
            quote_e6=-fact.quote_e6,
            fee_e6=-fact.fee_e6,
            intent_id=fact.intent_id,
        )
    )
    return frozenset((cell,))


def closed(d: Decision, fact: e.OrderClosed | e.OrderRefused) -> frozenset[int]:
    """An order is not open any more. Returns the cells whose order may be wanted again."""
    why = fact.reason if isinstance(fact, e.OrderClosed) else fact.code
    key = find(d.state, fact.intent_id)
    # A filled order left with its last fill; what is under its intent now is a later one. Only a stop has no last fill.
    if key is None or (why == "filled" and key[0] not in stops.CODES):
        return window.NO_CELLS
    order = d.state.orders[key]
    waits = why in TURNED_AWAY if isinstance(fact, e.OrderClosed) else why != WITHDRAWN
    waits = waits or (order.takes and not order.unwanted)
    at_e6 = reference_e6(d.state, d.newest) if d.newest is not None else 0
    tries = _tries_before(d.state, key, why, at_e6) + 1 if waits else 0
    pause_s = min(2**tries, RETRY_LONGEST_S) if waits else 0
    not_before_ns = d.now_ns + pause_s * NS_PER_S if waits else 0
    d.add(e.OrderGone(intent_id=fact.intent_id, why=why, not_before_ns=not_before_ns, tries=tries, reference_e6=at_e6))
    cell = d.state.place_of(order.cell) if order.cell != NO_CELL else None
    return frozenset((cell,)) if cell is not None else window.NO_CELLS


def _tries_before(state: GridState, key: tuple[str, int], why: str, at_e6: int) -> int:
    """How often it was turned away; for a cell that was too much for the account, since the price last moved on."""
    retry = state.retries.get(key)
    if retry is None:
        return 0
    if key[1] == NO_CELL or why not in window.BEYOND_THE_ACCOUNT:
        return retry.tries
    has_moved = abs(at_e6 - retry.price_e6) >= window.retry_move_e6(state, key, retry)
    return 0 if has_moved else retry.tries


def _over_filled(state: GridState, fact: Fill, *, is_disturbed: bool) -> str:
    """What is wrong with a fill, "" when nothing is: the parts of an order never come to more than the order.

    An intent may come to more where an order of it filled that was thought over.
    """
    if isinstance(fact, e.OrderFilled) and fact.cumulative_e9 > fact.size_e9:
        return f"filled {fact.cumulative_e9} of {fact.size_e9}"
    if is_disturbed:
        return ""
    key = find(state, fact.intent_id)
    if key is not None and state.orders[key].filled_e9 + fact.base_e9 > state.orders[key].size_e9:
        return "a fill exceeds its order"
    return ""


def _faulted(d: Decision, at_cause: str, detail: str) -> frozenset[int]:
    d.add(e.GridFaulted(at_cause=at_cause, detail=detail))
    return window.NO_CELLS


def _outside(fact: Fill | e.FillReverted, sign: int = 1, cell: int = NO_CELL) -> e.PositionReduced:
    return e.PositionReduced(
        intent_id=fact.intent_id,
        side=fact.side,
        filled_e9=sign * fact.base_e9,
        price_e6=_price_e6(fact),
        quote_e6=sign * fact.quote_e6,
        fee_e6=sign * fact.fee_e6,
        cell=cell,
    )


def _price_e6(fact: Fill | e.FillReverted) -> int:
    return fact.price_e6 if isinstance(fact, e.OrderFilled) else fact.quote_e6 * E9 // fact.base_e9
