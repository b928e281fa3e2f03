"""Moves one order of one account on: a fill, a cancel, a trigger; each gives the account after it and its record."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.units import E9, div_ceil
from gridkeeper_core.venue import funding
from gridkeeper_core.venue.chain_position import apply_fee, apply_fill, apply_quote
from gridkeeper_core.venue.fees import maker_fee_e6, taker_fee_e6
from gridkeeper_core.venue.records import NO_TRIGGER, CancelRecord, FillRecord, TriggerRecord
from gridkeeper_core.venue.state import Account, Market, Order, PerpPosition

# The program's names for why an order was cancelled.
Explanation = Literal[
    "None",
    "OrderExpired",
    "ReduceOnlyOrderIncreasedPosition",
    "InsufficientFreeCollateral",
    "OraclePriceBreachedLimitPrice",
    "Liquidation",
]
BY_OWNER: Explanation = "None"
BY_EXPIRY: Explanation = "OrderExpired"
NOTHING_TO_REDUCE: Explanation = "ReduceOnlyOrderIncreasedPosition"
NOT_CARRIED: Explanation = "InsufficientFreeCollateral"
BEYOND_BAND: Explanation = "OraclePriceBreachedLimitPrice"
BY_LIQUIDATION: Explanation = "Liquidation"


def fill(
    account: Account, market: Market, order: Order, base_e9: int, price_e6: int, *, maker: bool
) -> tuple[Account, Market, FillRecord]:
    """Trades `base_e9` of an order at a price; the quote is rounded for the maker, as the program does."""
    is_buy = order.side == "buy"
    quote_e6 = div_ceil(price_e6 * base_e9, E9) if is_buy != maker else price_e6 * base_e9 // E9
    fee_e6 = maker_fee_e6(market.spec, quote_e6) if maker else taker_fee_e6(market.spec, quote_e6)
    filled_e9 = order.filled_e9 + base_e9
    after = msgspec.structs.replace(
        order,
        filled_e9=filled_e9,
        filled_quote_e6=order.filled_quote_e6 + quote_e6,
        status="filled" if filled_e9 == order.size_e9 else "open",
    )
    traded, _ = apply_fill(
        account.position(order.market_index), base_e9 if is_buy else -base_e9, -quote_e6 if is_buy else quote_e6
    )
    position = funding.at_current_rate(market, apply_fee(traded, fee_e6))
    record = FillRecord(
        index=0,
        market_index=order.market_index,
        fill_record_id=market.next_fill_record_id,
        order_id=order.order_id,
        side=order.side,
        base_e9=base_e9,
        quote_e6=quote_e6,
        fee_e6=fee_e6,
        maker=maker,
        cumulative_e9=filled_e9,
        order_size_e9=order.size_e9,
        oracle_e6=market.oracle_e6,
    )
    market = msgspec.structs.replace(market, next_fill_record_id=market.next_fill_record_id + 1)
    return with_position(with_order(account, after), position), market, record


def cancel(
    account: Account, order: Order, explanation: Explanation, keeper_fee_e6: int = 0
) -> tuple[Account, CancelRecord]:
    """Closes an open order; a keeper's fee is taken at once from the position, or from the deposit without margin."""
    account = with_order(account, msgspec.structs.replace(order, status="cancelled"))
    record = CancelRecord(
        index=0,
        order_id=order.order_id,
        market_index=order.market_index,
        explanation=explanation,
        keeper_fee_e6=keeper_fee_e6,
        expired=explanation == BY_EXPIRY,
    )
    if record.fee_from_deposit:
        account = msgspec.structs.replace(account, deposit_e6=account.deposit_e6 - keeper_fee_e6)
    elif keeper_fee_e6:
        account = with_position(account, apply_quote(account.position(order.market_index), -keeper_fee_e6))
    return account, record


def cancel_sleeping_stops(account: Account, market_index: int) -> tuple[Account, list[CancelRecord]]:
    """What the fill that made a position flat takes away for nothing: reduce-only orders that wait for their trigger.

    (controller/orders.rs `cancel_reduce_only_trigger_orders`); none while there is a position.
    """
    records: list[CancelRecord] = []
    if account.position(market_index).base_e9:
        return account, records
    for order in account.slots:
        is_stop = order.trigger_e6 != NO_TRIGGER and order.reduce_only and order.market_index == market_index
        if is_stop and order.is_open and not order.triggered:
            account, record = cancel(account, order, NOTHING_TO_REDUCE)
            records.append(record)
    return account, records


def trigger(account: Account, market: Market, order: Order) -> tuple[Account, Order, TriggerRecord]:
    """Makes a trigger order a live one, for the keeper's fee: one that is a market order or crosses the vAMM takes."""
    taking = order.order_type == "trigger_market" or market.crosses(order.side, order.price_e6)
    live = msgspec.structs.replace(order, triggered=True, taking=taking)
    fee_e6 = market.rules.keeper_fee_e6
    account = with_order(account, live)
    if fee_e6:
        account = with_position(account, apply_quote(account.position(order.market_index), -fee_e6))
    record = TriggerRecord(index=0, order_id=order.order_id, market_index=order.market_index, keeper_fee_e6=fee_e6)
    return account, live, record


def reducible_e9(account: Account, order: Order) -> int:
    """How much of a reduce-only order would still reduce the position."""
    base_e9 = account.position(order.market_index).base_e9
    return max(0, -base_e9 if order.side == "buy" else base_e9)


def with_order(account: Account, order: Order) -> Account:
    """The account with this order in place of the one with the same id."""
    order_id = order.order_id
    slots = tuple([order if held.order_id == order_id else held for held in account.slots])
    return msgspec.structs.replace(account, slots=slots)


def with_position(account: Account, position: PerpPosition) -> Account:
    """The account with this position in place of the one in the same market."""
    return msgspec.structs.replace(account, positions={**account.positions, position.market_index: position})
