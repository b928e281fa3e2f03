"""Levels and sizes by hand: arithmetic, geometric, custom; equal base and equal quote; every refusal by its name."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.levels import build_levels, build_sizes, gap_at, neutral_start
from gridkeeper_core.units import E6, E9
from support.story import SPEC, config


def levels_of(**changes: Any) -> list[float]:
    return [level / E6 for level in build_levels(config(**changes), SPEC)]


def test_arithmetic_levels_are_equally_far_apart() -> None:
    assert levels_of(intervals=4) == [100, 102.5, 105, 107.5, 110]


def test_arithmetic_levels_are_rounded_half_even_to_the_tick() -> None:
    # Thirds of 10 on a tick of 0.01; 100.125 is half-way between 100.12 and 100.13.
    assert levels_of(intervals=3) == [100, 103.33, 106.67, 110]
    assert levels_of(lower_e6=100 * E6, upper_e6=100_250_000, intervals=2) == [100, 100.12, 100.25]


def test_geometric_levels_have_equal_ratios() -> None:
    assert levels_of(spacing="geometric", upper_e6=121 * E6, intervals=2) == [100, 110, 121]
    # A tenth each: 100, 110, 121, 133.10, 146.41.
    assert levels_of(spacing="geometric", upper_e6=146_410_000, intervals=4) == [100, 110, 121, 133.1, 146.41]


def test_custom_levels_are_taken_as_they_are() -> None:
    custom = (90 * E6, 95 * E6, 120 * E6)
    assert levels_of(spacing="custom", custom_levels_e6=custom, intervals=2) == [90, 95, 120]


def test_equal_base_is_the_same_in_every_cell_and_equal_quote_shrinks_upwards() -> None:
    levels = build_levels(config(intervals=2, upper_e6=200 * E6), SPEC)
    assert build_sizes(config(), SPEC, levels) == (E9, E9)
    # 25 of quote at 100 and at 150: 0.25 and 0.1666…, which is 0.16 on the step.
    quote = config(size_base_e9=None, size_quote_e6=25 * E6)
    assert build_sizes(quote, SPEC, levels) == (25 * E9 // 100, 16 * E9 // 100)


@pytest.mark.parametrize(("price", "gap"), [(99.0, 0), (100.4, 0), (100.5, 0), (100.6, 1), (105.2, 5), (111.0, 10)])
def test_the_gap_is_the_level_nearest_to_the_price(price: float, gap: int) -> None:
    levels = build_levels(config(), SPEC)
    assert gap_at(levels, round(price * E6)) == gap
    assert sum(neutral_start(levels, (E9,) * 10, round(price * E6))) == (10 - gap) * E9


def test_two_and_a_thousand_levels_are_the_least_and_the_most() -> None:
    assert len(levels_of(intervals=1)) == 2
    assert len(levels_of(intervals=999, upper_e6=2_000 * E6)) == 1_000


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"intervals": 0, "spacing": "custom", "custom_levels_e6": (E6,)}, "LEVELS_TOO_FEW"),
        ({"intervals": 1_000, "upper_e6": 2_000 * E6}, "LEVELS_TOO_MANY"),
        ({"spacing": "custom", "custom_levels_e6": (E6, 3 * E6, 2 * E6)}, "LEVELS_NOT_ASCENDING"),
        ({"spacing": "custom", "custom_levels_e6": (E6, 2 * E6, 2 * E6)}, "SPACING_TOO_SMALL"),
        ({"intervals": 501}, "SPACING_TOO_SMALL"),
    ],
)
def test_levels_that_cannot_be_traded_are_refused_by_name(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(GridkeeperError) as refused:
        levels_of(**changes)
    assert refused.value.code == code


def test_a_size_under_the_minimum_is_refused_with_the_cell_and_the_minimum() -> None:
    levels = build_levels(config(), SPEC)
    with pytest.raises(GridkeeperError) as refused:
        build_sizes(config(size_base_e9=None, size_quote_e6=1_040_000), replace(SPEC, step_e9=E9 // 1000), levels)

    # 1.04 / 104 are 0.01; from 105 on it is less.
    assert (refused.value.code, refused.value.value) == ("SIZE_UNDER_MINIMUM", "0.009 at 105")
    assert refused.value.expected == "at least 0.01 (SOL-PERP)"
