"""Order slots of the account follow a running grid's settings: first more slots, then the edit; first fewer orders.

The sub-account has 32 slots. The grid stands at 100, 101, … 110 and begins with 4 live orders and 2 in reserve.
"""

from __future__ import annotations

from typing import Any

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import Command, EditGrid, ProposeGrid, StopGrid
from gridkeeper_core.units import E6
from gridkeeper_core.venue.state import FillRules
from support.story import Story, config
from support.two_markets import TwoMarkets

SMALL: dict[str, Any] = {"live_orders": 4, "reserve": 2}
LARGE: dict[str, Any] = {"live_orders": 8, "reserve": 4}


def edited(story: Story, **changes: object) -> Story:
    return story.command(EditGrid(config=config(**changes), source=f"as {changes}"))


def reserved(story: Story) -> int:
    return story.lab.execution.account("main").reservations["tale"].slots


def asked(story: Story, author: str) -> Command:
    """The larger settings, as strategy hears of them before anybody answers."""
    body = EditGrid(config=config(**LARGE), source="larger")
    return Command(now_ns=story.now_ns, key=author, author=author, reason="", target="grid:tale", body=body)


def kinds(story: Story, *kinds: type[e.Fact]) -> list[str]:
    return [type(fact).__name__ for fact in story.facts(*kinds)]


def test_an_edit_that_needs_more_slots_gets_them_first_and_comes_into_force_then() -> None:
    story = Story(**SMALL).opened_at(105.2)
    assert (reserved(story), len(story.resting())) == (6, 4)

    edited(story, **LARGE)

    steps = kinds(story, e.EditProposed, e.SlotsChanged, e.GridEdited)
    assert steps == ["EditProposed", "SlotsChanged", "GridEdited"]
    assert (reserved(story), story.grid.slots, story.grid.pending) == (12, 12, None)
    assert story.prices_of("buy") == [101, 102, 103, 104]
    assert story.prices_of("sell") == [106, 107, 108, 109]
    put_in_force = story.facts(e.GridEdited)[0]
    assert isinstance(put_in_force, e.GridEdited)
    assert (put_in_force.author, put_in_force.reason) == ("ann", "because")


def test_slots_that_settings_need_no_more_are_given_back_when_the_orders_in_them_are_gone() -> None:
    story = Story(**LARGE).opened_at(105.2)
    assert (reserved(story), len(story.resting())) == (12, 8)

    edited(story, **SMALL)

    # Eight orders rest when the edit comes into force: two have to go before all fit into six slots.
    steps = [
        type(event.fact).__name__
        for event in story.lab.log
        if isinstance(event.fact, e.GridEdited | e.OrderGone | e.SlotsNeeded | e.SlotsChanged)
    ]
    assert steps[:3] == ["GridEdited", "OrderGone", "OrderGone"]
    assert steps.index("SlotsNeeded") > steps.index("OrderGone")
    assert steps.count("SlotsChanged") == 1
    assert (reserved(story), story.grid.slots) == (6, 6)
    assert story.prices_of("buy") == [103, 104]
    assert story.prices_of("sell") == [106, 107]


def test_what_the_account_has_no_slots_for_is_refused_with_numbers_and_changes_nothing() -> None:
    two = TwoMarkets()
    two.price("SOL-PERP", 105).price("BTC-PERP", 205)
    for wish in (
        config(grid_id="sol", live_orders=8, reserve=2),
        config(grid_id="btc", market="BTC-PERP", lower_e6=200 * E6, upper_e6=210 * E6, live_orders=16),
    ):
        two.lab.command(f"grid:{wish.grid_id}", ProposeGrid(config=wish, source=""), author="ann")
    before = two.lab.strategy.grid("sol")

    two.lab.command("grid:sol", EditGrid(config=config(grid_id="sol", live_orders=9, reserve=4), source=""))

    refused = next(event.fact for event in two.lab.log if isinstance(event.fact, e.EditRefused))
    assert (refused.code, refused.detail) == ("NO_FREE_SLOTS", "12 of 32 free for it, 13 needed")
    after = two.lab.strategy.grid("sol")
    assert (after.config, after.orders, after.pending) == (before.config, before.orders, None)

    # The other grid ends: now there is room.
    two.lab.command("grid:btc", StopGrid(), author="ann")
    two.lab.command("grid:sol", EditGrid(config=config(grid_id="sol", live_orders=9, reserve=4), source=""))
    assert two.lab.strategy.grid("sol").config.live_orders == 9
    assert two.lab.execution.account("main").reservations["sol"].slots == 13


def test_stops_need_a_reserve_of_their_own() -> None:
    story = Story(live_orders=4, reserve=0).opened_at(105.2)
    assert reserved(story) == 4

    edited(story, live_orders=4, reserve=0, stop_low_e6=95 * E6)

    assert reserved(story) == 9
    assert [fact.slots for fact in story.facts(e.SlotsChanged) if isinstance(fact, e.SlotsChanged)] == [9]


def test_the_market_is_measured_against_the_leverage_of_the_new_settings() -> None:
    story = Story().opened_at(105.2)

    edited(story, leverage_e4=20_000)

    assert story.lab.execution.account("main").reservations["tale"].leverage_e4 == 20_000


def test_one_edit_at_a_time_waits_for_the_account() -> None:
    story = Story(**SMALL).opened_at(105.2)
    drafts = story.lab.strategy.accept(asked(story, "ann"))
    assert [type(draft.fact).__name__ for draft in drafts] == ["EditProposed"]

    with pytest.raises(GridkeeperError) as refusal:
        story.lab.strategy.accept(asked(story, "bob"))

    assert (refusal.value.code, refusal.value.value) == ("GRID_STATE", "edit")


def test_a_grid_that_ends_before_the_answer_refuses_its_edit() -> None:
    story = Story(**SMALL).opened_at(105.2)
    story.lab.strategy.accept(asked(story, "ann"))

    story.command(StopGrid())

    assert story.grid.status == "stopped"
    assert story.lab.execution.account("main").reservations == {}


def test_fewer_live_orders_hold_at_once_also_where_orders_wait_beyond_the_price() -> None:
    # 0.3 SOL fills a part of each buy that the price goes through on its way to 96; the rest stays, above the price.
    story = Story(FillRules(model="queue"), live_orders=10, reserve=2).opened_at(105.2)
    story.price(104.27, size=0.3).price(116, size=0.3).price(96, size=0.3)
    assert len(story.resting()) > 2

    edited(story, live_orders=2, reserve=2)

    assert len(story.resting()) == 2
    assert reserved(story) == 4
