"""Shadow, canary and live: how much of a grid is real."""

from __future__ import annotations

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import FlagGrid, StopGrid
from gridkeeper_core.units import E9
from support.story import Story

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
