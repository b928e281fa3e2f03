"""Creates the demo's example grid, once, the way `grid create` does, and lets a held tape go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.requests import request
from gridkeeper_cli.client import SHARD, Client
from gridkeeper_cli.grid_file import read_grid_file
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import GridOpened, GridRejected
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.inputs import ProposeGrid
from gridkeeper_core.quiet import TAPE_RUN_SUBJECT, Quiet, TapeRun, quiet_subject
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import e6_text

AUTHOR = "gridkeeper up"
WITHIN_S = 60.0
_PAUSE_S = 0.2
_PASSING = frozenset({"SERVICE_SILENT", "STORE_LOST", "ACCOUNT_NOT_LIVE", "ACCOUNT_UNKNOWN", "NO_PRICE"})
_OUTCOMES = ("grid.opened.v1", "grid.rejected.v1")

T = TypeVar("T")


async def create_example(bus: Bus, path: Path) -> str:
    """Create the grid of the file where there is no grid at all; what became of it, empty where nothing was done.

    Raises GridkeeperError BAD_FILE, what `parse_grid` raises, and SERVICE_SILENT when a service stays away.
    """
    client = Client(bus)
    if await _patiently(client.grids):
        return ""
    file = read_grid_file(path)
    grid_id = file.config.grid_id
    # A grid that was rejected keeps its id, so it is proposed only when nothing is missing any more.
    await _patiently(lambda: _check_tradable(client, bus, file.config))
    body = ProposeGrid(config=file.config, source=file.source)
    # The same key each time: when the answer was lost, asking again creates nothing.
    await _patiently(
        lambda: client.command(
            "grid", grid_id, "create", body, key="up-example", author=AUTHOR, reason="the example of the demo"
        )
    )
    return _sentence(grid_id, await client.outcome(f"grid:{grid_id}", _OUTCOMES, WITHIN_S))


async def let_tape_run(bus: Bus) -> None:
    """Let a tape that is held run to its end. Raises GridkeeperError SERVICE_SILENT."""
    await _patiently(lambda: request(bus, TAPE_RUN_SUBJECT, msgspec.json.encode(TapeRun(rows=None))))


async def _check_tradable(client: Client, bus: Bus, config: GridConfig) -> None:
    account = await client.account(config.account)
    if account.phase != "live":
        raise GridkeeperError("ACCOUNT_NOT_LIVE", field="account", value=config.account)
    quiet = msgspec.json.decode(await request(bus, quiet_subject(SHARD, "strategy")), type=Quiet)
    if config.market not in quiet.price_seq:
        raise GridkeeperError("NO_PRICE", field="market", value=config.market)


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until it can be done: a service may be starting, the account or the price may not be there yet."""
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        try:
            return await ask()
        except GridkeeperError as error:
            if error.code not in _PASSING or time.monotonic() > deadline_s:
                raise
        await asyncio.sleep(_PAUSE_S)


def _sentence(grid_id: str, outcome: Recorded | None) -> str:
    match outcome.fact if outcome is not None else None:
        case GridOpened() as opened:
            return f"Grid {grid_id} trades, at {e6_text(opened.start_price_e6)}."
        case GridRejected() as rejected:
            return f"Grid {grid_id} was rejected: {rejected.code}, {rejected.detail}."
        case _:
            return f"Grid {grid_id} was proposed; nothing came of it yet."
