"""What a grid does when the price leaves its range: hold, build anew, reduce or close, and how it comes back."""

from __future__ import annotations

from typing import Any

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.inputs import PauseGrid, ResumeGrid
from gridkeeper_core.units import E6, E9, NS_PER_S
from support.story import Story


def edits(story: Story) -> list[str]:
    return [fact.why for fact in story.facts(e.GridEdited) if isinstance(fact, e.GridEdited)]


def test_holding_is_the_default_and_changes_nothing_but_the_notice() -> None:
    story = Story().opened_at(105.2).prices(99.9, 95)

    assert story.facts(e.GridEdited, e.LevelsShifted, e.ReducingStarted, e.GridStopping) == []
    assert [fact.where for fact in story.facts(e.RangeLeft) if isinstance(fact, e.RangeLeft)] == ["low"]


def test_recentering_builds_the_same_width_around_the_price_and_keeps_content_and_cost() -> None:
    story = Story(range_below="recenter", recenter_after_ns=10 * NS_PER_S).opened_at(105.2).price(99.9)
    position_e9, cash_e6 = story.grid.position_e9, story.grid.cash_e6
    assert position_e9 == 5 * E9

    story.price(99.1, after_s=60)
    assert edits(story) == []  # not yet a whole interval below
    story.price(98.5, after_s=60)

    assert edits(story) == ["recenter"]
    assert (story.grid.levels_e6[0], story.grid.levels_e6[-1]) == (93_500_000, 103_500_000)
    assert (story.grid.position_e9, story.grid.cash_e6) == (position_e9, cash_e6)
    # All ten cells were full and all ten still are: no more can be bought than before, what is held sells nearer.
    assert sum(story.grid.held_e9) == 10 * E9
    assert story.prices_of("sell") == [99.5, 100.5, 101.5, 102.5, 103.5]
    assert story.prices_of("buy") == []


def test_recentering_waits_for_its_time_and_then_happens_by_itself() -> None:
    story = Story(range_below="recenter", recenter_after_ns=600 * NS_PER_S).opened_at(105.2).price(98.9, after_s=60)
    assert edits(story) == ["recenter"]

    story.price(90)
    assert edits(story) == ["recenter"]
    story.price(90, after_s=700)
    assert edits(story) == ["recenter", "recenter"]


def test_a_geometric_grid_is_recentered_by_its_ratio() -> None:
    story = Story(
        spacing="geometric", lower_e6=100 * E6, upper_e6=144 * E6, range_above="recenter", recenter_after_ns=0
    ).opened_at(120)

    story.price(240, after_s=60)
    assert (story.grid.config.lower_e6, story.grid.config.upper_e6) == (200 * E6, 288 * E6)


def test_reducing_gives_up_the_stated_share_by_a_reduce_only_order() -> None:
    story = Story(range_below="reduce", reduce_share_e4=4_000).opened_at(105.2).price(99.9).price(99.8)

    # Five bought down to 100; 40 % of them are two.
    assert [f.target_e9 for f in story.facts(e.ReducingStarted) if isinstance(f, e.ReducingStarted)] == [3 * E9]
    flattens = [
        want
        for fact in story.facts(e.OrdersWanted)
        if isinstance(fact, e.OrdersWanted)
        for want in fact.wanted
        if want.kind == "flatten"
    ]
    assert [(want.side, want.size_e9, want.reduce_only) for want in flattens] == [("sell", 2 * E9, True)]
    assert story.grid.position_e9 == 3 * E9
    assert len(story.facts(e.ReducingDone)) == 1
    assert story.lab.venue.read("main", "main").positions[0].base_e9 == 3 * E9


def test_closing_gives_up_everything_and_stops() -> None:
    story = Story(range_above="close").opened_at(105.2).price(110.1).prices(110.1, 110.1)

    assert story.grid.status == "stopped"
    assert story.grid.position_e9 == 0
    assert story.resting() == []


@pytest.mark.parametrize("policy", ["hold", "trail", "reduce"])
def test_after_the_price_is_back_the_grid_trades_on_both_sides(policy: str) -> None:
    trail: dict[str, Any] = {"trail_down_limit_e6": 90 * E6} if policy == "trail" else {}
    story = Story(range_below=policy, **trail).opened_at(105.2).prices(99.9, 97.2, 96.1, 98, 99.2, 101.3)

    assert story.prices_of("buy")
    assert story.prices_of("sell")
    assert story.grid.range_left == ""


def test_a_recentered_grid_turns_around_its_new_middle() -> None:
    story = Story(range_below="recenter", recenter_after_ns=NS_PER_S).opened_at(105.2).price(95, after_s=30)
    assert (story.grid.levels_e6[0], story.grid.levels_e6[-1]) == (90 * E6, 100 * E6)
    before = story.grid.turns

    story.prices(97.1, 95.9, 97.1)  # sold at 96 and 97, bought at 96, sold at 97

    assert story.grid.turns > before
    assert story.prices_of("buy")
    assert story.prices_of("sell")


def test_a_range_that_is_left_during_a_pause_is_reduced_for_when_the_pause_is_over() -> None:
    story = Story(range_below="reduce", reduce_share_e4=4_000).opened_at(105.2).price(100.5)
    story.command(PauseGrid(keep_orders=True)).price(99.9)
    assert len(story.facts(e.RangeLeft)) == 1
    assert story.facts(e.ReducingStarted) == []

    story.command(ResumeGrid()).prices(99.8, 99.7)
    assert [f.target_e9 for f in story.facts(e.ReducingStarted) if isinstance(f, e.ReducingStarted)] == [3 * E9]
    assert story.grid.position_e9 == 3 * E9


def test_what_reduces_takes_no_worse_price_than_the_slippage_allows() -> None:
    story = Story(range_below="reduce", slippage_e4=10).opened_at(105.2).price(99.9)

    flattens = [want for fact in wanted(story) for want in fact.wanted if want.kind == "flatten"]
    assert [want.price_e6 for want in flattens] == [99_810_000]  # 99.8001, on the tick above


def test_a_long_grid_that_is_reduced_leaves_its_cells_no_more_than_stays() -> None:
    story = Story(direction="long", range_below="reduce").opened_at(105.2).price(105.19).price(99.9)

    # All ten are held and five are to go: together with five sells that is the whole position, and never more.
    fact = next(fact for fact in wanted(story) if any(want.kind == "flatten" for want in fact.wanted))
    assert [want.size_e9 for want in fact.wanted] == [5 * E9]
    assert sorted(gone.intent_id for gone in fact.unwanted) == [f"tale/sell/{cell}/0" for cell in range(5, 10)]
    assert {gone.why for gone in fact.unwanted} == {"risk"}


def wanted(story: Story) -> list[e.OrdersWanted]:
    return [fact for fact in story.facts(e.OrdersWanted) if isinstance(fact, e.OrdersWanted)]
