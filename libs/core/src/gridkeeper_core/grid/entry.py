"""How a long or short grid gets its first position, and how its cells are scaled to what was got."""

from __future__ import annotations

import msgspec

from gridkeeper_core import events as e
from gridkeeper_core.grid import window
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import ENTRY, NO_CELL, GridState
from gridkeeper_core.grid.taking import best_maker_e6, worst_taker_e6
from gridkeeper_core.grid.triggers import reference_e6
from gridkeeper_core.market import MarketSpec, round_down_to
from gridkeeper_core.names import intent_id
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import NS_PER_S

FOLLOW_EVERY_NS = 2 * NS_PER_S
KEY = ("entry", NO_CELL)


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Cells when their levels go live; `lots_e9` (signed) is how the position is spread over them."""

    sizes_e9: tuple[int, ...]
    held_e9: tuple[int, ...]
    lots_e9: tuple[int, ...]


def check(d: Decision, newest: Price) -> window.Change:
    """Bring the entry forward: place its order, follow the price, give up at the timeout, or let the levels go live."""
    state = d.state
    order = state.orders.get(KEY)
    is_over = d.now_ns >= state.opened_ns + state.config.entry_timeout_ns
    if order is not None:
        why = "timeout" if is_over else "follow" if _is_left_behind(d, order.price_e6, order.wanted_ns, newest) else ""
        if why and not order.unwanted:
            return window.Change(unwanted=(e.UnwantedOrder(intent_id=order.intent_id, why=why),))
        return window.Change()
    assert state.spec is not None
    left_e9 = abs(state.entry_e9 - state.reduced_e9)
    if is_over or left_e9 < state.spec.minimum_e9:
        _finish(d, "adopted" if state.entry_e9 == 0 else "timeout" if is_over else "filled")
        return window.Change()
    if window.must_wait(state, KEY, reference_e6(state, newest), d.now_ns):
        return window.Change()
    return window.Change(wanted=(_order(state, newest, round_down_to(left_e9, state.spec.step_e9)),))


def next_look_ns(state: GridState, now_ns: int) -> int:
    """When time alone moves an entry forward (0 = never)."""
    moments = [state.opened_ns + state.config.entry_timeout_ns]
    moments += [order.wanted_ns + FOLLOW_EVERY_NS for key, order in state.orders.items() if key == KEY]
    moments += [retry.not_before_ns for key, retry in state.retries.items() if key == KEY]
    return min((m for m in moments if m > now_ns), default=0)


def is_next(state: GridState) -> bool:
    """Whether nothing but the entry keeps the levels from going live."""
    return len(state.pauses) == 1 and ENTRY in state.pauses and state.status == "open"


def scaled(state: GridState, got_e9: int) -> Start:
    """The cells for a position of `got_e9` (not negative): as planned, or all sizes scaled down in proportion.

    What rounding to the step leaves over goes to the cells nearest to the price, a step each, so that the cells of the
    position hold all of it.
    """
    assert state.spec is not None
    sizes, held = state.sizes_e9, tuple(state.held_e9)
    is_long = state.config.direction == "long"
    gap = next((cell for cell, part in enumerate(held) if part), len(held))
    nearest_first = range(gap, len(sizes)) if is_long else range(gap - 1, -1, -1)
    target_e9 = sum(sizes[cell] for cell in nearest_first)
    if got_e9 < target_e9:
        sizes = _in_proportion(sizes, got_e9, target_e9, nearest_first, state.spec)
    held = tuple(size if cell >= gap else 0 for cell, size in enumerate(sizes))
    lots = held if is_long else tuple(part - size for part, size in zip(held, sizes, strict=True))
    return Start(sizes_e9=sizes, held_e9=held, lots_e9=lots)


def _in_proportion(
    sizes: tuple[int, ...], got_e9: int, target_e9: int, nearest_first: range, spec: MarketSpec
) -> tuple[int, ...]:
    step_e9 = spec.step_e9
    cut = [round_down_to(size * got_e9 // target_e9, step_e9) for size in sizes]
    over = (got_e9 - sum(cut[cell] for cell in nearest_first)) // step_e9
    for cell in nearest_first[:over]:
        cut[cell] += step_e9
    return tuple(cut)


def _finish(d: Decision, why: str) -> None:
    state = d.state
    assert state.spec is not None
    start = scaled(state, abs(state.start_position_e9 + state.reduced_e9))
    smallest_e9 = min(start.sizes_e9)
    if smallest_e9 < state.spec.minimum_e9:
        reason = f"the entry got {state.reduced_e9} of {state.entry_e9} (1e-9): a cell would be {smallest_e9}"
        close = state.start_position_e9 == 0
        d.add(e.GridStopping(close=close, author="gridkeeper", reason=reason, code="ENTRY_TOO_SMALL"))
        return
    d.add(
        e.EntryDone(
            sizes_e9=start.sizes_e9,
            held_e9=start.held_e9,
            lots_e9=start.lots_e9,
            base_e9=state.reduced_e9,
            quote_e6=state.cash_e6 + state.fees_e6,
            fee_e6=state.fees_e6,
            why=why,
        )
    )


def _is_left_behind(d: Decision, price_e6: int, wanted_ns: int, newest: Price) -> bool:
    state = d.state
    if state.config.entry == "taker" or d.now_ns < wanted_ns + FOLLOW_EVERY_NS:
        return False
    return price_e6 != best_maker_e6(state, "buy" if state.entry_e9 > 0 else "sell", newest)


def _order(state: GridState, newest: Price, size_e9: int) -> e.WantedOrder:
    side: e.Side = "buy" if state.entry_e9 > 0 else "sell"
    takes = state.config.entry == "taker"
    return e.WantedOrder(
        intent_id=intent_id(state.grid_id, "entry", 0, state.entries),
        kind="entry",
        cell=NO_CELL,
        side=side,
        price_e6=worst_taker_e6(state, side, newest) if takes else best_maker_e6(state, side, newest),
        size_e9=size_e9,
        post_only="none" if takes else "try",
        lasts_ns=state.config.order_life_ns,
        immediate_or_cancel=takes,
    )
