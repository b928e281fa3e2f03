"""A fill from before the cells were allotted may still turn out not to be part of the chain."""

from __future__ import annotations

from gridkeeper_core.events import BooksAllotted, BooksOpened, CellLot
from gridkeeper_core.ledger.books import Entry, GridBooks
from gridkeeper_core.units import E6, E9

ENTRY = Entry(
    kind="fill",
    serial="account:main@7",
    slot=1,
    ts_ns=1,
    quote_e6=300 * E6,
    side="buy",
    base_e9=3 * E9,
    fee_e6=30_000,
    fill_record_id=1,
)


def entered() -> GridBooks:
    """Three SOL bought at 100 for a grid of three cells, and allotted."""
    books = GridBooks(
        BooksOpened(
            market="SOL-PERP",
            market_index=0,
            sizes_e9=(E9,) * 3,
            held_e9=(E9,) * 3,
            start_price_e6=100 * E6,
            start_position_e9=0,
            enters=True,
        ),
        0,
    )
    books.book(ENTRY)
    lots = tuple(CellLot(cell, E9, -100 * E6) for cell in range(3))
    books.allot(BooksAllotted(sizes_e9=(E9,) * 3, lots=lots, start_quote_e6=0), 2)
    return books


def test_the_entry_that_left_the_chain_is_taken_out_of_position_and_fees() -> None:
    books = entered()
    entry = books.recorded(1)
    assert entry == ENTRY

    books.take_back(entry)

    assert (books.sums.position.base_e9, books.sums.fees_e6, books.sums.realized_e6) == (0, 0, 0)
    assert books.recorded(1) is None


def test_a_fill_of_the_entry_that_comes_after_the_cells_were_allotted_is_part_of_the_position() -> None:
    books = entered()

    books.book(Entry(kind="fill", serial="late", slot=1, ts_ns=1, quote_e6=50 * E6, base_e9=E9 // 2, fill_record_id=2))

    assert (books.sums.position.base_e9, books.sums.position.quote_entry_e6) == (3 * E9 + E9 // 2, -350 * E6)
