"""Measures the audit of a million events: rebuild from each copy, verify, a past state, and the memory it takes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import msgspec
from replay import APPEND_MAX, stored, traded_log
from section import print_section, rate, times
from servers import Servers, running_servers, temporary_folder

from gridkeeper_bus.connection import connect
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.streams import declare_all
from gridkeeper_cli.audit_incident import about, replay_file, write_incident
from gridkeeper_cli.audit_moment import past_at, read_moment
from gridkeeper_cli.audit_replay import Source, replay
from gridkeeper_cli.audit_verify import verify
from gridkeeper_cli.record_source import EvSource, FileSource, PostgresSource, RecordSource
from gridkeeper_core.events import WRITERS
from gridkeeper_core.record import Recorded, decode
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.rebuild import rebuild
from gridkeeper_eventlog.store import EventStore, NewEvent

EVENTS = int(os.environ.get("GRIDKEEPER_BENCH_EVENTS", "1000000"))
ROUNDS = 3
GRID_ID = "perf-grid-1"

ABOUT = """
Strategy's log of {grids:,} grids with one history, {count:,} events, {bytes:,} bytes on average, in PostgreSQL, on EV
and in an exported file. *Reading* fetches and decodes every event and does nothing else: the floor of each way.
*Rebuild* folds every event into the machine. *Verify* reads both copies and compares them, with every chain; its floor
is reading both. *State at a time* folds up to the middle. The memory is how much the process grew by in all of it, data
in flight included.
"""


def multiplied(count: int) -> list[NewEvent]:
    """The history of one grid, told of as many grids as make up so many events, one after the other."""
    log, copies = traded_log(), list[Recorded]()
    while len(copies) < count:
        name = f"grid:perf-grid-{len(copies) // len(log) + 1}"
        copies += [msgspec.structs.replace(event, stream=name) for event in log]
    return stored(copies[:count])


class Ways:
    """Each way through the record."""

    def __init__(self, servers: Servers, ev: EvSource, file: Path, middle_ns: int) -> None:
        self._servers = servers
        self._postgres, self._ev, self._file = PostgresSource(servers.postgres_url), ev, FileSource(file)
        self._middle_ns = middle_ns

    async def read_postgres(self) -> None:
        await _read(self._postgres)

    async def read_ev(self) -> None:
        await _read(self._ev)

    async def read_file(self) -> None:
        await _read(self._file)

    async def read_both(self) -> None:
        await _read(self._postgres)
        await _read(self._ev)

    async def rebuild_postgres(self) -> None:
        await self._rebuild("postgres")

    async def rebuild_ev(self) -> None:
        await self._rebuild("ev")

    async def rebuild_file(self) -> None:
        assert replay_file(self._file).ok

    async def verify(self) -> None:
        report = await verify(self._servers.postgres_url, self._servers.nats_url, services=("strategy",))
        assert report.ok, report.findings

    async def state_at(self) -> None:
        assert (await past_at(self._postgres, read_moment(str(self._middle_ns)))).events > 0

    async def _rebuild(self, source: Source) -> None:
        urls = (self._servers.postgres_url, self._servers.nats_url)
        assert (await replay(*urls, services=("strategy",), sources=(source,), ask_services=False)).ok


async def _read(source: RecordSource) -> None:
    async with aclosing(source.events("strategy")) as events:
        async for one in events:
            decode(one.body)


async def measure(servers: Servers, events: list[NewEvent], file: Path) -> tuple[list[tuple[str, ...]], int]:
    """The rows of the table, and by how many MB the process grew."""
    middle_ns = decode(events[len(events) // 2].state).ts_ns
    count = len(events)
    await _store(servers, events)
    events.clear()
    bus = await connect(servers.nats_url, "benchmark")
    ev = EvSource(bus, file.parent)
    concerned = await about(ev, GRID_ID)
    await write_incident(ev, concerned, (), (0, 2**62), file)
    before_mb = _forget_peak()
    ways = Ways(servers, ev, file, middle_ns)
    table: tuple[tuple[str, Callable[[], Awaitable[None]], str], ...] = (
        ("reading PostgreSQL", ways.read_postgres, "reading PostgreSQL"),
        ("rebuild from PostgreSQL", ways.rebuild_postgres, "reading PostgreSQL"),
        ("state at a time, from PostgreSQL", ways.state_at, "reading PostgreSQL"),
        ("reading EV", ways.read_ev, "reading EV"),
        ("rebuild from EV", ways.rebuild_ev, "reading EV"),
        ("reading a file", ways.read_file, "reading a file"),
        ("rebuild from a file", ways.rebuild_file, "reading a file"),
        ("reading both copies", ways.read_both, "reading both copies"),
        ("verify", ways.verify, "reading both copies"),
    )
    seconds: dict[str, list[float]] = {name: [] for name, _, _ in table}
    for _ in range(ROUNDS):
        for name, way, _ in table:
            began_s = time.perf_counter()
            await way()
            seconds[name].append(time.perf_counter() - began_s)
    grown_mb = _peak_mb() - before_mb
    await bus.close()
    return [
        (name, rate(count, seconds[name]), times(seconds[name], seconds[floor])) for name, _, floor in table
    ], grown_mb


async def _store(servers: Servers, events: list[NewEvent]) -> None:
    bus, thread = await connect(servers.nats_url, "benchmark"), DbThread()
    await declare_all(bus)
    store = EventStore(servers.postgres_url, "strategy_0")
    for service in dict.fromkeys(WRITERS.values()):
        await thread.run(EventStore(servers.postgres_url, f"{service}_0").create_tables)
    await thread.run(store.open)
    for start in range(0, len(events), APPEND_MAX):
        await thread.run(store.append, events[start : start + APPEND_MAX])
    await rebuild([(store, JetStreamPublisher(bus, service="strategy"))], thread)
    await thread.run(store.close)
    thread.close()
    await bus.close()


def _forget_peak() -> int:
    """Let the kernel count the peak from now on; the memory held now (MB)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_mb()


def _peak_mb() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))


def main() -> None:
    events = multiplied(EVENTS)
    count, size = len(events), sum(len(event.state) for event in events) // len(events)
    grids = len({event.stream for event in events})
    with running_servers() as servers, temporary_folder() as folder:
        rows, grown_mb = asyncio.run(measure(servers, events, folder / "all.gz"))
    rows.append(("memory grew by", f"{grown_mb} MB", ""))
    about_it = ABOUT.format(grids=grids, count=count, bytes=size)
    print_section("Audit", about_it, ("way", f"events/s (worst to best of {ROUNDS})", "time over its floor"), rows)


if __name__ == "__main__":
    main()
