"""Finds the next row of a tape whose price leaves a band, without looking at the rows that do not."""

from __future__ import annotations

from gridkeeper_lab.columns import Ints

_BLOCK = 512
_NEAR = 256
_BLOCKS_AT_A_TIME = 4096


class Crossings:
    """An index over the prices of one tape, shared by every grid that is run on it.

    Each block of rows knows its lowest and its highest price, so a band that is not left for a long time costs a few
    comparisons of whole arrays; a row costs two comparisons at most, however many levels or grids there are.
    """

    def __init__(self, price_e6: Ints) -> None:
        self._price_e6 = price_e6
        full = len(price_e6) // _BLOCK
        blocks = price_e6[: full * _BLOCK].reshape(full, _BLOCK)
        self._low_e6 = blocks.min(axis=1)
        self._high_e6 = blocks.max(axis=1)

    def next_row(self, first: int, end: int, low_e6: int, high_e6: int) -> int:
        """The first row of `first`..`end` whose price is not strictly between the two; `end` when there is none."""
        if low_e6 >= high_e6:
            return min(first, end)
        near = min(first + _NEAR, end)
        found = self._within(first, near, low_e6, high_e6)
        if found < near or near == end:
            return found
        block = -(-near // _BLOCK)
        edge = min(block * _BLOCK, end)
        found = self._within(near, edge, low_e6, high_e6)
        if found < edge or edge == end:
            return found
        return self._over_blocks(block, end, low_e6, high_e6)

    def _over_blocks(self, block: int, end: int, low_e6: int, high_e6: int) -> int:
        last = min(end // _BLOCK, len(self._low_e6))
        while block < last:
            some = min(block + _BLOCKS_AT_A_TIME, last)
            leaves = (self._low_e6[block:some] <= low_e6) | (self._high_e6[block:some] >= high_e6)
            found = int(leaves.argmax())
            if leaves[found]:
                row = (block + found) * _BLOCK
                return self._within(row, row + _BLOCK, low_e6, high_e6)
            block = some
        return self._within(block * _BLOCK, end, low_e6, high_e6)

    def _within(self, first: int, end: int, low_e6: int, high_e6: int) -> int:
        if first >= end:
            return end
        prices = self._price_e6[first:end]
        leaves = (prices <= low_e6) | (prices >= high_e6)
        found = int(leaves.argmax())
        return first + found if leaves[found] else end
