"""Places orders on an account by Drift's checks, in the program's own order, or refuses the whole batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from gridkeeper_core.market import round_down_to
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue import margin
from gridkeeper_core.venue.errors import VenueCode, VenueError
from gridkeeper_core.venue.filling import BY_EXPIRY, cancel, with_position
from gridkeeper_core.venue.operations import MarketOperation
from gridkeeper_core.venue.records import CancelRecord, PlacedRecord, PlaceOrder
from gridkeeper_core.venue.state import MAX_OPEN_ORDERS, MAX_POSITIONS, Account, Market, Order, PerpPosition, slot_at

_MARKET_ORDER_LIFE_S = 30


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """The account after the batch, what was recorded, and the last order (None where it was passed over)."""

    account: Account
    records: tuple[PlacedRecord | CancelRecord, ...]
    last: Order | None
    increases_risk: bool


def place(
    account: Account, markets: Mapping[int, Market], wanted: Iterable[PlaceOrder], now_ns: int, sequence: int
) -> Placed:
    """Frees lapsed slots, then places each order; `sequence` is the first order's place in time.

    Raises VenueError. A `try` order that would cross uses up an order id and is otherwise passed over; one whose
    `max_ts` has passed is passed over. The margin is the caller's to check, before and after the batch.
    """
    account, records = _free_lapsed(account, now_ns // NS_PER_S)
    order = None
    risk = False
    for offset, item in enumerate(wanted):
        slot_index = _free_slot(account)
        _check_user_order_id(account, item.user_order_id)
        market = _open_market(markets, item.market_index)
        if len(markets) > MAX_POSITIONS:
            _check_position_slot(account, item.market_index)
        order = _order(account, market, item, now_ns, sequence + offset)
        if order is None:
            continue
        account = msgspec.structs.replace(account, next_order_id=account.next_order_id + 1)
        if not _is_valid(order, market, item):
            order = None
            continue
        risk = risk or _increases_risk(account, order)
        account = _with_slot(_with_place(account, item.market_index), slot_index, order)
        records.append(_record(order))
    return Placed(account=account, records=tuple(records), last=order, increases_risk=risk)


def check_standing(account: Account, markets: Mapping[int, Market]) -> None:
    """Raises VenueError 6125 or 6117 unless the account may place anything: neither bankrupt nor below its margin."""
    if account.is_bankrupt:
        raise VenueError(VenueCode.USER_BANKRUPT)
    if account.positions and margin.free_collateral_e6(account, markets, "maintenance") < 0:
        raise VenueError(VenueCode.USER_IS_BEING_LIQUIDATED)


def check_margin(placed: Placed, markets: Mapping[int, Market]) -> None:
    """Raises VenueError 6003 unless the account can carry its orders: initial margin where risk grows."""
    kind: margin.MarginKind = "initial" if placed.increases_risk else "maintenance"
    free_e6 = margin.free_collateral_e6(placed.account, markets, kind)
    if free_e6 < 0:
        raise VenueError(VenueCode.INSUFFICIENT_COLLATERAL, f"short of {-free_e6} e-6")


def _free_lapsed(account: Account, now_s: int) -> tuple[Account, list[PlacedRecord | CancelRecord]]:
    records: list[PlacedRecord | CancelRecord] = []
    for order in account.slots:
        if order.max_ts and order.has_lapsed(now_s):
            account, record = cancel(account, order, BY_EXPIRY)
            records.append(record)
    return account, records


def _free_slot(account: Account) -> int:
    for slot_index, order in enumerate(account.slots):
        if order.status != "open":
            return slot_index
    if len(account.slots) == MAX_OPEN_ORDERS:
        raise VenueError(VenueCode.MAX_NUMBER_OF_ORDERS)
    return len(account.slots)


def _check_user_order_id(account: Account, user_order_id: int) -> None:
    if not user_order_id:
        return
    for order in account.slots:
        if order.user_order_id == user_order_id and order.is_open:
            raise VenueError(VenueCode.USER_ORDER_ID_ALREADY_IN_USE, str(user_order_id))


def _check_position_slot(account: Account, market_index: int) -> None:
    """A market takes one of the account's slots while it has a position or an open order."""
    taken = {index for index, position in account.positions.items() if position.base_e9 or position.quote_asset_e6}
    taken |= {order.market_index for order in account.slots if order.is_open}
    if market_index not in taken and len(taken) >= MAX_POSITIONS:
        raise VenueError(VenueCode.MAX_NUMBER_OF_POSITIONS)


def _with_place(account: Account, market_index: int) -> Account:
    """A market that is given a place among the positions begins there with all counters at zero.

    It has none any more once it has no base, no quote and no open order (state/user.rs `PerpPosition::is_available`,
    controller/position.rs `add_new_position`): what it had settled until then is no longer counted.
    """
    position = account.position(market_index)
    if position.base_e9 or position.quote_asset_e6 or any(o.market_index == market_index for o in account.open_orders):
        return account
    fresh = PerpPosition(market_index=market_index)
    return account if position == fresh else with_position(account, fresh)


def _open_market(markets: Mapping[int, Market], market_index: int) -> Market:
    market = markets.get(market_index)
    if market is None:
        raise VenueError(VenueCode.PERP_MARKET_NOT_FOUND, str(market_index))
    if market.spec.status == "initialized":
        raise VenueError(VenueCode.MARKET_BEING_INITIALIZED)
    if market.spec.status in ("settlement", "delisted"):
        raise VenueError(VenueCode.MARKET_PLACE_ORDER_PAUSED)
    if market.oracle_e6 == 0:
        raise VenueError(VenueCode.ORACLE_NOT_FOUND, market.spec.symbol)
    return market


def _order(account: Account, market: Market, wanted: PlaceOrder, now_ns: int, sequence: int) -> Order | None:
    """The order as the program stores it: size down to the step, a buy's price down and a sell's up to the tick."""
    if wanted.size_e9 < market.spec.step_e9:
        raise VenueError(VenueCode.ORDER_AMOUNT_TOO_SMALL)
    now_s = now_ns // NS_PER_S
    max_ts = wanted.max_ts
    if not max_ts and wanted.order_type == "market":
        max_ts = now_s + _MARKET_ORDER_LIFE_S
    if max_ts and max_ts < now_s:
        return None
    price_e6 = _on_tick(wanted.price_e6, market.spec.tick_e6, down=wanted.side == "buy")
    crosses = wanted.order_type == "market" or (
        wanted.order_type == "limit" and wanted.post_only == "none" and market.crosses(wanted.side, price_e6)
    )
    return Order(
        order_id=account.next_order_id,
        user_order_id=wanted.user_order_id,
        market_index=wanted.market_index,
        side=wanted.side,
        price_e6=price_e6,
        size_e9=round_down_to(wanted.size_e9, market.spec.step_e9),
        post_only=wanted.post_only != "none",
        reduce_only=wanted.reduce_only or market.spec.status == "reduce-only",
        max_ts=max_ts,
        order_type=wanted.order_type,
        sequence=sequence,
        slot=slot_at(now_ns),
        trigger_e6=_on_tick(wanted.trigger_e6, market.spec.tick_e6, down=wanted.side == "buy"),
        trigger_above=wanted.trigger_above,
        taking=crosses,
        immediate_or_cancel=wanted.immediate_or_cancel,
    )


def _is_valid(order: Order, market: Market, wanted: PlaceOrder) -> bool:
    """False for a `try` order that would cross; raises VenueError for everything else that is wrong."""
    if order.size_e9 < market.spec.minimum_e9 and not order.reduce_only:
        raise VenueError(VenueCode.INVALID_ORDER_MIN_SIZE)
    if order.order_type in ("limit", "trigger_limit") and order.price_e6 == 0:
        raise VenueError(VenueCode.INVALID_ORDER_LIMIT_PRICE)
    if (order.trigger_e6 != 0) != order.order_type.startswith("trigger"):
        raise VenueError(VenueCode.INVALID_ORDER_TRIGGER)
    if order.immediate_or_cancel and order.order_type == "market":
        raise VenueError(VenueCode.INVALID_ORDER_IOC)
    if not order.post_only:
        return True
    if order.order_type != "limit":
        raise VenueError(VenueCode.INVALID_ORDER_POST_ONLY)
    # The program asks the vAMM, which has no say while its fills are paused.
    paused = market.spec.paused_operations
    is_unasked = not market.rules.rejects_crossing or (paused and paused & MarketOperation.AMM_FILL)
    if is_unasked or not market.crosses(order.side, order.price_e6):
        return True
    if wanted.post_only == "try":
        return False
    raise VenueError(VenueCode.PLACE_POST_ONLY_LIMIT_FAILURE)


def _increases_risk(account: Account, order: Order) -> bool:
    if order.reduce_only:
        return False
    if margin.is_with_position(order.side, account.position(order.market_index).base_e9):
        return True
    bids, asks = margin.open_bids_asks_e9(account.open_orders, order.market_index)
    return margin.increases_risk(order.side, order.size_e9, account.position(order.market_index).base_e9, bids, asks)


def _with_slot(account: Account, slot_index: int, order: Order) -> Account:
    slots = (*account.slots[:slot_index], order, *account.slots[slot_index + 1 :])
    return msgspec.structs.replace(account, slots=slots)


def _record(order: Order) -> PlacedRecord:
    return PlacedRecord(
        index=0,
        order_id=order.order_id,
        user_order_id=order.user_order_id,
        market_index=order.market_index,
        side=order.side,
        price_e6=order.price_e6,
        size_e9=order.size_e9,
        reduce_only=order.reduce_only,
        max_ts=order.max_ts,
    )


def _on_tick(price_e6: int, tick_e6: int, *, down: bool) -> int:
    lower = round_down_to(price_e6, tick_e6)
    return lower if down or lower == price_e6 else lower + tick_e6
