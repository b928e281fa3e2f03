"""Shadow, canary and live: how much of a grid is real."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import EditGrid, FlagGrid, StopGrid
from gridkeeper_core.units import E6, E9, NS_PER_S
from support.story import Story, config

DAY_S = 86_400


def test_a_shadow_grid_decides_and_sends_nothing() -> None:
    story = Story().opened_at(105.2).command(FlagGrid(flag="shadow"))
    assert story.resting() == []
    accepted = len(story.facts(e.OrderAccepted))

    story.prices(103.9, 102.9, 105.4)

    assert [fact for fact in story.facts(e.OrdersWanted) if isinstance(fact, e.OrdersWanted) and fact.shadow]
    assert len(story.facts(e.OrderAccepted)) == accepted
    assert story.resting() == []
    assert story.grid.position_e9 == 0


def test_a_shadow_grid_that_goes_live_has_all_its_orders() -> None:
    story = Story().opened_at(105.2)
    before = story.resting()

    story.command(FlagGrid(flag="shadow")).price(104.4).command(FlagGrid(flag="live"))

    assert story.resting() == before


def test_an_edited_shadow_grid_has_its_new_orders_at_once() -> None:
    story = Story().opened_at(105.2).command(FlagGrid(flag="shadow"))

    story.command(EditGrid(config=config(lower_e6=96 * E6), source="lower"))

    # Ten cells, but the gap has no order: all others want one.
    assert len([order for order in story.grid.orders.values() if order.shadow]) == 10


def test_a_shadow_grid_can_be_stopped() -> None:
    story = Story().opened_at(105.2).price(103.9).command(FlagGrid(flag="shadow"))
    story.command(StopGrid(close=True)).price(103.9)

    assert story.grid.status == "stopped"
    assert story.lab.venue.read("main", "main").positions[0].base_e9 == 0


def test_a_canary_trades_a_small_part_and_reverts_by_itself() -> None:
    story = Story(order_life_ns=0).opened_at(105.2).command(FlagGrid(flag="canary"))
    assert {size for _, _, size in story.resting()} == {0.05}
    story.price(103.9)
    assert story.grid.position_e9 == E9 // 20

    story.price(103.9, after_s=DAY_S).price(103.8, after_s=10)

    flags = [(f.flag, f.author) for f in story.facts(e.GridFlagged) if isinstance(f, e.GridFlagged)]
    assert flags == [("canary", "ann"), ("live", "gridkeeper")]
    assert story.grid.position_e9 == E9 // 20
    assert {size for side, _, size in story.resting() if side == "buy"} == {1.0}
    story.lab.reconcile()
    assert not story.lab.execution.account("main").differs


def test_a_canary_ends_in_time_though_no_price_comes() -> None:
    story = Story().opened_at(105.2).command(FlagGrid(flag="canary"))

    story.lab.advance(story.now_ns + DAY_S * NS_PER_S)

    assert story.grid.memory.flag == "live"
    assert min(story.grid.sizes_e9) == E9


def test_a_canary_under_the_minimum_is_refused_and_says_what_would_do() -> None:
    story = Story(size_base_e9=E9 // 10).opened_at(105.2)
    before = story.grid

    with pytest.raises(GridkeeperError) as refusal:
        story.command(FlagGrid(flag="canary"))

    # A twentieth of 0.1 is 0.005, the market's minimum is 0.01: a tenth would do.
    assert refusal.value.code == "SIZE_UNDER_MINIMUM"
    assert "0.1 or more" in refusal.value.do
    assert story.grid == before


def test_the_same_flag_twice_is_said_once() -> None:
    story = Story().opened_at(105.2).command(FlagGrid(flag="canary")).command(FlagGrid(flag="canary"))
    assert len(story.facts(e.GridFlagged)) == 1


def test_stops_stay_on_the_venue_while_a_grid_with_a_position_is_in_shadow() -> None:
    story = Story(stop_low_e6=95 * E6, live_orders=27, reserve=5).opened_at(105.2).price(103.9).price(103.9)
    stops = [order for order in story.grid.orders.values() if order.kind == "stop-low"]
    assert len(stops) == 1

    story.command(FlagGrid(flag="shadow"))

    assert [order.unwanted for order in story.grid.orders.values() if order.kind == "stop-low"] == [""]
    assert not [order for order in story.grid.orders.values() if not order.shadow and order.kind != "stop-low"]


def test_a_stop_that_is_moved_in_shadow_stays_where_it_is_until_the_grid_is_live() -> None:
    settings: dict[str, Any] = {"stop_low_e6": 95 * E6, "live_orders": 27, "reserve": 5}
    story = Story(**settings).opened_at(105.2).price(103.9).command(FlagGrid(flag="shadow"))

    moved = replace(story.config, stop_low_e6=94 * E6)
    story.command(EditGrid(config=moved, source="")).price(103.8)
    assert triggers(story) == [95.0]
    story.command(FlagGrid(flag="live")).price(103.8)
    assert triggers(story) == [94.0]


def triggers(story: Story) -> list[float]:
    return [o.trigger_e6 / E6 for o in story.lab.venue.read("main", "main").orders if o.trigger_e6]
