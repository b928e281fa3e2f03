"""Holds a tape until somebody lets it go on, so that grids can be made before their history begins."""

from __future__ import annotations

import asyncio


class Gate:
    """Lets `rows` pass (None: all), then waits for `open`."""

    def __init__(self, rows: int | None) -> None:
        self._left = rows
        self._opened = asyncio.Event()
        self.rows_out = 0
        self.is_over = False

    @property
    def is_held(self) -> bool:
        """Whether no row may pass now."""
        return self._left == 0

    def resume(self, rows: int) -> None:
        """So many rows went out before a restart: a tape that was let beyond its hold is not held again."""
        if self._left is not None:
            self._left = self._left - rows if rows <= self._left else None

    def open(self, rows: int | None) -> None:
        """Let so many more pass; None lets all pass."""
        self._left = None if rows is None or self._left is None else self._left + rows
        self._opened.set()

    async def leave(self, wanted: int) -> int:
        """Wait until a row may pass; how many of the wanted ones may."""
        while self.is_held:
            self._opened.clear()
            await self._opened.wait()
        return wanted if self._left is None else min(wanted, self._left)

    def passed(self, rows: int) -> None:
        """So many went out."""
        self.rows_out += rows
        if self._left is not None:
            self._left -= rows
