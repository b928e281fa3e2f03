"""Load for the toy service, and what EV must hold of it afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.reader import BusMessage, EventReader
from gridkeeper_bus.streams import declare, ev_config
from support.bus_messages import read
from support.servers import eventually
from support.toy_machine import SERVICE, account_log
from support.toy_service import ToyService, seen, step_to

MIB = 1024 * 1024


@asynccontextmanager
async def bus_at(url: str, *, duplicate_window_s: float = 600.0, max_bytes: int = 64 * MIB) -> AsyncIterator[Bus]:
    """A connection to a server that has EV."""
    bus = await connect(url, "test")
    await declare(bus, ev_config(max_bytes=max_bytes, duplicate_window_s=duplicate_window_s))
    try:
        yield bus
    finally:
        await bus.close()


def publisher_of(bus: Bus) -> JetStreamPublisher:
    """The toy service's, which does not wait long."""
    return JetStreamPublisher(bus, service=SERVICE, ack_timeout_s=1.0)


async def everything_on_ev(bus: Bus, count: int) -> list[BusMessage]:
    """All that EV holds of the toy service, at least `count`."""
    reader = EventReader(bus, [(SERVICE, 0)], {})
    messages = await read(reader, count)
    await reader.close()
    assert (await bus.js.stream_info("EV")).state.messages == len(messages)
    return messages


async def assert_ev_equals_log(bus: Bus, service: ToyService, count: int) -> None:
    """Each stored event is on EV once, in order, byte for byte."""
    rows = await asyncio.to_thread(service.store.select, 0, 10_000)
    assert len(rows) == count
    messages = await everything_on_ev(bus, count)
    assert [(m.id, m.body) for m in messages] == [(row.id, row.state) for row in rows]
    assert [m.prev for m in messages] == [0, *(row.id for row in rows[:-1])]


def is_published(service: ToyService) -> bool:
    """Whether everything the service committed is on EV."""
    return service.outbox is not None and service.outbox.ready and service.outbox.lag == 0


class Load:
    """Feeds a service one event after the other until stopped; `answered` counts those it answered."""

    def __init__(self, service: ToyService, *, first: int = 1) -> None:
        self.answered = first - 1
        self._is_stopped = False
        self._task = asyncio.create_task(self._feed(service, first))

    async def stop(self) -> None:
        """Feed no more; raise what the service ended with."""
        self._is_stopped = True
        await self._task

    def abandon(self) -> None:
        """The service is gone: nobody will answer."""
        self._task.cancel()

    async def more(self, count: int, *, within_s: float = 10.0) -> None:
        """Wait until that many more were answered."""
        wanted = self.answered + count
        await eventually(lambda: self.answered >= wanted or self._task.done(), within_s=within_s)

    async def _feed(self, service: ToyService, first: int) -> None:
        for event, _ in account_log(20_000)[first - 1 :]:
            if self._is_stopped:
                return
            await service.processor.submit(seen(event), step_to(event))
            self.answered = event.version
