"""What an edit or a shift of a grid's levels means for the cells of its books."""

from __future__ import annotations

from gridkeeper_core.events import BooksRearranged, CellMove, CellSize, GridEdited, LevelsShifted
from gridkeeper_core.ledger.books import Sums


def rearranged(sums: Sums, fact: GridEdited | LevelsShifted) -> BooksRearranged | None:
    """The cells that are new or have another size, and who takes over from whom; None where nothing changes."""
    moves: tuple[CellMove, ...] = ()
    if isinstance(fact, LevelsShifted):
        sizes = {fact.cell: fact.size_e9}
    else:
        numbers = fact.cells or tuple(range(len(fact.sizes_e9)))
        sizes, moves = dict(zip(numbers, fact.sizes_e9, strict=True)), fact.moves
    known = {number: cell.size_e9 for number, cell in sums.cells.items()}
    changed = tuple(CellSize(number, size) for number, size in sizes.items() if known.get(number) != size)
    return BooksRearranged(sizes=changed, moves=moves) if changed or moves else None
