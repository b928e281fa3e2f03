"""Spreads the position that a grid entered or adopted over its cells, so that its cost is in them and counted once."""

from __future__ import annotations

from gridkeeper_core.events import BooksAllotted, CellLot, EntryDone
from gridkeeper_core.ledger.books import GridBooks, position_at_start
from gridkeeper_core.units import div_trunc


def allotted(books: GridBooks, fact: EntryDone) -> BooksAllotted:
    """The lots of the cells: the entry's fills with all their quote, the rest from the position at the start.

    Each cell has its share of the quote, rounded towards zero; the last one has what is left over.
    """
    base_e9 = sum(fact.lots_e9)
    start = position_at_start(books.opening)
    from_start_e9 = base_e9 - books.sums.other_base_e9
    start_quote_e6 = div_trunc(start.quote_entry_e6 * from_start_e9, start.base_e9) if start.base_e9 else 0
    quote_e6 = books.sums.other_quote_e6 + start_quote_e6
    lots, left_e6 = [], quote_e6
    filled = [cell for cell, lot in enumerate(fact.lots_e9) if lot]
    for cell in filled:
        share_e6 = left_e6 if cell == filled[-1] else div_trunc(quote_e6 * fact.lots_e9[cell], base_e9)
        lots.append(CellLot(cell, fact.lots_e9[cell], share_e6))
        left_e6 -= share_e6
    return BooksAllotted(sizes_e9=fact.sizes_e9, lots=tuple(lots), start_quote_e6=start_quote_e6 if lots else 0)
