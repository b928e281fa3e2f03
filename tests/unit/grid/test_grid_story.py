"""What a grid does as prices pass, told with numbers a reader can follow: levels 100, 101, … 110, one SOL per cell."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.state import gap_of
from gridkeeper_core.inputs import HaltAccount, PauseGrid, ProposeGrid, ResumeAccount, ResumeGrid, StopGrid
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue.state import FillRules
from support.story import SPEC, Story, config


def test_a_neutral_grid_opens_with_buys_below_and_sells_above_the_gap() -> None:
    story = Story().opened_at(105.2)

    assert story.prices_of("buy") == [100, 101, 102, 103, 104]
    assert story.prices_of("sell") == [106, 107, 108, 109, 110]
    assert gap_of(story.grid) == 5
    assert story.grid.position_e9 == 0


def test_a_filled_buy_places_the_sell_one_level_above_and_moves_the_gap_down() -> None:
    story = Story().opened_at(105.2).price(103.9)

    assert story.prices_of("buy") == [100, 101, 102, 103]
    assert story.prices_of("sell") == [105, 106, 107, 108, 109, 110]
    assert gap_of(story.grid) == 4
    assert story.grid.position_e9 == E9


def test_a_completed_turn_earns_one_spacing_and_the_rebates() -> None:
    story = Story().opened_at(105.2).prices(103.9, 105.1)

    # Bought at 104, sold at 105; rebates of 2 bp: 0.0208 and 0.0210.
    assert story.grid.position_e9 == 0
    assert story.grid.cash_e6 == 1 * E6 + 20_800 + 21_000
    assert story.grid.turns == 1
    assert gap_of(story.grid) == 5


def test_one_row_through_three_levels_fills_all_three_and_places_their_opposites() -> None:
    story = Story().opened_at(105.2).price(101.5)

    assert story.grid.position_e9 == 3 * E9
    assert story.prices_of("buy") == [100, 101]
    assert story.prices_of("sell") == [103, 104, 105, 106, 107, 108, 109, 110]


def test_only_the_nearest_orders_of_each_side_are_live() -> None:
    story = Story(live_orders=5).opened_at(105.2)

    # The odd one is a buy.
    assert story.prices_of("buy") == [102, 103, 104]
    assert story.prices_of("sell") == [106, 107]
    story.price(103.9)
    assert story.prices_of("buy") == [101, 102, 103]
    assert story.prices_of("sell") == [105, 106]


def test_hysteresis_leaves_the_far_edge_until_it_is_off_by_more_than_two_levels() -> None:
    story = Story(live_orders=8, hysteresis=2).opened_at(105.2)
    assert story.prices_of("buy") == [101, 102, 103, 104]

    story.price(103.9)  # the far buy at 100 is missing, but only by one
    assert story.prices_of("buy") == [101, 102, 103]
    assert story.prices_of("sell") == [105, 106, 107, 108, 109]
    story.prices(102.9, 101.9)
    assert story.prices_of("buy") == [100, 101]
    assert story.prices_of("sell") == [103, 104, 105, 106]


def test_rolls_keep_their_distance_in_time_but_opposites_do_not_wait() -> None:
    story = Story(live_orders=4, roll_interval_ns=60 * NS_PER_S).opened_at(105.2)
    assert story.prices_of("buy") == [103, 104]

    story.price(103.9)
    assert story.prices_of("sell") == [105, 106, 107]  # the opposite of the fill came at once
    assert story.prices_of("buy") == [103]
    story.price(103.8, after_s=60)
    assert story.prices_of("buy") == [102, 103]
    assert story.prices_of("sell") == [105, 106]


def test_a_partial_fill_places_the_opposite_of_what_was_filled_and_completes_it_later() -> None:
    story = Story(FillRules(model="queue")).opened_at(105.2)

    story.price(104, size=0.4)
    assert ("buy", 104.0, 0.6) in story.resting()
    assert ("sell", 105.0, 0.4) in story.resting()
    story.price(104, size=0.6)
    assert ("sell", 105.0, 1.0) in story.resting()
    assert story.grid.held_e9[4] == E9
    assert 104 not in story.prices_of("buy")


def test_a_partial_below_the_market_minimum_waits_until_it_is_large_enough() -> None:
    fine = replace(SPEC, step_e9=E9 // 1000)
    story = Story(FillRules(model="queue"), spec=fine, size_base_e9=E9 // 50).opened_at(105.2)

    story.price(104, size=0.005)
    assert 105 not in story.prices_of("sell")
    story.price(104, size=0.005)
    assert ("sell", 105.0, 0.01) in story.resting()


def test_no_level_ever_has_two_orders() -> None:
    story = Story(FillRules(model="queue")).opened_at(105.2)
    for price in (104, 104, 103.9, 105, 104.5, 106, 103, 105.5):
        story.price(price, size=0.3)
        prices = [price for _, price, _ in story.resting()]
        assert len(prices) == len(set(prices))


def test_a_paused_grid_has_no_orders_and_a_resumed_one_is_whole_again() -> None:
    story = Story().opened_at(105.2)
    before = story.resting()

    story.command(PauseGrid())
    assert story.resting() == []
    story.price(103.5)
    assert story.resting() == []
    story.command(ResumeGrid()).price(105.2)
    assert story.resting() == before


def test_a_pause_that_keeps_orders_leaves_them_and_places_no_new_ones() -> None:
    story = Story().opened_at(105.2).command(PauseGrid(keep_orders=True))

    assert len(story.resting()) == 10
    story.price(103.9)
    assert len(story.resting()) == 9


def test_a_halted_account_cancels_everything_and_refuses_until_it_is_resumed() -> None:
    story = Story().opened_at(105.2).command(HaltAccount(), "account:main")

    assert story.resting() == []
    assert list(story.grid.pauses) == ["ACCOUNT_HALTED"]
    story.price(104.4).command(ResumeAccount(), "account:main")
    assert len(story.resting()) == 10


def test_a_stopped_grid_cancels_its_orders_keeps_its_position_and_releases_its_slots() -> None:
    story = Story().opened_at(105.2).price(103.9).command(StopGrid())

    assert story.resting() == []
    stopped = story.facts(e.GridStopped)
    assert [(s.position_e9, s.fills) for s in stopped if isinstance(s, e.GridStopped)] == [(E9, 1)]
    assert story.lab.execution.account("main").reservations == {}


def test_a_grid_stopped_with_close_gives_its_position_back() -> None:
    story = Story().opened_at(105.2).price(103.9).command(StopGrid(close=True)).price(103.9)

    assert story.grid.status == "stopped"
    assert story.grid.position_e9 == 0
    assert story.lab.venue.read("main", "main").positions[0].base_e9 == 0


def test_the_range_is_left_at_its_ends_and_returned_to_one_interval_inside() -> None:
    story = Story().opened_at(105.2).prices(110.1, 109.5, 109)

    assert story.facts(e.RangeLeft, e.RangeReturned) == [
        e.RangeLeft(where="high", price_e6=110_100_000),
        e.RangeReturned(where="high", price_e6=109 * E6),
    ]


def test_orders_are_renewed_at_half_of_their_life() -> None:
    story = Story(order_life_ns=100 * NS_PER_S).opened_at(105.2)
    first = {o.order_id for o in story.lab.venue.read("main", "main").orders}

    story.price(105.2, after_s=51)
    renewed = story.lab.venue.read("main", "main").orders
    assert len(renewed) == 10
    assert not first & {o.order_id for o in renewed}


def test_a_stale_price_pauses_by_itself_and_a_fresh_one_resumes() -> None:
    story = Story().opened_at(105.2)
    story.price(105.2, after_s=3 * 3600)

    codes = [(type(f).__name__, f.code) for f in story.facts(e.GridPaused, e.GridResumed)]  # type: ignore[attr-defined]
    assert codes == [("GridPaused", "STALE_PRICE"), ("GridResumed", "STALE_PRICE")]
    assert len(story.resting()) == 10


def test_the_loss_limit_trips_cancels_everything_and_a_person_resumes() -> None:
    story = Story(risk_enabled=True, capital_e6=100 * E6, max_drawdown_e4=500, cool_down_ns=0).opened_at(105.2)

    story.price(101.5)  # three bought at 104, 103, 102 are worth 4.50 less: under the limit of 5.00
    assert "red" not in tiers(story)
    story.price(101.2)
    assert tiers(story)[-1] == "red"
    assert story.resting() == []
    story.command(ResumeGrid())
    assert len(story.resting()) == 10
    assert tiers(story).count("red") == 1


def tiers(story: Story) -> list[str]:
    return [fact.tier for fact in story.facts(e.RiskTripped) if isinstance(fact, e.RiskTripped)]


def test_a_second_grid_on_the_same_market_and_account_is_rejected() -> None:
    story = Story().opened_at(105.2)
    other = config(grid_id="other")
    story.command(ProposeGrid(config=other, source=""), "grid:other")

    rejected = [f.code for f in story.facts(e.GridRejected) if isinstance(f, e.GridRejected)]
    assert rejected == ["MARKET_BUSY"]


def test_the_same_id_twice_is_refused_and_nothing_changes() -> None:
    story = Story().opened_at(105.2)
    before = len(story.lab.log)

    with pytest.raises(GridkeeperError) as refusal:
        story.command(ProposeGrid(config=story.config, source=""))
    assert refusal.value.code == "GRID_EXISTS"
    assert len(story.lab.log) == before


def test_a_rejected_grid_may_be_proposed_again_under_its_id() -> None:
    story = Story(size_base_e9=10**6).opened_at(105.2)
    assert [f.code for f in story.facts(e.GridRejected) if isinstance(f, e.GridRejected)] == ["SIZE_UNDER_MINIMUM"]
    story.command(ProposeGrid(config=config(), source=""))
    assert story.grid.status == "open"
    assert len(story.resting()) == 10


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"intervals": 600}, "SPACING_TOO_SMALL"),
        ({"size_base_e9": 10**6}, "SIZE_UNDER_MINIMUM"),
        ({"size_base_e9": None, "size_quote_e6": 500_000}, "SIZE_UNDER_MINIMUM"),
        ({"live_orders": 32, "reserve": 4}, "NO_FREE_SLOTS"),
        ({"market": "ETH-PERP"}, "MARKET_UNKNOWN"),
        ({"account": "nobody"}, "ACCOUNT_UNKNOWN"),
    ],
)
def test_a_grid_that_cannot_be_carried_is_rejected_with_its_reason(changes: dict[str, Any], code: str) -> None:
    story = Story(**changes).opened_at(105.2)

    assert [f.code for f in story.facts(e.GridRejected) if isinstance(f, e.GridRejected)] == [code]
    assert story.resting() == []


def test_a_pause_that_kept_the_orders_can_still_take_them_away() -> None:
    story = Story().opened_at(105.2).command(PauseGrid(keep_orders=True))
    assert len(story.resting()) == 10

    story.command(PauseGrid())
    assert (story.resting(), story.grid.pauses) == ([], {"PAUSED": False})
    story.command(PauseGrid(keep_orders=True))
    assert story.grid.pauses == {"PAUSED": False}
