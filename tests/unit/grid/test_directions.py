"""How long and short grids begin, told with numbers a reader can follow: levels 100, 101, … 110, one SOL per cell."""

from __future__ import annotations

from typing import Any

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.grid.state import gap_of
from gridkeeper_core.inputs import HaltAccount, PauseGrid, ProposeGrid, ResumeAccount, ResumeGrid, StopGrid
from gridkeeper_core.ledger.marks import lines_at, result_at
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue.state import FillRules
from support.story import Story, config


def rejected(story: Story) -> list[str]:
    return [fact.code for fact in story.facts(e.GridRejected) if isinstance(fact, e.GridRejected)]


def entry_done(story: Story) -> list[e.EntryDone]:
    return [fact for fact in story.facts(e.EntryDone) if isinstance(fact, e.EntryDone)]


def with_position(*path: float, **changes: Any) -> Story:
    """An account that holds what a neutral grid left behind, and then this grid is proposed."""
    story = Story(**changes).price(105.2)
    story.command(ProposeGrid(config=config(grid_id="first"), source=""), "grid:first")
    story.prices(*path)
    story.command(StopGrid(), "grid:first")
    return story.command(ProposeGrid(config=story.config, source=""))


def test_a_long_grid_first_buys_what_its_upper_cells_hold() -> None:
    story = Story(direction="long").opened_at(105.2)

    # Five cells from 105 up; the best price that rests is one tick below the market.
    assert story.resting() == [("buy", 105.19, 5.0)]
    assert list(story.grid.pauses) == ["ENTRY"]
    story.price(105.19)
    assert story.prices_of("buy") == [100, 101, 102, 103, 104]
    assert story.prices_of("sell") == [106, 107, 108, 109, 110]
    assert story.grid.position_e9 == 5 * E9
    assert gap_of(story.grid) == 5


def test_a_short_grid_first_sells_what_its_lower_cells_buy_back() -> None:
    story = Story(direction="short").opened_at(105.2)

    assert story.resting() == [("sell", 105.21, 5.0)]
    story.price(105.21)
    assert story.prices_of("buy") == [100, 101, 102, 103, 104]
    assert story.prices_of("sell") == [106, 107, 108, 109, 110]
    assert story.grid.position_e9 == -5 * E9


def test_a_long_grid_is_flat_above_its_range_and_a_short_one_below() -> None:
    long = Story(direction="long").opened_at(105.2).prices(105.19, 111)
    short = Story(direction="short").opened_at(105.2).prices(105.21, 99)

    assert (long.grid.position_e9, short.grid.position_e9) == (0, 0)
    assert (long.prices_of("sell"), short.prices_of("buy")) == ([], [])


def test_the_profit_of_a_long_grid_counts_the_entry_once() -> None:
    story = Story(direction="long").opened_at(105.2).prices(105.19, 106)

    # One SOL bought at 105.19 and sold at 106; four are left, bought at 105.19. Rebates: 0.10519 and 0.0212.
    books = story.lab.ledger.state.grids["tale"]
    result = result_at(books.sums, 106 * E6)
    assert result.grid_profit_e6 == 810_000
    assert result.total_pnl_e6 == 810_000 + 4 * 810_000 + 105_190 + 21_200
    assert {line.name: line.quote_e6 for line in lines_at(books, 106 * E6)} == {
        "grid profit": 810_000,
        "held in cells, against its cost": 4 * 810_000,
        "fills outside of cells": 0,
        "position at the start, against what the cells held": 0,
        "fees": 126_390,
        "funding": 0,
    }


def test_a_maker_entry_follows_the_price_at_most_every_two_seconds() -> None:
    story = Story(FillRules(model="through"), direction="long").opened_at(105.2)

    story.price(105.5)
    assert story.resting() == [("buy", 105.19, 5.0)]
    story.price(105.5).price(105.5)
    assert story.resting() == [("buy", 105.49, 5.0)]


def test_at_the_timeout_levels_go_live_scaled_to_what_was_got() -> None:
    story = Story(FillRules(model="queue"), direction="long", entry_timeout_ns=5 * NS_PER_S).opened_at(105.2)

    story.price(105.19, size=2.5)
    assert story.resting() == [("buy", 105.19, 2.5)]
    story.price(105.6, after_s=10)
    # 2.5 of 5: every cell is half as large.
    assert set(story.grid.sizes_e9) == {E9 // 2}
    assert story.grid.held_e9.total == story.grid.position_e9 == 5 * E9 // 2
    assert [(done.why, done.base_e9) for done in entry_done(story)] == [("timeout", 5 * E9 // 2)]
    assert len(story.resting()) == 10


def test_what_rounding_leaves_over_goes_to_the_nearest_cells() -> None:
    story = Story(FillRules(model="queue"), direction="long", entry_timeout_ns=5 * NS_PER_S).opened_at(105.2)

    story.price(105.19, size=2.53).price(105.6, after_s=10)
    # 2.53 / 5 = 0.506 per cell: 0.50 after rounding, and three steps of 0.01 are left.
    assert [size / E9 for size in story.grid.sizes_e9[4:]] == [0.5, 0.51, 0.51, 0.51, 0.5, 0.5]
    assert story.grid.held_e9.total == story.grid.position_e9 == 253 * E9 // 100


def test_an_entry_too_small_for_the_market_ends_the_grid_and_gives_back_what_it_got() -> None:
    story = Story(
        FillRules(model="queue"), direction="long", size_base_e9=E9 // 50, entry_timeout_ns=5 * NS_PER_S
    ).opened_at(105.2)

    story.price(105.19, size=0.03).price(105.6, after_s=10, size=9).price(105.6, size=9)
    assert story.grid.status == "stopped"
    stopped = [fact for fact in story.facts(e.GridStopped) if isinstance(fact, e.GridStopped)]
    assert [(fact.code, fact.position_e9) for fact in stopped] == [("ENTRY_TOO_SMALL", 0)]


def test_nothing_got_at_the_timeout_ends_the_grid() -> None:
    story = Story(FillRules(model="through"), direction="short", entry_timeout_ns=5 * NS_PER_S).opened_at(105.2)

    story.price(105.1, after_s=60)
    assert (story.grid.status, story.grid.stop_code, story.resting()) == ("stopped", "ENTRY_TOO_SMALL", [])


def test_a_taker_entry_takes_within_the_slippage_cap_and_goes_live_at_once() -> None:
    story = Story(direction="long", entry="taker").opened_at(105.2)

    wants = [want for fact in story.facts(e.OrdersWanted) if isinstance(fact, e.OrdersWanted) for want in fact.wanted]
    # 50 bp above 105.20 are 105.726, on the tick 105.72.
    assert (wants[0].kind, wants[0].price_e6, wants[0].immediate_or_cancel) == ("entry", 105_720_000, True)
    assert story.grid.position_e9 == 5 * E9
    assert len(story.resting()) == 10


def test_an_adopted_position_counts_towards_the_entry_at_the_venues_own_price() -> None:
    story = with_position(103.9, 102.5, direction="long", adopt=True)

    # Two SOL are there, bought at 104 and 103; at 102.5 eight are needed.
    assert story.resting() == [("buy", 102.49, 6.0)]
    assert story.grid.position_e9 == 2 * E9
    story.price(102.49)
    assert story.grid.position_e9 == 8 * E9
    books = story.lab.ledger.state.grids["tale"]
    assert books.sums.position.quote_entry_e6 == -(207 * E6 + 6 * 102_490_000)
    assert sum(cell.quote_e6 for cell in books.sums.cells.values()) == books.sums.position.quote_entry_e6


def test_a_position_large_enough_needs_no_entry() -> None:
    beside = with_position(101.5, direction="short", adopt=False)
    assert rejected(beside) == ["POSITION_EXISTS"]

    adopting = with_position(101.5, 109.5, 111, direction="long", adopt=True)
    # The first grid ended short; a long grid cannot begin with that.
    assert rejected(adopting) == ["POSITION_SIDE"]
    enough = with_position(101.5, direction="long", adopt=True, lower_e6=96 * E6, upper_e6=103 * E6, intervals=7)
    # Three SOL are there, and the two cells from 101 up hold two: what is too much stays beside the cells.
    assert entry_done(enough)[0].why == "adopted"
    assert enough.grid.position_e9 == 3 * E9
    assert enough.grid.held_e9.total == 2 * E9
    assert len(enough.resting()) == 7


def test_a_neutral_grid_that_adopts_begins_with_the_position() -> None:
    story = with_position(103.9, adopt=True)

    assert story.grid.position_e9 == E9
    assert len(story.resting()) == 10
    assert story.lab.ledger.state.grids["tale"].sums.position.quote_entry_e6 == -104 * E6


def test_a_pause_cancels_the_entry_and_resuming_brings_it_back() -> None:
    story = Story(direction="long").opened_at(105.2).command(PauseGrid())

    assert story.resting() == []
    story.command(ResumeGrid())
    assert story.resting() == [("buy", 105.19, 5.0)]


def test_stopping_during_the_entry_cancels_it() -> None:
    story = Story(direction="long").opened_at(105.2).command(StopGrid())

    assert (story.grid.status, story.resting()) == ("stopped", [])


@pytest.mark.parametrize(("trigger", "path"), [(103.0, (104.0, 103.01)), (107.0, (106.0, 106.99))])
def test_a_grid_with_a_start_price_waits_for_it_and_opens_there(trigger: float, path: tuple[float, ...]) -> None:
    story = Story(start_trigger_e6=round(trigger * E6)).opened_at(105.2)

    assert (story.grid.status, list(story.grid.pauses)) == ("armed", ["WAITING_TRIGGER"])
    story.prices(*path)
    assert (story.grid.status, story.resting()) == ("armed", [])
    story.price(trigger)
    assert story.grid.status == "open"
    assert gap_of(story.grid) == round(trigger) - 100
    assert len(story.resting()) == 10


def test_a_waiting_grid_can_be_stopped_and_gives_its_slots_back() -> None:
    story = Story(start_trigger_e6=103 * E6).opened_at(105.2).command(StopGrid())

    assert story.grid.status == "stopped"
    assert story.lab.execution.account("main").reservations == {}


def test_a_waiting_grid_does_not_open_while_its_account_is_halted() -> None:
    story = Story(start_trigger_e6=103 * E6).opened_at(105.2).command(HaltAccount(), "account:main")

    story.price(102.9)
    assert (story.grid.status, sorted(story.grid.pauses)) == ("armed", ["ACCOUNT_HALTED", "WAITING_TRIGGER"])
    story.command(ResumeAccount(), "account:main")
    assert (story.grid.status, story.grid.pauses, len(story.resting())) == ("open", {}, 10)


def test_funding_of_an_adopted_position_is_the_grids_before_its_first_fill() -> None:
    story = with_position(104, 103, 102, direction="long", adopt=True)
    assert story.grid.position_e9 == 3 * E9

    facts = [fact for fact in story.facts(e.BooksOpened) if isinstance(fact, e.BooksOpened)]
    assert [fact.adopted_from for fact in facts] == ["", "main"]
    assert story.lab.ledger.state.owners == {("main", 0): "tale"}
