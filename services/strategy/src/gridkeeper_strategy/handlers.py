"""Answers queries about grids."""

from __future__ import annotations

import msgspec

from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.requests import GridQuery
from gridkeeper_strategy.views import grid_detail, grid_view

_QUERY = msgspec.json.Decoder(GridQuery)


class GridRequests:
    """Reads the machine's state."""

    def __init__(self, machine: StrategyMachine) -> None:
        self._machine = machine

    async def grids(self, _subject: str, _body: bytes) -> bytes:
        """All grids."""
        views = [grid_view(grid, self._machine.newest_price(grid.config.market)) for grid in self._machine.grids()]
        return msgspec.json.encode(views)

    async def grid(self, _subject: str, body: bytes) -> bytes:
        """One grid with levels, cells and orders. Raises GridkeeperError GRID_UNKNOWN."""
        grid = self._machine.grid(_QUERY.decode(body).id)
        return msgspec.json.encode(grid_detail(grid, self._machine.newest_price(grid.config.market)))
