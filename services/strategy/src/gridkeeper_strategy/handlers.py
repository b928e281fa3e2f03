"""Answers commands and queries about grids."""

from __future__ import annotations

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.inputs import Command
from gridkeeper_core.names import check_id, stream
from gridkeeper_core.record import Recorded, topic_of
from gridkeeper_core.requests import CommandReply, CommandRequest, GridQuery
from gridkeeper_shell.shell import Shell
from gridkeeper_strategy.views import grid_detail, grid_view

_REQUEST = msgspec.json.Decoder(CommandRequest)
_QUERY = msgspec.json.Decoder(GridQuery)


class GridRequests:
    """Commands go through the exactly-once loop; queries read the machine's state."""

    def __init__(self, shell: Shell, machine: StrategyMachine) -> None:
        self._shell = shell
        self._machine = machine

    async def command(self, subject: str, body: bytes) -> bytes:
        """`cmd.<shard>.grid.<id>.<verb>`: answered after the first commit. Raises GridkeeperError."""
        grid_id = check_id(subject.split(".")[3], "grid")
        try:
            request = _REQUEST.decode(body)
        except msgspec.DecodeError as error:
            raise GridkeeperError("BAD_USAGE", field="command", detail=str(error)) from error
        target = stream("grid", grid_id)
        item = Command(
            now_ns=self._shell.now_ns(),
            key=request.key,
            author=request.author,
            reason=request.reason,
            target=target,
            body=request.body,
        )
        return msgspec.json.encode(_reply(target, await self._shell.processor.submit(item)))

    async def grids(self, _subject: str, _body: bytes) -> bytes:
        """All grids."""
        views = [grid_view(grid, self._machine.newest_price(grid.config.market)) for grid in self._machine.grids()]
        return msgspec.json.encode(views)

    async def grid(self, _subject: str, body: bytes) -> bytes:
        """One grid with levels, cells and orders. Raises GridkeeperError GRID_UNKNOWN."""
        grid = self._machine.grid(_QUERY.decode(body).id)
        return msgspec.json.encode(grid_detail(grid, self._machine.newest_price(grid.config.market)))


def _reply(target: str, recorded: list[Recorded]) -> CommandReply:
    own = [event for event in recorded if event.stream == target]
    version = own[-1].version if own else 0
    return CommandReply(stream=target, version=version, topics=tuple(topic_of(event.fact) for event in recorded))
