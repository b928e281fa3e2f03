"""A bar becomes four trades whose order, sizes, sides and times anybody can work out by hand."""

from __future__ import annotations

import pytest

from gridkeeper_core.prices.path import Bar, CandlePath, Participation, PathOrder, TickRule
from gridkeeper_core.units import E9, NS_PER_S

MINUTE_NS = 60 * NS_PER_S


def bar(open_e6: int, high_e6: int, low_e6: int, close_e6: int, *, ts_ns: int = 0, volume_e9: int = 0) -> Bar:
    return Bar(ts_ns, open_e6, high_e6, low_e6, close_e6, volume_e9)


def walk(order: PathOrder = "near", *, step_e9: int = 1, participation: Participation | None = None) -> CandlePath:
    share = participation or Participation(1, 10)
    return CandlePath(bar_ns=MINUTE_NS, step_e9=step_e9, order=order, participation=share)


@pytest.mark.parametrize(
    ("order", "middle"),
    [("near", [105, 90]), ("far", [90, 105]), ("high", [105, 90]), ("low", [90, 105])],
)
def test_the_extremes_come_in_the_stated_order(order: PathOrder, middle: list[int]) -> None:
    points = walk(order).points(bar(100, 105, 90, 95))

    assert [p.price_e6 for p in points] == [100, *middle, 95]


@pytest.mark.parametrize(("order", "first"), [("near", 95), ("far", 105)])
def test_equally_near_extremes_count_the_low_as_nearer(order: PathOrder, first: int) -> None:
    assert walk(order).points(bar(100, 105, 95, 100))[1].price_e6 == first


def test_a_flat_bar_still_has_four_points() -> None:
    assert [p.price_e6 for p in walk().points(bar(100, 100, 100, 100))] == [100] * 4


def test_points_lie_a_quarter_of_a_bar_apart_and_before_the_next_bar() -> None:
    points = walk().points(bar(100, 101, 99, 100, ts_ns=7 * MINUTE_NS))

    assert [p.ts_ns - 7 * MINUTE_NS for p in points] == [0, 15 * NS_PER_S, 30 * NS_PER_S, 45 * NS_PER_S]


def test_a_tenth_of_the_volume_is_split_in_whole_steps_and_the_first_points_take_the_rest() -> None:
    points = walk(step_e9=E9).points(bar(100, 101, 99, 100, volume_e9=109 * E9))

    assert [p.size_e9 for p in points] == [3 * E9, 3 * E9, 2 * E9, 2 * E9]


def test_participation_is_an_exact_ratio() -> None:
    points = walk(participation=Participation(1, 3)).points(bar(100, 101, 99, 100, volume_e9=12))

    assert [p.size_e9 for p in points] == [1, 1, 1, 1]


def test_sides_follow_the_tick_rule_over_bars() -> None:
    path = walk()

    first = path.points(bar(100, 105, 99, 104))
    second = path.points(bar(104, 104, 104, 104, ts_ns=MINUTE_NS))

    assert [p.side for p in first] == [1, -1, 1, -1]  # 100, 99, 105, 104
    assert [p.side for p in second] == [-1] * 4  # unchanged: as the last change before


def test_an_unchanged_price_keeps_the_side_before_it() -> None:
    rule = TickRule()

    assert [rule.side_of(price) for price in (100, 100, 99, 99, 100, 100)] == [1, 1, -1, -1, 1, 1]


def test_a_price_of_a_bar_is_good_for_the_length_of_a_bar() -> None:
    assert {p.good_for_ns for p in walk().points(bar(100, 101, 99, 100))} == {MINUTE_NS}
