"""Turns of one cell, on whole numbers."""

from __future__ import annotations

from gridkeeper_core.events import Side
from gridkeeper_core.ledger.cycles import Cell, CellFill, Turn, match_fill, opened_cell
from gridkeeper_core.units import E6, E9


def fill(side: Side, quarters: int, price: int, *, fee: int = 0, ts_ns: int = 5) -> CellFill:
    return CellFill(
        side=side, base_e9=quarters * E9 // 4, quote_e6=quarters * price * E6 // 4, fee_e6=fee * E6, ts_ns=ts_ns
    )


def test_buy_and_sell_of_the_whole_cell_are_one_turn_with_both_fees() -> None:
    after_buy = match_fill(Cell(size_e9=E9), fill("buy", 4, 100, fee=2, ts_ns=5))
    after_sell = match_fill(after_buy.cell, fill("sell", 4, 110, fee=3, ts_ns=9))
    turn = Turn(base_e9=E9, buy_quote_e6=100 * E6, sell_quote_e6=110 * E6, fee_e6=5 * E6, opened_ns=5)
    assert after_sell.closed == (turn,)
    assert (after_sell.grid_quote_e6, turn.profit_e6) == (10 * E6, 5 * E6)
    assert (after_sell.cell.held_e9, after_sell.cell.closed) == (0, 1)


def test_partial_fills_earn_as_they_match_and_close_when_the_whole_size_has_turned() -> None:
    cell = match_fill(Cell(size_e9=E9), fill("buy", 4, 100)).cell
    first = match_fill(cell, fill("sell", 1, 112))
    assert (first.grid_quote_e6, first.closed) == (3 * E6, ())
    again = match_fill(first.cell, fill("buy", 1, 96))
    rest = match_fill(again.cell, fill("sell", 4, 112))
    # Three quarters bought at 100 complete the turn; the last one, bought at 96, begins the next.
    assert rest.grid_quote_e6 == 3 * 3 * E6 + 4 * E6
    assert [turn.profit_e6 for turn in rest.closed] == [12 * E6]
    assert rest.cell.turn.base_e9 == E9 // 4


def test_what_a_cell_holds_at_the_start_counts_at_the_start_price() -> None:
    cell = opened_cell(E9, E9, 105 * E6, 1)
    assert match_fill(cell, fill("sell", 4, 120)).grid_quote_e6 == 15 * E6


def test_a_sale_without_anything_held_waits_for_its_purchase() -> None:
    short = match_fill(Cell(size_e9=E9), fill("sell", 4, 110))
    assert (short.grid_quote_e6, short.cell.held_e9) == (0, -E9)
    assert match_fill(short.cell, fill("buy", 4, 100)).grid_quote_e6 == 10 * E6


def test_a_lot_that_spans_two_turns_is_split_between_them() -> None:
    cell = match_fill(Cell(size_e9=E9), fill("buy", 3, 100)).cell
    cell = match_fill(cell, fill("sell", 2, 112)).cell
    cell = match_fill(cell, fill("buy", 3, 96)).cell
    rest = match_fill(cell, fill("sell", 4, 112))
    # Three quarters at 100 and one at 96 make the turn; half of a cell, bought at 96, belongs to the next.
    assert [(turn.base_e9, turn.profit_e6) for turn in rest.closed] == [(E9, 3 * 3 * E6 + 4 * E6)]
    assert (rest.cell.turn.base_e9, rest.cell.turn.profit_e6) == (E9 // 2, 2 * 4 * E6)
