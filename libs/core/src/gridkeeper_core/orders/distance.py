"""How far the market would have to move against an account before the venue may liquidate it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gridkeeper_core.market import MarketSpec
from gridkeeper_core.orders.state import AccountState
from gridkeeper_core.units import E4, E6, E9

PriceOf = Callable[[str], int | None]
"""The newest oracle price of a market (1e-6), None where none is known."""


def liquidation_distance_e6(state: AccountState, specs: Iterable[MarketSpec], price_of: PriceOf) -> int | None:
    """The share (1e-6) by which every position's price may move against it until equity is the maintenance margin.

    0 or less: it may be liquidated now. None: nothing is held, or no move can do it.
    """
    by_index = {spec.index: spec for spec in specs}
    spare_e10, lost_e10 = state.deposit_e6 * E4, 0
    for position in state.positions.values():
        spec = by_index.get(position.market_index)
        price_e6 = (price_of(spec.symbol) if spec is not None else None) or position.oracle_e6
        worth_e6 = abs(position.base_e9) * price_e6 // E9
        spare_e10 += (position.quote_asset_e6 + (worth_e6 if position.base_e9 > 0 else -worth_e6)) * E4
        if spec is not None:
            # What a long is worth shrinks with the move, and its margin with it; a short's grows.
            ratio_e4 = spec.margin_ratio_maintenance_e4
            spare_e10 -= worth_e6 * ratio_e4
            lost_e10 += worth_e6 * (E4 - ratio_e4 if position.base_e9 > 0 else E4 + ratio_e4)
    return spare_e10 * E6 // lost_e10 if lost_e10 > 0 else None
