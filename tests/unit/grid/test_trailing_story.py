"""Grids whose levels follow the price: what moves, what it costs (nothing), and where it ends."""

from __future__ import annotations

from typing import Any

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.parse import parse_grid
from gridkeeper_core.inputs import EditGrid, PauseGrid
from gridkeeper_core.units import E6, E9
from support.story import Story, config

TRAILING = """
[grid]
id = "tale"
market = "SOL-PERP"
lower = "100"
upper = "110"
intervals = 10
size = { base = "1" }
"""


def shifts(story: Story) -> list[tuple[str, float, int]]:
    facts = [fact for fact in story.facts(e.LevelsShifted) if isinstance(fact, e.LevelsShifted)]
    return [(fact.where, fact.level_e6 / E6, fact.cell) for fact in facts]


def test_a_grid_that_trails_up_takes_its_lowest_cell_to_the_top() -> None:
    story = Story(trail_up_limit_e6=200 * E6).opened_at(105.2).prices(106.1, 107.1, 108.1, 109.1, 110.1)
    # Five were sold on the way: 106, 107, 108, 109, 110. All ten cells are empty and want to buy.
    assert story.grid.position_e9 == -5 * E9
    assert story.prices_of("buy") == [100, 101, 102, 103, 104, 105, 106, 107, 108, 109]
    cash_e6 = story.grid.cash_e6

    story.price(111.2)

    assert shifts(story) == [("up", 111.0, 0)]
    assert story.prices_of("buy") == [101, 102, 103, 104, 105, 106, 107, 108, 109, 110]
    assert (story.grid.position_e9, story.grid.cash_e6) == (-5 * E9, cash_e6)


def test_between_the_top_and_the_next_level_nothing_shifts() -> None:
    story = Story(trail_up_limit_e6=200 * E6).opened_at(105.2).prices(108.1, 110.1, 110.9)

    assert shifts(story) == []


def test_a_jump_over_three_intervals_is_three_shifts() -> None:
    story = Story(trail_up_limit_e6=200 * E6).opened_at(105.2).prices(110.1, 113.4)

    assert shifts(story) == [("up", 111.0, 0), ("up", 112.0, 1), ("up", 113.0, 2)]
    assert story.prices_of("buy") == [103, 104, 105, 106, 107, 108, 109, 110, 111, 112]


def test_trailing_ends_at_its_limit() -> None:
    story = Story(trail_up_limit_e6=112 * E6).opened_at(105.2).prices(110.1, 120)

    assert story.grid.levels_e6[-1] == 112 * E6


def test_a_grid_that_trailed_up_turns_there_as_it_did_before() -> None:
    story = Story(trail_up_limit_e6=200 * E6).opened_at(105.2).prices(110.1, 112.2)
    before = story.grid.cash_e6

    story.prices(110.9, 112.1)  # bought at 111, sold at 112

    # One interval of 1.00, and the rebate of 2 bp on 111 and on 112.
    assert story.grid.cash_e6 - before == 1 * E6 + 22_200 + 22_400
    assert story.grid.position_e9 == -5 * E9


def test_a_grid_that_trails_down_takes_its_content_along_at_its_cost() -> None:
    story = Story(trail_down_limit_e6=50 * E6).opened_at(105.2).prices(103.9, 102.9, 101.9, 100.9, 99.9)
    assert story.grid.position_e9 == 5 * E9
    cash_e6 = story.grid.cash_e6

    story.price(98.9)

    # The cell of 109 to 110 now lies between 99 and 100, full, and sells at 100.
    assert shifts(story) == [("down", 99.0, 9)]
    assert story.prices_of("sell") == [100, 101, 102, 103, 104, 105, 106, 107, 108, 109]
    assert (story.grid.position_e9, story.grid.cash_e6) == (5 * E9, cash_e6)


def test_content_of_a_trailing_grid_never_exceeds_its_cells() -> None:
    story = Story(trail_down_limit_e6=50 * E6).opened_at(105.2).prices(99.9, 95.2, 97.3, 93.1, 99.4)

    # 93.1 does not reach 93: the lowest level is 94, and there are as many as before.
    assert story.grid.levels_e6 == tuple(p * E6 for p in range(94, 105))
    held = zip(story.grid.held_e9, story.grid.sizes_e9, strict=True)
    assert all(0 <= part <= size for part, size in held)


def test_an_infinity_grid_grows_above_and_keeps_its_floor() -> None:
    story = Story(size_base_e9=None, size_quote_e6=100 * E6, trail_up_limit_e6=200 * E6, fixed_floor=True).opened_at(
        105.2
    )
    story.prices(110.1, 113.2)

    assert (story.grid.levels_e6[0], story.grid.levels_e6[-1]) == (100 * E6, 113 * E6)
    # 100 quote at 112, down to the step of 0.01.
    assert story.grid.sizes_e9[-1] == 890_000_000
    assert story.prices_of("buy")[:2] == [100, 101]
    assert story.prices_of("buy")[-1] == 112


def test_a_paused_grid_does_not_trail() -> None:
    story = Story(trail_up_limit_e6=200 * E6).opened_at(105.2).command(PauseGrid()).prices(110.1, 113)

    assert shifts(story) == []


def test_trailing_is_switched_on_while_the_grid_runs_and_cancels_nothing() -> None:
    story = Story().opened_at(105.2)
    before = {order.order_id for order in story.lab.venue.read("main", "main").orders}

    story.command(EditGrid(config=config(trail_up_limit_e6=120 * E6), source="new"))

    assert {order.order_id for order in story.lab.venue.read("main", "main").orders} == before
    story.prices(110.1, 111.1)
    assert shifts(story) == [("up", 111.0, 0)]


def test_switching_trailing_off_leaves_the_levels_where_they_went() -> None:
    story = Story(trail_up_limit_e6=200 * E6).opened_at(105.2).prices(110.1, 113.2)

    story.command(EditGrid(config=config(), source="new")).price(115)

    assert (story.grid.levels_e6[0], story.grid.levels_e6[-1]) == (103 * E6, 113 * E6)


@pytest.mark.parametrize(
    ("settings", "code", "field"),
    [
        ('[range]\nabove = "trail"', "MISSING_KEY", "trailing.up_limit"),
        ('[range]\nbelow = "trail"', "MISSING_KEY", "trailing.down_limit"),
        ('[trailing]\nup_limit = "110"', "BAD_VALUE", "trailing.up_limit"),
        ('[trailing]\ndown_limit = "100"', "BAD_VALUE", "trailing.down_limit"),
        ('[range]\nabove = "close"\n[trailing]\nup_limit = "120"', "BAD_VALUE", "range.above"),
        ("[trailing]\nfixed_floor = true", "MISSING_KEY", "trailing.up_limit"),
        ('[trailing]\nup_limit = "120"\nfixed_floor = true', "BAD_VALUE", "grid.size"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(settings: str, code: str, field: str) -> None:
    with pytest.raises(GridkeeperError) as refusal:
        parse_grid(TRAILING + settings)
    assert (refusal.value.code, refusal.value.field) == (code, field)


@pytest.mark.parametrize("settings", ['[trailing]\nup_limit = "200"', '[range]\nbelow = "recenter"'])
def test_levels_by_hand_cannot_follow_and_the_refusal_says_what_can(settings: str) -> None:
    by_hand = '[grid]\nid = "tale"\nmarket = "SOL-PERP"\nlevels = ["100", "104", "110"]\nsize = { base = "1" }\n'

    with pytest.raises(GridkeeperError) as refusal:
        parse_grid(by_hand + settings)
    assert refusal.value.code == "CANNOT_FOLLOW"
    assert "spacing" in refusal.value.do


QUOTE = {"size_base_e9": None, "size_quote_e6": 100 * E6}
SHORT = {"direction": "short", **QUOTE, "trail_up_limit_e6": 120 * E6}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"trail_down_limit_e6": 90 * E6}, (105.21, 99, 98.5, 97.5)),
        ({}, (105.21, 111.5, 112.5)),
        ({"fixed_floor": True}, (105.21, 111.5, 112.5)),
    ],
)
def test_a_short_grid_of_equal_quote_buys_back_what_it_sold_and_no_more(
    changes: dict[str, Any], path: tuple[float, ...]
) -> None:
    story = Story(**{**SHORT, **changes}).opened_at(105.2).prices(*path)

    # Cells that move get another size; what they sold before is what they buy back.
    assert story.facts(e.LevelsShifted)
    assert sum(story.grid.sizes_e9) - story.grid.held_e9.total == -story.grid.position_e9
    story.prices(*range(111, 94, -1))
    assert story.grid.position_e9 == 0
