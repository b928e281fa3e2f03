"""Stops, take profit, and what happens first when one fires: levels 100, 101, … 110, one SOL per cell."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.parse import parse_grid
from gridkeeper_core.grid.settings import EXAMPLE
from gridkeeper_core.inputs import (
    EditGrid,
    EventSeen,
    HaltAccount,
    PauseGrid,
    PriceTick,
    ProposeGrid,
    ResumeGrid,
    StopGrid,
)
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import GENESIS, Recorded
from gridkeeper_core.units import E6, E9
from gridkeeper_core.venue.records import WHOLE_POSITION_E9
from gridkeeper_core.venue.state import FillRules, MarketRules
from gridkeeper_lab.engine import Lab
from support.story import SPEC, Story, config

STOPS: dict[str, Any] = {"stop_low_e6": 95 * E6, "stop_high_e6": 115 * E6, "live_orders": 27, "reserve": 5}


def sleeping(story: Story) -> list[tuple[str, float]]:
    """Side and trigger of every order that sleeps on the venue."""
    orders = story.lab.venue.read("main", "main").orders
    return sorted((order.side, order.trigger_e6 / E6) for order in orders if order.trigger_e6)


def endings(story: Story) -> list[str]:
    return [fact.code for fact in story.facts(e.GridStopping) if isinstance(fact, e.GridStopping)]


def test_a_stop_is_there_while_there_is_a_position_it_would_close() -> None:
    story = Story(**STOPS).opened_at(105.2)
    assert sleeping(story) == []

    story.price(103.9)
    assert sleeping(story) == [("sell", 95.0)]
    story.price(106.5)  # short by one now: the other stop comes; the first one went when the position was flat
    assert sleeping(story) == [("buy", 115.0)]
    wants = [want for fact in story.facts(e.OrdersWanted) if isinstance(fact, e.OrdersWanted) for want in fact.wanted]
    stops = [want for want in wants if want.trigger_e6]
    assert [(want.kind, want.trigger_above) for want in stops] == [("stop-low", False), ("stop-high", True)]
    assert {(want.order_type, want.size_e9, want.reduce_only, want.lasts_ns) for want in stops} == {
        ("trigger_market", WHOLE_POSITION_E9, True, 0)
    }

    story.prices(103.9, 103.9)  # long again, by way of flat
    assert sleeping(story) == [("sell", 95.0)]


def test_pause_and_halt_keep_the_stops() -> None:
    story = Story(**STOPS).opened_at(105.2).price(103.9)

    story.command(PauseGrid())
    assert (sleeping(story), len(story.resting())) == ([("sell", 95.0)], 1)
    story.command(ResumeGrid())
    assert len(story.resting()) == 11
    story.command(HaltAccount(), "account:main")
    assert (sleeping(story), len(story.resting())) == ([("sell", 95.0)], 1)
    gone = [order for fact in story.facts(e.OrdersWanted) for order in fact.unwanted]  # type: ignore[attr-defined]
    assert [order for order in gone if "/stop-" in order.intent_id] == []  # nor was it taken away for a moment


def test_a_stop_that_fired_on_the_venue_cancels_all_orders_first_and_ends_the_grid() -> None:
    story = Story(**STOPS).opened_at(105.2).price(103.9)

    story.price(99).price(94.9)
    # Five were bought down to 100, and the stop sold all of them.
    assert endings(story) == ["STOP_LOW"]
    assert (story.grid.status, story.grid.position_e9, story.resting()) == ("stopped", 0, [])
    after = story.facts(e.GridStopping, e.OrdersWanted, e.PositionReduced)
    first = next(place for place, fact in enumerate(after) if isinstance(fact, e.GridStopping))
    cancels = after[first + 1]
    assert isinstance(cancels, e.OrdersWanted)
    assert cancels.wanted == ()
    assert {gone.why for gone in cancels.unwanted} == {"stop"}


def test_a_crash_through_all_levels_and_the_stop_in_one_row_ends_flat() -> None:
    story = Story(**STOPS).opened_at(105.2).price(103.9)

    # The stop closes the one SOL that is there; the four buys above 94.9 fill before they can be cancelled. What they
    # bought is sold as soon as an order at the new price is there.
    story.prices(94.9, 94.9, 94.8, 94.7, 94.6)
    assert (endings(story), story.grid.status, story.grid.position_e9, story.resting()) == (
        ["STOP_LOW"],
        "stopped",
        0,
        [],
    )


def test_the_bots_own_stop_fires_as_well_when_the_venues_order_is_missing() -> None:
    story = Story(**STOPS).opened_at(105.2).price(103.9)
    # The price alone, without the venue's part of the row.
    price = Price(market="SOL-PERP", source="story", source_seq=99, ts_ns=story.now_ns, oracle_e6=94_900_000)
    drafts = story.lab.strategy.accept(PriceTick(now_ns=story.now_ns, price=price))
    facts = [draft.fact for draft in drafts]
    stopping = next(fact for fact in facts if isinstance(fact, e.GridStopping))
    assert (stopping.code, stopping.close) == ("STOP_LOW", True)
    assert stopping.reason == "stop-low at 95 reached by 94.9"
    wanted = next(fact for fact in facts if isinstance(fact, e.OrdersWanted))
    # Everything goes but the stop itself, which guards the position until it is closed.
    assert "tale/stop-low/0/0" not in [gone.intent_id for gone in wanted.unwanted]
    assert len(wanted.unwanted) == 10


def test_take_profit_at_a_price_closes_a_long_grid() -> None:
    story = Story(direction="long", take_profit_e6=112 * E6, live_orders=27, reserve=5).opened_at(105.2).price(105.19)
    assert sleeping(story) == [("sell", 112.0)]

    story.price(109.5).price(112.01)
    assert (endings(story), story.grid.status, story.grid.position_e9) == (["TAKE_PROFIT"], "stopping", -E9)
    story.prices(112, 112, 112)  # the last sell filled in the same row, after the target: it is bought back
    assert (story.grid.status, story.grid.position_e9, story.resting()) == ("stopped", 0, [])


def test_take_profit_at_a_share_of_capital_closes_the_grid() -> None:
    story = Story(take_profit_pnl_e4=200, capital_e6=100 * E6).opened_at(105.2)

    story.prices(103.9, 105.1)  # one turn: 1.0418
    assert endings(story) == []
    story.prices(103.9, 105.1)  # two turns: 2.0836 of the 2 that are asked for
    assert endings(story) == ["TAKE_PROFIT"]
    assert story.price(105.1).grid.status == "stopped"


def test_a_stopped_grid_takes_its_stops_away() -> None:
    story = Story(**STOPS).opened_at(105.2).price(103.9).command(StopGrid())

    assert (story.grid.status, story.grid.position_e9, story.resting()) == ("stopped", E9, [])


def test_closing_keeps_the_stop_until_the_position_is_gone() -> None:
    story = Story(**STOPS).opened_at(105.2).price(103.9).command(StopGrid(close=True)).price(103.9)

    assert (story.grid.status, story.grid.position_e9, story.resting()) == ("stopped", 0, [])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"stop_low_e6": 106 * E6}, "STOP_PASSED"),
        ({"stop_high_e6": 105 * E6}, "STOP_PASSED"),
        ({"direction": "long", "take_profit_e6": 105 * E6}, "STOP_PASSED"),
        ({"direction": "short", "take_profit_e6": 106 * E6}, "STOP_PASSED"),
    ],
)
def test_a_grid_that_would_end_at_once_is_rejected(changes: dict[str, Any], code: str) -> None:
    story = Story(live_orders=27, reserve=5, **changes).opened_at(105.2)

    assert [fact.code for fact in story.facts(e.GridRejected) if isinstance(fact, e.GridRejected)] == [code]


@pytest.mark.parametrize("settings", [STOPS, {}])
def test_a_grid_beside_a_position_that_is_not_its_own_is_refused(settings: dict[str, Any]) -> None:
    story = Story(**settings).price(105.2)
    story.command(ProposeGrid(config=config(grid_id="first"), source=""), "grid:first").price(103.9)
    story.command(StopGrid(), "grid:first").command(ProposeGrid(config=story.config, source=""))

    rejected = [fact.code for fact in story.facts(e.GridRejected) if isinstance(fact, e.GridRejected)]
    assert rejected == ["POSITION_EXISTS"]


def test_a_file_with_stops_leaves_room_for_them() -> None:
    plain = EXAMPLE.replace("live_orders = 28\nreserve = 4\n", "")

    with_stops = parse_grid(plain + '\n[stops]\nlow = "110"\nhigh = "190"\n')
    assert (with_stops.live_orders, with_stops.reserve) == (27, 5)
    without = parse_grid(plain)
    assert (without.live_orders, without.reserve) == (28, 4)


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ('[stops]\nlow = "120"', "STOP_INSIDE_RANGE", "stops.low"),
        ('[stops]\nhigh = "180"', "STOP_INSIDE_RANGE", "stops.high"),
        ('[stops]\nlow = "110"', "WINDOW_TOO_LARGE", "window.live_orders"),
    ],
)
def test_stops_that_do_not_fit_are_refused_by_name(text: str, code: str, field: str) -> None:
    with pytest.raises(GridkeeperError) as refused:
        parse_grid(f"{EXAMPLE}\n{text}\n")

    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_trigger_told_by_the_venue_ends_the_grid_before_its_fill_is_known() -> None:
    story = Story(**STOPS).opened_at(105.2).price(103.9)
    triggered = e.OrderTriggered(
        intent_id="tale/stop-low/0/0", attempt=1, order_id=1, market="SOL-PERP", market_index=0, slot=1, signature="s",
        index=0,
    )  # fmt: skip
    event = Recorded(
        stream="account:main", version=999, ts_ns=story.now_ns, cause="", thread="", prev=GENESIS, fact=triggered
    )

    drafts = story.lab.strategy.accept(EventSeen(now_ns=story.now_ns, event=event))
    assert [type(draft.fact).__name__ for draft in drafts] == ["PriceSeen", "GridStopping", "OrdersWanted"]


def test_a_closing_order_whose_cap_is_too_near_by_now_is_placed_anew_every_two_seconds() -> None:
    # With a spread of 2 % the bid is a percent below the price, and the cap half a percent: it rests.
    story = Story()
    story.lab = Lab([MarketRules(spec=SPEC, spread_bps=200)], fills=FillRules(model="through"))
    story.opened_at(105.2).price(103.9)
    story.command(StopGrid(close=True))
    assert story.resting() == [("sell", 103.39, 1.0)]

    # At 103.50 the order is still below the price, but a cap of now would be lower.
    story.price(103.5)
    assert story.resting() == [("sell", 103.39, 1.0)]
    story.price(103.5)
    assert story.resting() == [("sell", 102.99, 1.0)]
    # When the price rises nothing is gained by a higher cap.
    story.prices(103.8, 103.8, 103.8)
    assert story.resting() == [("sell", 102.99, 1.0)]
    # At 104.10 the bid is 103.05, and it is done.
    story.price(104.1)
    assert (story.grid.status, story.grid.position_e9) == ("stopped", 0)


def test_an_edit_to_a_stop_that_the_price_has_passed_is_refused() -> None:
    story = Story(**STOPS).opened_at(105.2).price(103.9).price(97)

    with pytest.raises(GridkeeperError) as refusal:
        story.command(EditGrid(config=replace(story.config, stop_low_e6=98 * E6), source=""))

    assert (refusal.value.code, refusal.value.field) == ("STOP_PASSED", "stops.low")
    assert (story.grid.status, sleeping(story)) == ("open", [("sell", 95.0)])


def test_a_position_that_came_during_a_pause_that_kept_orders_has_its_stop() -> None:
    story = Story(**STOPS).opened_at(105.2).command(PauseGrid(keep_orders=True))
    story.price(103.9).price(103.9)
    assert story.grid.position_e9 == E9
    assert sleeping(story) == [("sell", 95.0)]
