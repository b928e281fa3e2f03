"""A synthetic market is the same on every machine, stays near its start, and moves enough to be worth watching."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from gridkeeper_core.prices.synthetic import SyntheticMarket
from gridkeeper_core.units import E6, E9

MARKET = SyntheticMarket(market="SOL-PERP", seed=7, start_e6=150 * E6, tick_e6=10_000, step_e9=E9 // 100)


def test_the_first_rows_of_a_seed_are_these_for_ever() -> None:
    assert [MARKET.price_e6(row) for row in (1, 2, 3, 1_000, 1_000_000)] == [
        146_380_000,
        146_650_000,
        146_930_000,
        146_850_000,
        152_280_000,
    ]


def test_a_whole_observation_is_this() -> None:
    price = MARKET.price(3, 99)

    assert (price.market, price.source, price.source_seq, price.ts_ns) == ("SOL-PERP", "synthetic", 3, 99)
    assert (price.oracle_e6, price.side) == (146_930_000, 1)
    assert price.size_e9 is not None
    assert price.size_e9 % MARKET.step_e9 == 0
    assert MARKET.size_e9 // 2 <= price.size_e9 <= 2 * MARKET.size_e9


def test_another_seed_is_another_market() -> None:
    other = msgspec.structs.replace(MARKET, seed=8)

    assert [other.price_e6(row) for row in range(20)] != [MARKET.price_e6(row) for row in range(20)]


def test_sides_follow_the_price() -> None:
    prices = [MARKET.price(row, 0) for row in range(1, 400)]

    for before, after in pairwise(prices):
        if after.oracle_e6 != before.oracle_e6:
            assert after.side == (1 if after.oracle_e6 > before.oracle_e6 else -1)


def test_it_crosses_levels_one_per_cent_apart_every_few_seconds_of_four_rows() -> None:
    level = 150 * E6 // 100
    levels = [MARKET.price_e6(row) // level for row in range(1, 2_001)]

    assert sum(a != b for a, b in pairwise(levels)) >= 100
