"""What an edit of a grid means for its books: content moves at its cost, late and reverted fills find their place."""

from __future__ import annotations

from gridkeeper_core.events import (
    BooksRearranged,
    CellMove,
    CellSize,
    Fact,
    FillBooked,
    GridEdited,
    LevelsShifted,
)
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.ledger.books import GridBooks
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.units import E6, E9
from support.ledger_story import GRID, MARKET, Story, filled, opened, reverted

CONFIG = GridConfig(grid_id=GRID, market=MARKET, lower_e6=90 * E6, upper_e6=120 * E6, intervals=1, size_base_e9=3 * E9)


def edited(moves: tuple[CellMove, ...]) -> GridEdited:
    """One cell from 90 to 120 instead of three."""
    return GridEdited(
        config=CONFIG,
        source="",
        levels_e6=(90 * E6, 120 * E6),
        sizes_e9=(3 * E9,),
        held_e9=(0,),
        author="ann",
        reason="fewer levels",
        cells=(3,),
        moves=moves,
    )


ALL_TO_THE_NEW = tuple(CellMove(cell, 3) for cell in range(3))


def told(*grid_facts: Fact) -> Story:
    story = Story(LedgerMachine())
    story.grid(opened())
    for fact in grid_facts:
        if isinstance(fact, GridEdited | LevelsShifted):
            story.grid(fact)
        else:
            story.account(fact)
    return story


def books(story: Story) -> GridBooks:
    assert isinstance(story.machine, LedgerMachine)
    return story.machine.state.grids[GRID]


def test_given_up_cells_hand_over_what_they_hold_at_its_cost() -> None:
    story = told(filled(1, "buy", 0, price=90), filled(2, "buy", 1, price=100), edited(ALL_TO_THE_NEW))

    sums = books(story).sums
    assert list(sums.cells) == [3]
    assert (sums.cells[3].held_e9, sums.cells[3].quote_e6) == (2 * E9, -190 * E6)
    assert sums.grid_quote_e6 == 0


def test_opposite_contents_close_each_other_and_that_is_profit_of_the_grid() -> None:
    # The upper cell sold at 120 before it ever bought; the lower one bought at 90: together they are flat, 30 earned.
    story = told(filled(1, "buy", 0, price=90), filled(2, "sell", 2, price=120), edited(ALL_TO_THE_NEW))

    sums = books(story).sums
    assert (sums.cells[3].held_e9, sums.grid_quote_e6, sums.turns) == (0, 30 * E6, 0)
    assert sums.position.base_e9 == 0


def test_a_fill_of_a_given_up_cell_that_comes_late_belongs_to_its_heir() -> None:
    story = told(edited(ALL_TO_THE_NEW), filled(1, "buy", 1, price=100))

    assert books(story).sums.cells[3].held_e9 == E9
    assert books(story).sums.other_base_e9 == 0


def test_a_fill_from_before_the_edit_that_turns_out_not_to_be_is_taken_back_exactly() -> None:
    story = told(filled(1, "buy", 0, price=90, fee_e6=7), edited(ALL_TO_THE_NEW))

    drafts = story.account(reverted(1))

    position = books(story).sums.position
    assert (position.base_e9, position.quote_asset_e6, books(story).sums.fees_e6) == (0, 0, 0)
    assert [type(draft) for draft in drafts if isinstance(draft, FillBooked)] == [FillBooked]


def test_a_shift_that_changes_a_size_is_booked_and_one_that_does_not_is_not() -> None:
    same = LevelsShifted(where="up", level_e6=130 * E6, cell=0, size_e9=E9, price_e6=130 * E6)
    other = LevelsShifted(where="up", level_e6=140 * E6, cell=1, size_e9=E9 // 2, price_e6=140 * E6)
    story = told()

    assert story.grid(same) == []
    assert story.grid(other) == [BooksRearranged(sizes=(CellSize(1, E9 // 2),))]


def test_a_cell_that_shrinks_under_its_half_done_turn_begins_a_new_one() -> None:
    half = E9 // 2
    story = told(filled(1, "buy", 0, price=90), filled(2, "sell", 0, price=100, base_e9=half))
    story.grid(LevelsShifted(where="up", level_e6=130 * E6, cell=0, size_e9=half, price_e6=130 * E6))

    story.account(filled(3, "sell", 0, price=130, base_e9=half))

    sums = books(story).sums
    # Half bought for 45 and sold for 50, the other half sold for 65: 25 earned, one turn of the smaller size.
    assert (sums.grid_quote_e6, sums.turns, sums.cells[0].held_e9) == (25 * E6, 1, 0)
