"""The cells of a grid: how large each is, how much it holds, how often it turned."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gridkeeper_core.grid.row import Row, row_of


class Cells(msgspec.Struct, frozen=True, kw_only=True):
    """Cell k holds `held_e9[k]` of `sizes_e9[k]` (base 1e-9); `room_e9` is the rest. `cycles` counts its turns.

    `smallest_e9` is the least of the sizes.
    """

    sizes_e9: tuple[int, ...] = ()
    smallest_e9: int = 0
    held_e9: Row = Row()
    room_e9: Row = Row()
    cycles: Row = Row()

    def with_held(self, cell: int, held_e9: int, cycle: int) -> Cells:
        """The cells after one of them changed; costs the same for ten cells and for a thousand."""
        assert 0 <= held_e9 <= self.sizes_e9[cell]
        return Cells(
            sizes_e9=self.sizes_e9,
            smallest_e9=self.smallest_e9,
            held_e9=self.held_e9.changed(cell, held_e9),
            room_e9=self.room_e9.changed(cell, self.sizes_e9[cell] - held_e9),
            cycles=self.cycles if self.cycles[cell] == cycle else self.cycles.changed(cell, cycle),
        )


def cells_of(sizes_e9: Iterable[int], held_e9: Iterable[int], cycles: Iterable[int] | None = None) -> Cells:
    """Cells of these sizes with this content, and turns where they had any."""
    sizes, held = tuple(sizes_e9), tuple(held_e9)
    room = tuple(size - part for size, part in zip(sizes, held, strict=True))
    assert all(part >= 0 for part in (*held, *room))
    return Cells(
        sizes_e9=sizes,
        smallest_e9=min(sizes, default=0),
        held_e9=row_of(held),
        room_e9=row_of(room),
        cycles=row_of(cycles if cycles is not None else (0,) * len(sizes)),
    )
