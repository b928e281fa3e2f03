"""Answers queries about grids."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.edit_plan import plan_edit
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.requests import EditQuery, GridQuery
from gridkeeper_strategy.views import edit_view, grid_detail, grid_view

_QUERY = msgspec.json.Decoder(GridQuery)
_EDIT_QUERY = msgspec.json.Decoder(EditQuery)


class GridRequests:
    """Reads the machine's state; `clock` says when it is."""

    def __init__(self, machine: StrategyMachine, clock: Callable[[], int]) -> None:
        self._machine = machine
        self._clock = clock

    async def grids(self, _subject: str, _body: bytes) -> bytes:
        """All grids."""
        views = [grid_view(grid, self._machine.newest_price(grid.config.market)) for grid in self._machine.grids()]
        return msgspec.json.encode(views)

    async def grid(self, _subject: str, body: bytes) -> bytes:
        """One grid with levels, cells and orders. Raises GridkeeperError GRID_UNKNOWN."""
        grid = self._machine.grid(_QUERY.decode(body).id)
        price = self._machine.newest_price(grid.config.market)
        return msgspec.json.encode(grid_detail(grid, price, self._clock()))

    async def edit(self, _subject: str, body: bytes) -> bytes:
        """What an edit would do. Raises GridkeeperError GRID_UNKNOWN, GRID_STATE and what the edit itself raises."""
        asked = _EDIT_QUERY.decode(body)
        grid = self._machine.grid(asked.id)
        if grid.status != "open":
            raise GridkeeperError("GRID_STATE", field="grid.state", value=grid.status, expected="open to edit it")
        plan = plan_edit(grid, self._machine.newest_price(grid.config.market), asked.config, self._clock())
        return msgspec.json.encode(edit_view(plan))
