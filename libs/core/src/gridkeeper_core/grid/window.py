"""Which orders should rest now: the nearest eligible ones of each side, with hysteresis so that they seldom move."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice

import msgspec
from msgspec.structs import replace

from gridkeeper_core.events import OrdersWanted, Side, UnwantedOrder, WantedOrder
from gridkeeper_core.grid import budget, renewal
from gridkeeper_core.grid.state import GridState, LiveOrder, Retry
from gridkeeper_core.market import round_down_to
from gridkeeper_core.names import intent_id
from gridkeeper_core.units import E4

NO_CELLS: frozenset[int] = frozenset()
NO_KEYS: frozenset[tuple[str, int]] = frozenset()
BEYOND_THE_ACCOUNT = frozenset(("MARGIN", "LIMIT_MARKET", "LIMIT_GROSS", "LIMIT_COLLATERAL"))
"""Why execution refuses what would be too much for the account."""
TAKEN_AT_ONCE = 8
"""How many missed cells of a side take at the market in one decision."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The order changes that are due; `roll_at_ns` is when a roll that is held back may happen (0 = none is).

    `over_budget` says that a roll or a renewal was left out because the day's SOL is spent.
    """

    unwanted: tuple[UnwantedOrder, ...] = ()
    wanted: tuple[WantedOrder, ...] = ()
    rolled: bool = False
    roll_at_ns: int = 0
    over_budget: bool = False

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
    changed |= renewal.to_place(state)
    resting = _resting(state)
    buys = _look(state, "buy", resting["buy"], reference_e6, now_ns, changed)
    sells = _look(state, "sell", resting["sell"], reference_e6, now_ns, changed)
    is_broke = budget.is_out(state, now_ns)
    worn = renewal.due(state, now_ns)
    unwanted = _resized(state, now_ns) + ([] if is_broke else worn)
    roll_at_ns = state.last_roll_ns + state.config.roll_interval_ns
    is_due = (buys.due or sells.due) and (now_ns >= roll_at_ns or buys.empty or sells.empty)
    rolled = is_due and not is_broke
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
    if state.config.missed == "take":
        wanted += _taken(state, wanted, reference_e6, now_ns)
    if wanted:
        wanted = _within_cap(state, (*resting["buy"], *resting["sell"]), wanted, unwanted)
    waits = (buys.due or sells.due) and not is_due
    return Change(
        unwanted=tuple({u.intent_id: u for u in unwanted}.values()) if unwanted else (),
        wanted=tuple(wanted),
        rolled=rolled and bool(wanted or unwanted),
        roll_at_ns=roll_at_ns if waits else 0,
        over_budget=is_broke and (is_due or bool(worn)),
    )


def joined(first: Change, then: Change) -> Change:
    """Two changes as one: what the first wants comes before the rest."""
    if first.is_empty:
        return then
    return replace(then, unwanted=first.unwanted + then.unwanted, wanted=first.wanted + then.wanted)


def next_look_ns(state: GridState, change: Change, now_ns: int) -> int:
    """The next moment at which time alone changes the plan (0 = never); `state` is the one after `change`."""
    moments = [change.roll_at_ns]
    moments += [retry.not_before_ns for retry in state.retries.values()]
    moments.append(renewal.next_ns(state, now_ns))
    moments += [order.wanted_ns + state.config.resize_after_ns for order in _short(state)]
    return min((m for m in moments if m > now_ns), default=0)


def everything_unwanted(state: GridState, why: str, stays: tuple[str, ...] = ()) -> Change:
    """All orders are to go but those of the kinds that stay."""
    gone = (o for o in state.orders.values() if not o.unwanted and o.kind not in stays)
    return Change(unwanted=tuple(UnwantedOrder(intent_id=o.intent_id, why=why) for o in gone))


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
        shadow=state.memory.flag == "shadow" and state.status == "open",
    )


def per_side(live_orders: int) -> tuple[int, int]:
    """How many buys and sells may be live; the odd one is a buy."""
    return (live_orders + 1) // 2, live_orders // 2


def candidates(state: GridState, side: Side, reference_e6: int) -> Iterator[int]:
    """Cells that want an order of this side on its passive side of the price, nearest first."""
    if side == "buy":
        return _wanting(state, side, bisect_left(state.levels_e6, reference_e6) - 1, rising=False)
    return _wanting(state, side, max(bisect_right(state.levels_e6, reference_e6) - 1, 0), rising=True)


def crossed(state: GridState, side: Side, reference_e6: int) -> Iterator[int]:
    """Cells that want an order of this side where the price has passed already, nearest first."""
    if side == "buy":
        return _wanting(state, side, bisect_left(state.levels_e6, reference_e6), rising=True)
    return _wanting(state, side, bisect_right(state.levels_e6, reference_e6) - 2, rising=False)


def _wanting(state: GridState, side: Side, first: int, *, rising: bool) -> Iterator[int]:
    """Cells that want an order of this side, from `first` on, upwards or downwards."""
    assert state.spec is not None
    row, minimum_e9 = state.cells.room_e9 if side == "buy" else state.cells.held_e9, state.spec.minimum_e9
    found = row.rising(first, minimum_e9) if rising else row.falling(first, minimum_e9)
    dust = [cell for cell in _dust(state, side) if (cell >= first if rising else cell <= first)]
    return iter(sorted((*found, *dust), reverse=not rising)) if dust else found


def _dust(state: GridState, side: Side) -> list[int]:
    """Cells of which neither part is as large as the market's minimum, where this side makes the position smaller.

    A partly filled order that is taken away leaves them. The venue takes an order that small if it only reduces, and
    with it the cell is whole again. Where all cells are twice the minimum there are none.
    """
    assert state.spec is not None
    minimum_e9, cells = state.spec.minimum_e9, state.cells
    if cells.smallest_e9 >= 2 * minimum_e9 or (state.position_e9 <= 0 if side == "sell" else state.position_e9 >= 0):
        return []
    parts = zip(cells.held_e9, cells.room_e9, strict=True)
    return [cell for cell, (held, room) in enumerate(parts) if 0 < held < minimum_e9 and 0 < room < minimum_e9]


def order_price_e6(state: GridState, side: Side, cell: int) -> int:
    """A cell buys at its lower level and sells at its upper one."""
    return state.levels_e6[cell] if side == "buy" else state.levels_e6[cell + 1]


def target_e9(state: GridState, side: Side, cell: int) -> int:
    """How much a cell wants to buy or sell: its empty or its held part."""
    return state.cells.room_e9[cell] if side == "buy" else state.held_e9[cell]


def wanted_now_e9(state: GridState, order: LiveOrder) -> int:
    """How much the cell of an order wants on its side; 0 when the cell was given up."""
    place = state.names.place(order.cell, len(state.sizes_e9))
    return target_e9(state, order.side, place) if place is not None else 0


def strays(state: GridState) -> list[UnwantedOrder]:
    """Orders that do not fit the cells as they were laid anew: cell given up, price moved, or more than it wants."""
    return [
        UnwantedOrder(intent_id=order.intent_id, why="edit")
        for order in state.orders.values()
        if not order.unwanted and order.kind in ("buy", "sell") and not _fits(state, order)
    ]


def surplus(state: GridState, leaving: Collection[str], reference_e6: int) -> list[UnwantedOrder]:
    """Orders beyond `live_orders` where settings allow fewer than before: the farthest go. `leaving` go already."""
    staying = [
        order
        for order in state.orders.values()
        if not order.unwanted and order.kind in ("buy", "sell") and order.intent_id not in leaving
    ]
    over = max(len(staying) - state.config.live_orders, 0)
    farthest = sorted(staying, key=lambda order: (abs(order.price_e6 - reference_e6), order.side), reverse=True)
    return [UnwantedOrder(intent_id=order.intent_id, why="window") for order in farthest[:over]]


def _fits(state: GridState, order: LiveOrder) -> bool:
    place = state.names.place(order.cell, len(state.sizes_e9))
    if place is None or order.price_e6 != order_price_e6(state, order.side, place):
        return False
    return order.left_e9 <= target_e9(state, order.side, place)


def _resting(state: GridState) -> dict[str, list[LiveOrder]]:
    """The window's orders that stay, by side. Asked for at every decision: one loop is all that looks at each."""
    found: dict[str, list[LiveOrder]] = {"buy": [], "sell": []}
    for order in state.orders.values():
        if not order.unwanted and order.kind in found:
            found[order.kind].append(order)
    return found


def _look(
    state: GridState, side: Side, live: list[LiveOrder], reference_e6: int, now_ns: int, changed: frozenset[int]
) -> _Side:
    buy_count, sell_count = per_side(state.config.live_orders)
    count = buy_count if side == "buy" else sell_count
    slack = state.config.hysteresis
    ranked = list(islice(candidates(state, side, reference_e6), count + slack))
    nearest = ranked[:count]
    orders = state.orders
    missing = [k for k, n in zip(nearest, state.names.numbers_of(nearest), strict=True) if (side, n) not in orders]
    if missing:
        missing = _placeable(state, side, missing, reference_e6, now_ns)
    extra = _beyond(state, live, side, nearest, count)
    too_far = _beyond(state, live, side, ranked, count + slack) if slack else extra
    core = nearest[: max(count - slack, 1)]
    urgent = bool([k for k in missing if k not in changed and k in core])
    is_empty = bool(missing) and not live
    return _Side(missing=tuple(missing), extra=tuple(extra), due=urgent or bool(too_far), empty=is_empty)


def _placeable(state: GridState, side: Side, cells: list[int], reference_e6: int, now_ns: int) -> list[int]:
    """The cells without an order that may get one now: no other order is at their price, nothing has to be awaited."""
    taken = {order.price_e6 for order in state.orders.values()}
    held_back = state.renewing if state.renewing and renewal.is_under_way(state) else NO_KEYS
    return [
        k
        for k in cells
        if (key := (side, state.names.number(k))) not in held_back
        and order_price_e6(state, side, k) not in taken
        and not must_wait(state, key, reference_e6, now_ns)
    ]


def _beyond(state: GridState, live: list[LiveOrder], side: Side, nearest: list[int], count: int) -> list[LiveOrder]:
    """Live orders farther away than the farthest of a full set of nearest cells."""
    if len(nearest) < count or not nearest:
        return []
    edge_e6 = order_price_e6(state, side, nearest[-1])
    return [o for o in live if (o.price_e6 < edge_e6 if side == "buy" else o.price_e6 > edge_e6)]


def must_wait(state: GridState, key: tuple[str, int], reference_e6: int, now_ns: int) -> bool:
    """An order that was turned away waits for time to pass or for the price to move far enough."""
    retry = state.retries.get(key)
    if retry is None or now_ns >= retry.not_before_ns:
        return False
    return abs(reference_e6 - retry.price_e6) < retry_move_e6(state, key, retry)


def retry_move_e6(state: GridState, key: tuple[str, int], retry: Retry) -> int:
    """How far the price has to move to make up for what an order was turned away for: a tick, or its cell's width.

    What the account cannot carry it can carry no more a tick away.
    """
    assert state.spec is not None
    place = state.names.place(key[1], len(state.sizes_e9)) if retry.why in BEYOND_THE_ACCOUNT else None
    if place is None:
        return state.spec.tick_e6
    return state.levels_e6[place + 1] - state.levels_e6[place]


def retry_band(state: GridState, at_e6: int, since_ns: int) -> tuple[int, int]:
    """Prices strictly inside begin or end no order's wait; `at_e6` is the price at `since_ns`.

    A wait whose time is over never begins again; one that the price moved away from does when it comes back.
    """
    low_e6, high_e6 = 0, 2**63 - 1
    for key, retry in state.retries.items():
        if retry.not_before_ns <= since_ns:
            continue
        move_e6 = retry_move_e6(state, key, retry)
        below_e6, above_e6 = retry.price_e6 - move_e6, retry.price_e6 + move_e6
        if at_e6 <= below_e6:
            high_e6 = min(high_e6, below_e6 + 1)
        elif at_e6 >= above_e6:
            low_e6 = max(low_e6, above_e6 - 1)
        else:
            low_e6, high_e6 = max(low_e6, below_e6), min(high_e6, above_e6)
    return low_e6, high_e6


def _resized(state: GridState, now_ns: int) -> list[UnwantedOrder]:
    """Orders smaller than what their cell wants by now."""
    due = (order for order in _short(state) if _resize_is_due(state, order, now_ns))
    return [UnwantedOrder(intent_id=order.intent_id, why="resize") for order in due]


def _short(state: GridState) -> list[LiveOrder]:
    """Live orders that carry less than their cell wants on their side."""
    # An order as large as its cell is never too small: nearly all are, and need no look at what the cell holds. Cells
    # that were never laid anew are numbered by their places.
    sizes_e9, orders = state.cells.sizes_e9, state.orders.values()
    found = orders if state.names.numbers else [o for o in orders if o.size_e9 - o.filled_e9 < sizes_e9[o.cell]]
    return [
        order
        for order in found
        if not order.unwanted and order.kind in ("buy", "sell") and wanted_now_e9(state, order) > order.left_e9
    ]


def _resize_is_due(state: GridState, order: LiveOrder, now_ns: int) -> bool:
    source = state.orders.get(("sell" if order.side == "buy" else "buy", order.cell))
    source_is_partly_filled = source is not None and source.filled_e9 > 0
    return not source_is_partly_filled or now_ns - order.wanted_ns >= state.config.resize_after_ns


def _merge(state: GridState, buys: Iterable[int], sells: Iterable[int], reference_e6: int) -> list[WantedOrder]:
    """The orders for these cells, nearest to the price first (a buy first when equally near)."""
    wanted = [_order(state, "buy", k) for k in buys] + [_order(state, "sell", k) for k in sells]
    if len(wanted) < 2:
        return wanted
    return sorted(wanted, key=lambda o: (abs(o.price_e6 - reference_e6), o.side))


def _order(state: GridState, side: Side, cell: int) -> WantedOrder:
    assert state.spec is not None
    number, size_e9 = state.names.number(cell), target_e9(state, side, cell)
    return WantedOrder(
        intent_id=intent_id(state.grid_id, side, number, state.cycles[cell]),
        kind=side,
        cell=number,
        side=side,
        price_e6=order_price_e6(state, side, cell),
        size_e9=size_e9,
        reduce_only=size_e9 < state.spec.minimum_e9,
        lasts_ns=state.config.order_life_ns,
    )


def _taken(state: GridState, wanted: list[WantedOrder], reference_e6: int, now_ns: int) -> list[WantedOrder]:
    """What cells that the price went over take from the market at once, never at a worse price than their own."""
    assert state.spec is not None
    tick_e6, slip_e6 = state.spec.tick_e6, reference_e6 * state.config.slippage_e4 // E4
    worst_e6 = {
        "buy": round_down_to(reference_e6 + slip_e6, tick_e6),
        "sell": -round_down_to(slip_e6 - reference_e6, tick_e6),
    }
    known = {(order.side, order.cell) for order in wanted} | state.orders.keys()
    found = []
    better: tuple[tuple[Side, Callable[[int, int], int]], ...] = (("buy", min), ("sell", max))
    for side, best in better:
        for cell in islice(crossed(state, side, reference_e6), TAKEN_AT_ONCE):
            order = _order(state, side, cell)
            if (side, order.cell) in known or must_wait(state, (side, order.cell), reference_e6, now_ns):
                continue
            price_e6 = best(order.price_e6, worst_e6[side])
            found.append(replace(order, price_e6=price_e6, post_only="none", immediate_or_cancel=True))
    return found


def _within_cap(
    state: GridState, resting: Iterable[LiveOrder], wanted: list[WantedOrder], unwanted: list[UnwantedOrder]
) -> list[WantedOrder]:
    """Never more than `live_orders` at once: orders on their way out count until this decision sends them away."""
    leaving = {u.intent_id for u in unwanted}
    staying = [o for o in resting if o.intent_id not in leaving]
    return wanted[: max(state.config.live_orders - len(staying), 0)]
