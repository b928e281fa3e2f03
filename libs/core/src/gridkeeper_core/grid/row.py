"""A row of numbers, one per cell, whose changed copy and whose searches cost about the same however long it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import overload

import msgspec

_BITS = 5
_CHUNK = 1 << _BITS
_MASK = _CHUNK - 1

Chunk = tuple[int, ...]


class Row(msgspec.Struct, frozen=True):
    """Immutable whole numbers in chunks of 32, with their sum and the largest of each chunk; `row_of` makes one.

    A thousand numbers are 32 chunks: a change copies one chunk and the list of chunks, a search skips the chunks that
    hold nothing large enough. Equal to any row of the same numbers, and to no tuple.
    """

    chunks: tuple[Chunk, ...] = ()
    largest: Chunk = ()
    length: int = 0
    total: int = 0

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[int, ...]: ...

    def __getitem__(self, index: int | slice) -> int | tuple[int, ...]:
        if isinstance(index, slice):
            return tuple(self)[index]
        place = index if index >= 0 else self.length + index
        if not 0 <= place < self.length:
            raise IndexError(index)
        return self.chunks[place >> _BITS][place & _MASK]

    def __iter__(self) -> Iterator[int]:
        for chunk in self.chunks:
            yield from chunk

    def changed(self, index: int, number: int) -> Row:
        """A copy with one number replaced."""
        # Every fill changes rows, and a log holds very many: lists take a number faster than tuples are put together.
        place, inner = index >> _BITS, index & _MASK
        chunks, largest = list(self.chunks), self.largest
        chunk = list(chunks[place])
        old, chunk[inner] = chunk[inner], number
        chunks[place] = tuple(chunk)
        most, before = number, largest[place]
        if number < before:
            most = before if old != before or before in chunk else max(chunk)
        if most != before:
            largest = (*largest[:place], most, *largest[place + 1 :])
        return Row(tuple(chunks), largest, self.length, self.total + number - old)

    def rising(self, first: int, least: int) -> Iterator[int]:
        """The places from `first` upwards whose number is at least `least`."""
        for place in range(first >> _BITS, len(self.chunks)):
            if self.largest[place] < least:
                continue
            start = max(first - (place << _BITS), 0)
            for index, number in enumerate(self.chunks[place][start:], (place << _BITS) + start):
                if number >= least:
                    yield index

    def falling(self, last: int, least: int) -> Iterator[int]:
        """The places from `last` downwards whose number is at least `least`."""
        for place in range(min(last >> _BITS, len(self.chunks) - 1), -1, -1):
            if self.largest[place] < least:
                continue
            base, chunk = place << _BITS, self.chunks[place]
            for inner in range(min(last - base, len(chunk) - 1), -1, -1):
                if chunk[inner] >= least:
                    yield base + inner


def row_of(numbers: Iterable[int]) -> Row:
    """These numbers as a row."""
    whole = tuple(numbers)
    chunks = tuple(whole[first : first + _CHUNK] for first in range(0, len(whole), _CHUNK))
    return Row(chunks, tuple(max(chunk) for chunk in chunks), len(whole), sum(whole))
