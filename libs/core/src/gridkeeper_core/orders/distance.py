"""How far the market would have to move against an account before the venue may liquidate it."""

from __future__ import annotations

from collections.abc import Iterable

from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import E4, E9
from gridkeeper_core.venue.records import VenueAccount

E6 = 10**6


def liquidation_distance_e6(account: VenueAccount, specs: Iterable[MarketSpec]) -> int | None:
    """The share (1e-6) by which every position's price may move against it until equity is the maintenance margin.

    0 or less: it may be liquidated now. None: nothing is held, or no move can do it.
    """
    by_index = {spec.index: spec for spec in specs}
    held = [p for p in account.positions if p.base_e9 and p.market_index in by_index]
    equity_e6 = account.deposit_e6 + sum(
        p.quote_asset_e6 + p.base_e9 * p.oracle_e6 // E9 for p in account.positions
    )  # fmt: skip
    worth_e6 = [abs(p.base_e9) * p.oracle_e6 // E9 for p in held]
    ratios_e4 = [by_index[p.market_index].margin_ratio_maintenance_e4 for p in held]
    spare_e10 = equity_e6 * E4 - sum(worth * ratio for worth, ratio in zip(worth_e6, ratios_e4, strict=True))
    # What a long is worth shrinks with the move, and its margin with it; a short's grows.
    lost_e10 = sum(
        worth * (E4 - ratio if position.base_e9 > 0 else E4 + ratio)
        for position, worth, ratio in zip(held, worth_e6, ratios_e4, strict=True)
    )
    if lost_e10 <= 0:
        return None
    return spare_e10 * E6 // lost_e10
