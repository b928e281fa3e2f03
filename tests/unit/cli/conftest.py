"""A running system of scripted services, and a way to run the command against it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.prices import publish_price
from gridkeeper_bus.streams import declare_all
from gridkeeper_cli.__main__ import cli
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price
from gridkeeper_core.requests import AccountView
from gridkeeper_runtime.datadir import RunFile, locked, write_run_file
from support.scripted_services import ScriptedServices
from support.servers import eventually

MINUTE_NS = 60 * 10**9
START_NS = 1_700_000_000 * 10**9
SPEC = MarketSpec(
    symbol="SOL-PERP",
    venue="drift",
    index=0,
    tick_e6=10_000,
    step_e9=10_000_000,
    minimum_e9=10_000_000,
    margin_ratio_initial_e4=1000,
    margin_ratio_maintenance_e4=500,
    maker_fee_e5=-20,
    taker_fee_e5=100,
)
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


@pytest.fixture
def grid_file(tmp_path: Path) -> Path:
    """The grid of which `tests/unit/grid/test_preview.py` computes everything by hand."""
    path = tmp_path / "sol.toml"
    path.write_text(GRID_TEXT)
    return path


@pytest.fixture
async def system(nats_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """All services answer; SOL-PERP costs 100."""
    data_dir = tmp_path / "data"
    bus = await connect(nats_url, "test")
    await declare_all(bus, ev_max_bytes=64 * 1024 * 1024)
    with locked(data_dir, "0.1.0"):
        run_file = RunFile(version="0.1.0", started_at="", supervisor_pid=1, nats_url=nats_url, postgres_url="")
        write_run_file(data_dir, run_file)
        made = System(bus, data_dir)
        await made.services.serve("strategy", "execution", "ledger")
        newest = Price(market="SOL-PERP", source="test", source_seq=1, ts_ns=START_NS, oracle_e6=100_000_000)
        await publish_price(bus, newest)

        async def has_price() -> bool:
            return (await bus.js.stream_info("PX")).state.messages == 1

        await eventually(has_price)
        yield made
        await made.services.stop()
        await bus.close()
