"""Trades an order with the vAMM in the transaction that placed it."""

from __future__ import annotations

from gridkeeper_core.venue.filling import BY_OWNER, cancel, cancel_sleeping_stops, fill, reducible_e9
from gridkeeper_core.venue.operations import Exchange, MarketOperation, require
from gridkeeper_core.venue.records import VenueRecord
from gridkeeper_core.venue.state import Account, Market, Order


def take(
    account: Account, market: Market, order: Order, exchange_status: int
) -> tuple[Account, Market, list[VenueRecord]]:
    """The account and the market after it; what is left of an immediate-or-cancel order is cancelled.

    Raises VenueError 6024 where fills are paused. Without a vAMM to trade with, nothing is filled.
    """
    require(exchange_status, Exchange.FILL)
    records: list[VenueRecord] = []
    base_e9 = min(order.unfilled_e9, reducible_e9(account, order)) if order.reduce_only else order.unfilled_e9
    paused = market.spec.paused_operations & (MarketOperation.FILL | MarketOperation.AMM_FILL)
    is_off = paused or exchange_status & Exchange.AMM
    if base_e9 and not is_off and (order.price_e6 == 0 or market.crosses(order.side, order.price_e6)):
        price_e6 = market.taken_at_e6(order.side, is_market=order.price_e6 == 0)
        account, market, filled = fill(account, market, order, base_e9, price_e6, maker=False)
        account, stops = cancel_sleeping_stops(account, order.market_index)
        records += [filled, *stops]
    left = account.order(order.order_id)
    if left is not None and left.is_open and left.immediate_or_cancel:
        account, cancelled = cancel(account, left, BY_OWNER)
        records.append(cancelled)
    return account, market, records
