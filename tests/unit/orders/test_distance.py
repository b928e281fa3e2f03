"""How far prices may move against an account before the venue may liquidate it."""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core.orders.distance import liquidation_distance_e6
from gridkeeper_core.orders.state import AccountState, flat_position
from gridkeeper_core.units import E6, E9
from support.story import SPEC

HALF = replace(SPEC, margin_ratio_maintenance_e4=500)
"""Maintenance margin of 5 percent."""


def account(*, base: int, entry: int, deposit: int) -> AccountState:
    position = replace(
        flat_position(HALF.symbol, HALF.index),
        base_e9=base * E9,
        quote_asset_e6=-base * entry * E6,
        oracle_e6=entry * E6,
    )
    return AccountState(alias="main", deposit_e6=deposit * E6, positions={HALF.index: position})


def distance(state: AccountState, price: int | None = None) -> int | None:
    return liquidation_distance_e6(state, [HALF], lambda _: None if price is None else price * E6)


def test_a_long_of_a_thousand_on_a_hundred_stands_five_percent_of_margin_from_liquidation() -> None:
    # Equity 100, margin 50. At a price x lower: 100 - 1000x = 50 - 50x, so x = 50/950.
    assert distance(account(base=10, entry=100, deposit=100)) == 50 * E6 // 950


def test_a_short_is_nearer_because_its_margin_grows_with_the_move() -> None:
    assert distance(account(base=-10, entry=100, deposit=100)) == 50 * E6 // 1050


def test_the_newest_price_counts_and_not_that_of_the_last_reading() -> None:
    # At 95 the long has lost 50 of its 100: 50 of equity, 47.5 of margin, 950 of worth.
    assert distance(account(base=10, entry=100, deposit=100), price=95) == 2_500_000 * E6 // 902_500_000


def test_below_maintenance_it_is_negative_and_without_a_position_there_is_none() -> None:
    below = distance(account(base=10, entry=100, deposit=40))
    assert below is not None
    assert below < 0
    assert distance(AccountState(alias="main", deposit_e6=100)) is None
