"""Runs the gridkeeper command in tests, against a system of scripted services."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner, Result

from gridkeeper_bus.connection import Bus
from gridkeeper_cli.__main__ import cli
from gridkeeper_core.requests import AccountView
from support.scripted_services import ScriptedServices
from support.sol_perp import CENTS

START_NS = 1_700_000_000 * 10**9
SPEC = CENTS
ACCOUNT = AccountView(
    alias="main",
    phase="live",
    differs=False,
    halted="",
    open_orders=0,
    free_slots=32,
    in_flight="",
    deposit_e6=1_000_000_000,
    positions=(),
    grids=(),
    lamports_spent=5_000,
)
GRID_TEXT = """
[grid]
id = "sol"
market = "SOL-PERP"
lower = "90"
upper = "120"
intervals = 3
spacing = "arithmetic"
size = { base = "1" }
"""


def run(*args: str, data_dir: Path | None = None) -> Result:
    """Run the command in this process."""
    place = ["--data-dir", str(data_dir)] if data_dir is not None else []
    return CliRunner().invoke(cli, [*args, *place])


def document(result: Result) -> Any:
    """The one JSON document on stdout."""
    return msgspec.json.decode(result.stdout)


class System:
    """A running Gridkeeper, as far as the command can tell."""

    def __init__(self, bus: Bus, data_dir: Path) -> None:
        self.bus = bus
        self.data_dir = data_dir
        self.services = ScriptedServices(bus)
        self.services.markets = [SPEC]
        self.services.accounts = [ACCOUNT]

    async def run(self, *args: str) -> Result:
        """Run the command in a thread: it has an event loop of its own."""
        return await asyncio.to_thread(run, *args, data_dir=self.data_dir)

    async def ask(self, *args: str) -> Any:
        """Run the command with --json; it must succeed."""
        result = await self.run(*args, "--json")
        assert result.exit_code == 0, result.output
        return document(result)
