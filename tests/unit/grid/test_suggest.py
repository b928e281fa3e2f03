"""Suggestions from recorded prices, by hand."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.suggest import SAMPLE_NS, History, history_of, suggest
from gridkeeper_core.units import E6
from support.story import SPEC


def every_five_minutes(*prices: float) -> list[tuple[int, int]]:
    return [(n * SAMPLE_NS, round(price * E6)) for n, price in enumerate(prices)]


def history(low: float, high: float, sigma: float = 0.04) -> History:
    prices = tuple(round((low + (high - low) * n / 100) * E6) for n in range(101))
    return History(first_ns=0, last_ns=1, sorted_e6=prices, sigma_day_e6=round(sigma * E6))


def test_sigma_is_the_root_of_the_squared_moves_over_a_day() -> None:
    # 288 samples a day that move by a hundredth up and down: sqrt(288) * 1 % = 16.97 %.
    prices = [100.0, 101.0] * 144

    sigma_e6 = history_of(every_five_minutes(*prices)).sigma_day_e6

    assert 167_000 < sigma_e6 < 171_000


def test_a_price_holds_until_the_next_one() -> None:
    of = history_of([(0, 100 * E6), (SAMPLE_NS * 30, 110 * E6)])

    assert of.sorted_e6 == (100 * E6,) * 30 + (100 * E6,)
    assert of.sigma_day_e6 == 0


def test_a_recording_of_minutes_is_refused() -> None:
    with pytest.raises(GridkeeperError) as refused:
        history_of(every_five_minutes(*[100.0] * 12))

    assert (refused.value.code, refused.value.field) == ("BAD_DATA", "--data")


def test_the_range_is_where_the_price_was_nine_tenths_of_the_time() -> None:
    made = suggest(history(100, 200), SPEC, cost_ratio_e6=-400)

    assert (made.lower_e6, made.upper_e6) == (105 * E6, 195 * E6)


def test_the_spacing_is_ten_times_the_costs() -> None:
    # 10 * 0.1 % = 1 %: ln(195/105) / ln(1.01) = 62.2.
    made = suggest(history(100, 200), SPEC, cost_ratio_e6=1_000)

    assert (made.spacing_ratio_e6, made.intervals) == (10_000, 62)


def test_levels_stay_more_than_two_ticks_apart() -> None:
    # A basis point of 105 is 0.0105, hardly more than a tick of 0.01: three ticks are 0.0286 %.
    made = suggest(history(1.05, 2), replace(SPEC, tick_e6=10_000), cost_ratio_e6=0)

    assert made.spacing_ratio_e6 * made.lower_e6 // E6 >= 2 * 10_000


def test_a_price_that_never_moved_suggests_nothing() -> None:
    with pytest.raises(GridkeeperError) as refused:
        suggest(history(100, 100), SPEC, cost_ratio_e6=0)

    assert refused.value.code == "SPACING_TOO_SMALL"
