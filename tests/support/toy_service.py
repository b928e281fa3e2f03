"""The toy machine as a service: store, processor and outbox, as a real service puts them together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gridkeeper_bus.reader import EventReader
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import EventSeen
from gridkeeper_core.record import Recorded, decode
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.outbox import Outbox, OutboxMessage, Publisher
from gridkeeper_eventlog.processor import OnPoison, Processor, stop_the_service
from gridkeeper_eventlog.recorder import Position
from gridkeeper_eventlog.store import EventStore
from support.toy_machine import APP, PRODUCER, ToyMachine, account_log


class RecordingPublisher:
    """Keeps what was published, in memory; `is_full` makes it refuse."""

    def __init__(self) -> None:
        self.messages: list[OutboxMessage] = []
        self.is_full = False

    async def last_published(self) -> int:
        return self.messages[-1].id if self.messages else 0

    async def publish(self, batch: list[OutboxMessage]) -> None:
        if self.is_full:
            raise GridkeeperError("EV_FULL")
        assert batch[0].prev_id == await self.last_published()
        self.messages += batch


class ToyService:
    """`now_ns` is its clock; `committed` is what it was told after commits."""

    def __init__(
        self,
        url: str,
        *,
        publisher: Publisher | None = None,
        on_poison: OnPoison = stop_the_service,
        is_tape: bool = True,
        patience_s: float = 10.0,
        app: str = APP,
    ) -> None:
        self.now_ns = 1
        self.committed: list[Recorded] = []
        self.machine = ToyMachine()
        self.store = EventStore(url, app)
        self.thread = DbThread()
        self.outbox_thread = DbThread()
        self.processor = Processor(
            store=self.store,
            thread=self.thread,
            machine=self.machine,
            clock=lambda: self.now_ns,
            on_committed=self._on_committed,
            on_poison=on_poison,
            is_tape=is_tape,
            store_patience_s=patience_s,
        )
        self.outbox = (
            None
            if publisher is None
            else Outbox(store=self.store, thread=self.outbox_thread, publisher=publisher, patience_s=patience_s)
        )
        self.running: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.thread.run(self.store.create_tables)
        await self.processor.restore()
        self.running = [asyncio.create_task(self._decide())]
        if self.outbox is not None:
            self.running.append(asyncio.create_task(self.outbox.run()))

    async def kill(self) -> None:
        """End at once, as a killed process does: nothing is finished."""
        for task in self.running:
            task.cancel()
        for task in self.running:
            # How a task ended is looked at by the test that cares.
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        self.thread.close()
        self.outbox_thread.close()
        self.store.close()

    async def feed(self, first: int, last: int) -> list[list[Recorded]]:
        """Events `first` to `last` of the producer's log; what each led to."""
        futures = [
            await self.processor.enqueue(
                seen(event), Position(app=PRODUCER, previous=event.version - 1, id=event.version)
            )
            for event, _ in account_log(last)[first - 1 :]
        ]
        return list(await asyncio.gather(*futures))

    async def _decide(self) -> None:
        if self.outbox is not None:
            await self.outbox.aligned()
        await self.processor.run()

    def _on_committed(self, recorded: list[Recorded]) -> None:
        self.committed += recorded
        if self.outbox is not None:
            self.outbox.wake()


def step_to(event: Recorded) -> Position:
    """In the producer's log, whose ids are the versions of its one stream."""
    return Position(app=PRODUCER, previous=event.version - 1, id=event.version)


def seen(event: Recorded) -> EventSeen:
    return EventSeen(now_ns=event.version, event=event)


async def pump(reader: EventReader, service: ToyService) -> None:
    """From EV into the machine, as every service does."""
    async for message in reader:
        position = Position(app=message.app, previous=message.prev, id=message.id)
        await service.processor.enqueue(seen(decode(message.body)), position)


@asynccontextmanager
async def toy_service(
    url: str,
    *,
    publisher: Publisher | None = None,
    on_poison: OnPoison = stop_the_service,
    is_tape: bool = True,
    patience_s: float = 10.0,
) -> AsyncIterator[ToyService]:
    """A running service; several of one log may run one after the other, or at once."""
    service = ToyService(url, publisher=publisher, on_poison=on_poison, is_tape=is_tape, patience_s=patience_s)
    await service.start()
    try:
        yield service
    finally:
        await service.kill()
