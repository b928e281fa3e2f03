"""Measures how many events per second go through inbox, commit and outbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from section import print_section, rate
from servers import Servers, running_servers

from gridkeeper_bus.connection import connect
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.streams import declare_all
from gridkeeper_core.events import AccountHalted, GridPaused
from gridkeeper_core.inputs import EventSeen, Input, cause_of
from gridkeeper_core.machine import Draft
from gridkeeper_core.record import GENESIS, Recorded
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.outbox import Outbox
from gridkeeper_eventlog.processor import Processor
from gridkeeper_eventlog.recorder import Position
from gridkeeper_eventlog.store import EventStore

ROUNDS = 5
ALONE = 500
GROUPED = 10_000
PRODUCER = "execution_0"

ABOUT = """
Events of another service are taken by the real inbox, each leads to one event of about 300 bytes, which is committed
together with the position and published on EV. The clock stops when EV has acknowledged the last one. PostgreSQL and
NATS are real, on this machine, with all flushes on (`fsync`, `synchronous_commit`, `sync_interval: always`). *One at
a time*: the next input comes when the commit of the last is done. *In groups*: inputs queue, so that a commit takes
up to 100.
"""


class Echo:
    """The least a machine can do: one event for each event."""

    def accept(self, item: Input) -> list[Draft]:
        assert isinstance(item, EventSeen)
        fact = GridPaused(code="ECHO", author="benchmark", reason=item.event.identity)
        return [Draft(stream="grid:echo", ts_ns=item.now_ns, cause=cause_of(item), thread="", fact=fact)]

    def restore(self, event: Recorded) -> None:
        """Nothing is kept."""

    def next_wake_ns(self) -> int | None:
        return None

    def digests(self) -> dict[str, str]:
        return {}


class EchoService:
    """Processor and outbox as a service puts them together; `taken` inputs so far."""

    def __init__(self, processor: Processor, outbox: Outbox, store: EventStore) -> None:
        self.processor = processor
        self.outbox = outbox
        self.store = store
        self.taken = 0

    async def one_at_a_time(self, count: int) -> None:
        for _ in range(count):
            await self.processor.submit(*self._next())

    async def in_groups(self, count: int) -> None:
        await asyncio.gather(*[await self.processor.enqueue(*self._next()) for _ in range(count)])

    async def seconds_for(self, work: Callable[[int], Awaitable[None]], count: int) -> float:
        began_s = time.perf_counter()
        await work(count)
        while self.outbox.published_id < self.store.last_id:  # noqa: ASYNC110  # the outbox has no event for it
            await asyncio.sleep(0.0005)
        return time.perf_counter() - began_s

    def _next(self) -> tuple[Input, Position]:
        self.taken += 1
        event = Recorded(
            stream="account:main",
            version=self.taken,
            ts_ns=self.taken,
            cause="",
            thread="",
            prev=GENESIS,
            fact=AccountHalted(author="benchmark", reason=""),
        )
        return EventSeen(now_ns=self.taken, event=event), Position(app=PRODUCER, id=self.taken, previous=self.taken - 1)


async def measure(servers: Servers) -> list[tuple[str, ...]]:
    """The rows of the table."""
    async with AsyncExitStack() as stack:
        bus = await connect(servers.nats_url, "benchmark")
        stack.push_async_callback(bus.close)
        await declare_all(bus)
        store, thread = EventStore(servers.postgres_url, "strategy_0"), DbThread()
        stack.callback(store.close)
        stack.callback(thread.close)
        await thread.run(store.create_tables)
        processor = Processor(
            store=store,
            thread=thread,
            machine=Echo(),
            clock=time.time_ns,
            on_committed=lambda _: outbox.wake(),
            is_tape=True,
        )
        outbox = Outbox(store=store, thread=thread, publisher=JetStreamPublisher(bus, service="strategy"))
        await processor.restore()
        async with asyncio.TaskGroup() as group:
            working = [group.create_task(processor.run()), group.create_task(outbox.run())]
            service = EchoService(processor, outbox, store)
            await service.seconds_for(service.in_groups, 1_000)  # warm
            alone, grouped = [], []
            for _ in range(ROUNDS):
                alone.append(await service.seconds_for(service.one_at_a_time, ALONE))
                grouped.append(await service.seconds_for(service.in_groups, GROUPED))
            for task in working:
                task.cancel()
    return [
        ("one at a time (group size 1)", f"{ALONE:,}", rate(ALONE, alone)),
        ("in groups (up to 100)", f"{GROUPED:,}", rate(GROUPED, grouped)),
    ]


def main() -> None:
    with running_servers() as servers:
        rows = asyncio.run(measure(servers))
    columns = ("inputs", "events per round", "events/s (worst to best of 5)")
    print_section("Inbox, commit, outbox: events per second", ABOUT, columns, rows)


if __name__ == "__main__":
    main()
