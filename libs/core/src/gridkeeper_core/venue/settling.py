"""Moves what a position has earned or lost into or out of the deposit, as far as the market's pool can pay."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gridkeeper_core.venue.chain_position import apply_settlement, unrealized_pnl_e6
from gridkeeper_core.venue.errors import VenueCode, VenueError
from gridkeeper_core.venue.filling import with_position
from gridkeeper_core.venue.margin import free_collateral_e6
from gridkeeper_core.venue.operations import Exchange, MarketOperation, require
from gridkeeper_core.venue.records import SettleRecord
from gridkeeper_core.venue.state import Account, Market, PerpPosition


def settle(
    account: Account, markets: Mapping[int, Market], market_index: int, *, now_ns: int, exchange_status: int
) -> tuple[Account, Market, SettleRecord]:
    """The account and the market after it.

    Raises VenueError: 6024, 6010, 6158, 6225, 6095, 6259, 6260.
    """
    require(exchange_status, Exchange.SETTLE_PNL)
    if market_index not in account.positions:
        raise VenueError(VenueCode.USER_HAS_NO_POSITION_IN_MARKET)
    market, position = markets[market_index], account.position(market_index)
    _check_market(market, position, now_ns)
    amount_e6 = unrealized_pnl_e6(position, market.oracle_e6)
    if amount_e6 < 0 and free_collateral_e6(account, markets, "maintenance") < 0:
        raise VenueError(VenueCode.INSUFFICIENT_COLLATERAL_FOR_SETTLING_PNL)
    if amount_e6 > 0:
        amount_e6 = min(amount_e6, max(0, position.quote_asset_e6 - position.quote_entry_e6))
    if amount_e6 == 0:
        raise VenueError(VenueCode.NO_UNSETTLED_PNL)
    amount_e6, market = _from_pool(market, amount_e6)
    settled = apply_settlement(position, amount_e6)
    settled = msgspec.structs.replace(settled, settled_pnl_e6=settled.settled_pnl_e6 + amount_e6)
    account = msgspec.structs.replace(
        with_position(account, settled),
        deposit_e6=account.deposit_e6 + amount_e6,
        settled_pnl_e6=account.settled_pnl_e6 + amount_e6,
    )
    return account, market, SettleRecord(index=0, market_index=market_index, quote_e6=amount_e6)


def _check_market(market: Market, position: PerpPosition, now_ns: int) -> None:
    statuses = ("active",) if position.base_e9 else ("active", "reduce-only")
    paused = market.spec.paused_operations
    is_paused = paused & MarketOperation.SETTLE_PNL
    if position.base_e9:
        is_paused |= paused & MarketOperation.SETTLE_PNL_WITH_POSITION
    if market.spec.status not in statuses or is_paused:
        raise VenueError(VenueCode.INVALID_MARKET_STATUS_TO_SETTLE_PNL, market.spec.status)
    if not market.oracle_is_valid(now_ns):
        raise VenueError(VenueCode.INVALID_ORACLE_FOR_SETTLE_PNL)


def _from_pool(market: Market, amount_e6: int) -> tuple[int, Market]:
    """What the pool can pay of a gain; a loss is paid into it. Without a limit there is no pool to ask."""
    if market.pnl_pool_e6 is None:
        return amount_e6, market
    amount_e6 = min(amount_e6, market.pnl_pool_e6)
    if amount_e6 == 0:
        raise VenueError(VenueCode.PNL_POOL_CANT_SETTLE_USER)
    return amount_e6, msgspec.structs.replace(market, pnl_pool_e6=market.pnl_pool_e6 - amount_e6)
