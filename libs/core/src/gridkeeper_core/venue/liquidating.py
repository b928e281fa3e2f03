"""Takes an account that fell below its maintenance margin apart: its orders first, then as much of it as is needed.

The program lets a liquidator take more with every slot; here the whole shortage is covered in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gridkeeper_core.units import E9, div_ceil
from gridkeeper_core.venue.chain_position import apply_fee, apply_fill
from gridkeeper_core.venue.filling import BY_LIQUIDATION, cancel, with_position
from gridkeeper_core.venue.funding import at_current_rate
from gridkeeper_core.venue.margin import (
    collateral_e6,
    free_collateral_e6,
    notional_e6,
    open_bids_asks_e9,
    requirement_e6,
    worst_case_base_e9,
)
from gridkeeper_core.venue.operations import MarketOperation
from gridkeeper_core.venue.records import LiquidationRecord, VenueRecord
from gridkeeper_core.venue.state import Account, Market

_E4 = 10**4
_ROUNDED_E6 = 8
"""More than all roundings of two sums of collateral and margin together."""
NOWHERE = (0, 2**62)


def breach_prices_e6(account: Account, markets: Mapping[int, Market], market_index: int) -> tuple[int, int]:
    """Prices of a market beyond which (below the first, above the second) the account may be below its margin.

    They hold as long as every market stays within its own, from the prices at which all were asked for: each market
    has an equal part of what the account can lose. They are on the safe side by their roundings.
    """
    if account.is_bankrupt or not any(position.base_e9 for position in account.positions.values()):
        return NOWHERE
    open_orders = account.open_orders
    involved = {index for index, position in account.positions.items() if position.base_e9}
    involved |= {order.market_index for order in open_orders if order.counts_as_exposure}
    market = markets[market_index]
    if market_index not in involved or market.oracle_e6 == 0:
        return NOWHERE
    free_e6 = free_collateral_e6(account, markets, "maintenance")
    if free_e6 < 0:
        return NOWHERE[::-1]
    base_e9 = account.position(market_index).base_e9
    worst_e9 = abs(worst_case_base_e9(base_e9, *open_bids_asks_e9(open_orders, market_index)))
    slope = base_e9 * _E4 - worst_e9 * market.spec.margin_ratio_maintenance_e4
    if slope == 0:
        return NOWHERE
    distance_e6 = max(0, free_e6 // len(involved) - _ROUNDED_E6) * E9 * _E4 // abs(slope)
    if slope > 0:
        return max(0, market.oracle_e6 - distance_e6), NOWHERE[1]
    return NOWHERE[0], market.oracle_e6 + distance_e6


def liquidate(account: Account, markets: Mapping[int, Market]) -> tuple[Account, dict[int, Market], list[VenueRecord]]:
    """The account, the changed markets and the records; nothing where the account can carry what it holds."""
    if account.is_bankrupt or not any(position.base_e9 for position in account.positions.values()):
        return account, {}, []
    if free_collateral_e6(account, markets, "maintenance") >= 0:
        return account, {}, []
    records: list[VenueRecord] = []
    for order in account.open_orders:
        account, cancelled = cancel(account, order, BY_LIQUIDATION)
        records.append(cancelled)
    changed: dict[int, Market] = {}
    for index in _largest_first(account, markets):
        shortage_e6 = _shortage_e6(account, markets)
        if shortage_e6 <= 0:
            break
        market = markets[index]
        if not market.spec.paused_operations & MarketOperation.LIQUIDATION:
            account, changed[index], record = _reduce(account, market, shortage_e6)
            records.append(record)
    is_empty = not any(position.base_e9 for position in account.positions.values())
    if is_empty and collateral_e6(account, markets) < 0:
        account = msgspec.structs.replace(account, is_bankrupt=True)
    return account, changed, records


def _reduce(account: Account, market: Market, shortage_e6: int) -> tuple[Account, Market, LiquidationRecord]:
    """Hands as much of the position over at the oracle price as frees the shortage, for the liquidator's fee."""
    rules, position = market.rules, account.position(market.spec.index)
    ratio_e4 = market.spec.margin_ratio_maintenance_e4 + rules.liquidation_buffer_e4 - rules.liquidation_fee_e4
    size_e9 = abs(position.base_e9)
    if ratio_e4 > 0:
        wanted_e9 = div_ceil(shortage_e6 * _E4 * E9, market.oracle_e6 * ratio_e4)
        size_e9 = min(size_e9, div_ceil(wanted_e9, market.spec.step_e9) * market.spec.step_e9)
    value_e6 = size_e9 * market.oracle_e6 // E9
    is_long = position.base_e9 > 0
    fee_e6 = value_e6 * rules.liquidation_fee_e4 // _E4
    base_e9, quote_e6 = (-size_e9, value_e6) if is_long else (size_e9, -value_e6)
    after, _ = apply_fill(position, base_e9, quote_e6)
    after = at_current_rate(market, apply_fee(after, fee_e6))
    record = LiquidationRecord(
        index=0,
        market_index=market.spec.index,
        base_e9=base_e9,
        quote_e6=quote_e6,
        fee_e6=fee_e6,
        fill_record_id=market.next_fill_record_id,
    )
    market = msgspec.structs.replace(market, next_fill_record_id=market.next_fill_record_id + 1)
    return with_position(account, after), market, record


def _shortage_e6(account: Account, markets: Mapping[int, Market]) -> int:
    """What is missing to the maintenance margin and the buffer on top of it, which ends a liquidation."""
    needed_e6 = requirement_e6(account, markets, "maintenance")
    for index, position in account.positions.items():
        needed_e6 += notional_e6(position, markets[index]) * markets[index].rules.liquidation_buffer_e4 // _E4
    return needed_e6 - collateral_e6(account, markets)


def _largest_first(account: Account, markets: Mapping[int, Market]) -> list[int]:
    sizes = {index: notional_e6(position, markets[index]) for index, position in account.positions.items()}
    return sorted((index for index, size_e6 in sizes.items() if size_e6), key=lambda index: (-sizes[index], index))
