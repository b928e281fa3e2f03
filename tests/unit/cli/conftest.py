"""A running system of scripted services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gridkeeper_bus.connection import connect
from gridkeeper_bus.prices import publish_price
from gridkeeper_bus.streams import declare_all
from gridkeeper_core.prices.price import Price
from gridkeeper_runtime.datadir import RunFile, locked, write_run_file
from support.command import GRID_TEXT, START_NS, System
from support.command_answers import BOOKS, DETAIL
from support.servers import eventually


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


@pytest.fixture
def with_grid(system: System) -> System:
    """The system with the grid `sol` and its books."""
    system.services.grids = {"sol": DETAIL}
    system.services.books = {"sol": BOOKS}
    return system
