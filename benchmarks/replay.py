"""Measures how many events per second a state is rebuilt from, out of PostgreSQL and out of EV, beside mere reading."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack

from generated_ticks import GRID, new_lab, prices, ticks
from section import print_section, rate, times
from servers import Servers, running_servers

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.reader import BusMessage, EventReader
from gridkeeper_bus.streams import declare_all
from gridkeeper_core.events import WRITERS
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.inputs import ProposeGrid
from gridkeeper_core.names import split_stream
from gridkeeper_core.record import Recorded, decode, encode, hash_of, topic_of
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.journal import Journal
from gridkeeper_eventlog.processor import RESTORE_PAGE, Processor
from gridkeeper_eventlog.rebuild import rebuild
from gridkeeper_eventlog.store import EventStore, NewEvent

ROUNDS = 5
TICKS = 500_000
APPEND_MAX = 500

ABOUT = """
The log is strategy's own of a grid that traded {ticks:,} generated ticks: {count:,} events, {bytes:,} bytes on
average. *Reading* fetches and decodes every event and does nothing else: the floor. *Replay* also proves the order of
each stream and folds every event into the machine, as a service does at its start; the two states are compared by
their digests. The reader of EV gets single messages with headers, PostgreSQL gives pages of {page:,} rows.
"""


def traded_log() -> list[Recorded]:
    """Strategy's events, chained as the event store chains them."""
    lab = new_lab()
    for index, price in enumerate(prices(*ticks("std"), TICKS)):
        lab.row(price)
        if index == 0:
            lab.command("grid:perf-grid-1", ProposeGrid(config=GRID, source=""))
    return [event for event in lab.log if WRITERS[split_stream(event.stream)[0]] == "strategy"]


def stored(log: Iterable[Recorded]) -> list[NewEvent]:
    """The events as they are stored, each with its predecessor's hash."""
    hashes: dict[str, str] = {}
    events = []
    for event in log:
        chained = Recorded(
            stream=event.stream,
            version=event.version,
            ts_ns=event.ts_ns,
            cause="",  # the causes lie in execution's log, which is not here
            thread=event.thread,
            prev=hashes.get(event.stream, ""),
            fact=event.fact,
        )
        body = encode(chained)
        hashes[event.stream] = hash_of(body)
        events.append(NewEvent(stream=event.stream, version=event.version, topic=topic_of(event.fact), state=body))
    return events


class Replay:
    """The four ways through one log. Those that rebuild return the digests of the state."""

    def __init__(self, servers: Servers, bus: Bus, store: EventStore, thread: DbThread) -> None:
        self._servers = servers
        self._bus = bus
        self._store = store
        self._thread = thread

    async def read_postgres(self) -> None:
        after_id = 0
        while rows := await self._thread.run(self._store.select, after_id, RESTORE_PAGE):
            for row in rows:
                decode(row.state)
            after_id = rows[-1].id

    async def replay_postgres(self) -> dict[str, str]:
        machine = StrategyMachine()
        processor = Processor(
            store=self._store,
            thread=self._thread,
            machine=machine,
            clock=time.time_ns,
            on_committed=lambda _: None,
            is_tape=True,
        )
        await processor.restore()
        return machine.digests()

    async def read_ev(self) -> None:
        await self._each_message(lambda message: decode(message.body))

    async def replay_ev(self) -> dict[str, str]:
        machine, journal = StrategyMachine(), Journal()

        def fold(message: BusMessage) -> None:
            event = decode(message.body)
            journal.fold(event, message.body)
            machine.restore(event)

        await self._each_message(fold)
        return machine.digests()

    async def _each_message(self, take: Callable[[BusMessage], object]) -> None:
        reader = EventReader(self._bus, [("strategy", 0)], {})
        async for message in reader:
            take(message)
            if message.id == self._store.last_id:
                break
        await reader.close()


async def measure(servers: Servers, events: list[NewEvent]) -> list[tuple[str, ...]]:
    """The rows of the table."""
    async with AsyncExitStack() as stack:
        bus = await connect(servers.nats_url, "benchmark")
        stack.push_async_callback(bus.close)
        await declare_all(bus)
        store, thread = EventStore(servers.postgres_url, "strategy_0"), DbThread()
        stack.callback(store.close)
        stack.callback(thread.close)
        await thread.run(store.create_tables)
        await thread.run(store.open)
        for start in range(0, len(events), APPEND_MAX):
            await thread.run(store.append, events[start : start + APPEND_MAX])
        await rebuild([(store, JetStreamPublisher(bus, service="strategy"))], thread)
        replay = Replay(servers, bus, store, thread)
        ways: dict[str, Callable[[], Awaitable[dict[str, str] | None]]] = {
            "reading PostgreSQL (floor)": replay.read_postgres,
            "replay from PostgreSQL": replay.replay_postgres,
            "reading EV (floor)": replay.read_ev,
            "replay from EV": replay.replay_ev,
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        digests = set()
        for _ in range(ROUNDS):
            for name, way in ways.items():
                began_s = time.perf_counter()
                state = await way()
                seconds[name].append(time.perf_counter() - began_s)
                digests |= {str(state)} if state else set()
    assert len(digests) == 1, "PostgreSQL and EV do not lead to the same state"
    floors = ("reading PostgreSQL (floor)",) * 2 + ("reading EV (floor)",) * 2
    return [
        (name, rate(len(events), seconds[name]), times(seconds[name], seconds[floor]))
        for name, floor in zip(ways, floors, strict=True)
    ]


def main() -> None:
    events = stored(traded_log())
    with running_servers() as servers:
        rows = asyncio.run(measure(servers, events))
    size = sum(len(event.state) for event in events) // len(events)
    about = ABOUT.format(ticks=TICKS, count=len(events), bytes=size, page=RESTORE_PAGE)
    print_section(
        "Replay: events per second", about, ("way", "events/s (worst to best of 5)", "time over its floor"), rows
    )


if __name__ == "__main__":
    main()
