"""Which orders should rest now: the nearest eligible ones of each side, with hysteresis so that they seldom move."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

import msgspec

from gridkeeper_core.events import OrdersWanted, Side, UnwantedOrder, WantedOrder
from gridkeeper_core.grid.state import GridState, LiveOrder
from gridkeeper_core.names import intent_id

NO_CELLS: frozenset[int] = frozenset()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The order changes that are due; `roll_at_ns` is when a roll that is held back may happen (0 = none is)."""

    unwanted: tuple[UnwantedOrder, ...] = ()
    wanted: tuple[WantedOrder, ...] = ()
    rolled: bool = False
    roll_at_ns: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done now."""
        return not self.unwanted and not self.wanted


class _Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side's view: candidate cells nearest first, which of them lack an order, which orders lie too far away."""

    missing: tuple[int, ...]
    extra: tuple[LiveOrder, ...]
    due: bool
    empty: bool


def plan(state: GridState, reference_e6: int, now_ns: int, changed: frozenset[int]) -> Change:
    """What to change so that the live window is right around `reference_e6` (1e-6).

    `changed` are cells whose content or order changed by this very input: their orders do not wait for a roll.
    """
    buys = _look(state, "buy", reference_e6, now_ns, changed)
    sells = _look(state, "sell", reference_e6, now_ns, changed)
    unwanted = _worn(state, now_ns)
    roll_at_ns = state.last_roll_ns + state.config.roll_interval_ns
    rolled = (buys.due or sells.due) and (now_ns >= roll_at_ns or buys.empty or sells.empty)
    if rolled:
        unwanted += [UnwantedOrder(intent_id=o.intent_id, why="window") for o in (*buys.extra, *sells.extra)]
        wanted = _merge(state, buys.missing, sells.missing, reference_e6)
    else:
        wanted = _merge(
            state,
            [k for k in buys.missing if k in changed],
            [k for k in sells.missing if k in changed],
            reference_e6,
        )
    wanted = _within_cap(state, wanted, unwanted)
    waits = (buys.due or sells.due) and not rolled
    return Change(
        unwanted=tuple({u.intent_id: u for u in unwanted}.values()),
        wanted=tuple(wanted),
        rolled=rolled and bool(wanted or unwanted),
        roll_at_ns=roll_at_ns if waits else 0,
    )


def next_look_ns(state: GridState, change: Change, now_ns: int) -> int:
    """The next moment at which time alone changes the plan (0 = never); `state` is the one after `change`."""
    moments = [change.roll_at_ns]
    moments += [retry.not_before_ns for retry in state.retries.values()]
    life_ns = state.config.order_life_ns
    for order in state.orders.values():
        if order.unwanted or order.kind not in ("buy", "sell"):
            continue
        if life_ns:
            moments.append(order.wanted_ns + life_ns // 2)
        if target_e9(state, order.side, order.cell) > order.left_e9:
            moments.append(order.wanted_ns + state.config.resize_after_ns)
    return min((m for m in moments if m > now_ns), default=0)


def everything_unwanted(state: GridState, why: str) -> Change:
    """All orders are to go."""
    gone = (UnwantedOrder(intent_id=o.intent_id, why=why) for o in state.orders.values() if not o.unwanted)
    return Change(unwanted=tuple(gone))


def fact_of(state: GridState, change: Change, reference_e6: int, price_seq: int) -> OrdersWanted:
    """The fact that records a change."""
    return OrdersWanted(
        account=state.config.account,
        market=state.config.market,
        unwanted=change.unwanted,
        wanted=change.wanted,
        rolled=change.rolled,
        reference_e6=reference_e6,
        price_seq=price_seq,
    )


def per_side(live_orders: int) -> tuple[int, int]:
    """How many buys and sells may be live; the odd one is a buy."""
    return (live_orders + 1) // 2, live_orders // 2


def candidates(state: GridState, side: Side, reference_e6: int) -> Iterator[int]:
    """Cells that want an order of this side on its passive side of the price, nearest first."""
    assert state.spec is not None
    minimum_e9 = state.spec.minimum_e9
    levels, held, sizes = state.levels_e6, state.held_e9, state.sizes_e9
    if side == "buy":
        for cell in range(min(bisect_left(levels, reference_e6), len(sizes)) - 1, -1, -1):
            if sizes[cell] - held[cell] >= minimum_e9:
                yield cell
    else:
        for cell in range(max(bisect_right(levels, reference_e6) - 1, 0), len(sizes)):
            if held[cell] >= minimum_e9:
                yield cell


def order_price_e6(state: GridState, side: Side, cell: int) -> int:
    """A cell buys at its lower level and sells at its upper one."""
    return state.levels_e6[cell] if side == "buy" else state.levels_e6[cell + 1]


def target_e9(state: GridState, side: Side, cell: int) -> int:
    """How much a cell wants to buy or sell: its empty or its held part."""
    return state.sizes_e9[cell] - state.held_e9[cell] if side == "buy" else state.held_e9[cell]


def _look(state: GridState, side: Side, reference_e6: int, now_ns: int, changed: frozenset[int]) -> _Side:
    buy_count, sell_count = per_side(state.config.live_orders)
    count = buy_count if side == "buy" else sell_count
    slack = state.config.hysteresis
    ranked: list[int] = []
    for cell in candidates(state, side, reference_e6):
        ranked.append(cell)
        if len(ranked) == count + slack:
            break
    nearest = ranked[:count]
    taken = {o.price_e6 for o in state.orders.values()}
    missing = tuple(
        k
        for k in nearest
        if (side, k) not in state.orders
        and order_price_e6(state, side, k) not in taken
        and not _must_wait(state, (side, k), reference_e6, now_ns)
    )
    live = [o for o in state.orders.values() if o.kind == side and not o.unwanted]
    extra = _beyond(live, side, nearest, count)
    too_far = _beyond(live, side, ranked, count + slack)
    urgent = any(k in missing and k not in changed for k in nearest[: max(count - slack, 1)])
    return _Side(missing=missing, extra=tuple(extra), due=urgent or bool(too_far), empty=bool(missing) and not live)


def _beyond(live: list[LiveOrder], side: Side, nearest: list[int], count: int) -> list[LiveOrder]:
    """Live orders farther away than the farthest of a full set of nearest cells."""
    if len(nearest) < count or not nearest:
        return []
    edge = nearest[-1]
    return [o for o in live if (o.cell < edge if side == "buy" else o.cell > edge)]


def _must_wait(state: GridState, key: tuple[str, int], reference_e6: int, now_ns: int) -> bool:
    """An order that was turned away waits for time to pass or for the price to move by a tick."""
    retry = state.retries.get(key)
    if retry is None or now_ns >= retry.not_before_ns:
        return False
    assert state.spec is not None
    return abs(reference_e6 - retry.price_e6) < state.spec.tick_e6


def _worn(state: GridState, now_ns: int) -> list[UnwantedOrder]:
    """Orders to replace: old ones, or smaller than what their cell wants by now.

    At half of its life an order takes along all that are not much younger, so that a whole window is renewed in a few
    transactions instead of one by one.
    """
    orders = [o for o in state.orders.values() if not o.unwanted and o.kind in ("buy", "sell")]
    life_ns = state.config.order_life_ns
    oldest_ns = min((o.wanted_ns for o in orders), default=now_ns)
    is_renewal_due = life_ns > 0 and now_ns - oldest_ns >= life_ns // 2
    worn: list[UnwantedOrder] = []
    for order in orders:
        if is_renewal_due and now_ns - order.wanted_ns >= life_ns * 3 // 8:
            worn.append(UnwantedOrder(intent_id=order.intent_id, why="renew"))
        elif _resize_is_due(state, order, now_ns):
            worn.append(UnwantedOrder(intent_id=order.intent_id, why="resize"))
    return worn


def _resize_is_due(state: GridState, order: LiveOrder, now_ns: int) -> bool:
    if target_e9(state, order.side, order.cell) <= order.left_e9:
        return False
    source = state.orders.get(("sell" if order.side == "buy" else "buy", order.cell))
    source_is_partly_filled = source is not None and source.filled_e9 > 0
    return not source_is_partly_filled or now_ns - order.wanted_ns >= state.config.resize_after_ns


def _merge(state: GridState, buys: Iterable[int], sells: Iterable[int], reference_e6: int) -> list[WantedOrder]:
    """The orders for these cells, nearest to the price first (a buy first when equally near)."""
    wanted = [_order(state, "buy", k) for k in buys] + [_order(state, "sell", k) for k in sells]
    return sorted(wanted, key=lambda o: (abs(o.price_e6 - reference_e6), o.side))


def _order(state: GridState, side: Side, cell: int) -> WantedOrder:
    return WantedOrder(
        intent_id=intent_id(state.grid_id, side, cell, state.cycles[cell]),
        kind=side,
        cell=cell,
        side=side,
        price_e6=order_price_e6(state, side, cell),
        size_e9=target_e9(state, side, cell),
        lasts_ns=state.config.order_life_ns,
    )


def _within_cap(state: GridState, wanted: list[WantedOrder], unwanted: list[UnwantedOrder]) -> list[WantedOrder]:
    """Never more than `live_orders` at once: orders on their way out count until this decision sends them away."""
    leaving = {u.intent_id for u in unwanted}
    staying = sum(1 for o in state.orders.values() if not o.unwanted and o.intent_id not in leaving)
    return wanted[: max(state.config.live_orders - staying, 0)]
