"""Opens the logs of a shard's services for reading: PostgreSQL's rows and EV's messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.inspection import RawMessage, held_stream, read_raw
from gridkeeper_core import names
from gridkeeper_core.audit.copies import Sent
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.store import STORE_LOST, EventStore, StoredRow

SERVICES = ("price_feed", "strategy", "execution", "ledger", "notifier")
"""Every service that has a log."""
PAGE = 5_000
CONNECT_PATIENCE_S = 5.0
PUBLISHED_WITHIN_S = 10.0
POLL_S = 0.05

Progress: TypeAlias = Callable[[int, int], None]
"""Gets how much is done and how much there is."""


def unseen(_done: int, _total: int) -> None:
    """The progress nobody looks at."""


class Shares:
    """Adds up what several passes have done; events that came since the total was taken do not lead beyond it."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        self._progress(min(self._done, self._total), self._total)


class Logs:
    """The logs of one shard, by service. Made by `opened`; every method raises GridkeeperError STORE_LOST."""

    def __init__(self, stores: Mapping[str, EventStore], thread: DbThread, bus: Bus, shard: int) -> None:
        self.bus = bus
        self.shard = shard
        self.stores = stores
        self.thread = thread

    async def head_ids(self) -> dict[str, int]:
        """Service -> id of its newest event in PostgreSQL."""
        return {service: await self.thread.run(store.head_id) for service, store in self.stores.items()}

    async def rows(self, service: str, after_id: int) -> list[StoredRow]:
        """The next page of a log; empty at its end."""
        return await self.thread.run(self.stores[service].select, after_id, PAGE)

    async def pages(self, service: str) -> AsyncGenerator[list[StoredRow], None]:
        """A log page by page; PostgreSQL looks for the next one while this one is worked on."""
        page = await self.rows(service, 0)
        while page:
            following = asyncio.ensure_future(self.rows(service, page[-1].id))
            await asyncio.sleep(0)
            try:
                yield page
            finally:
                page = await following

    async def last_sequence(self) -> int:
        """Where EV ends now."""
        return (await held_stream(self.bus, names.EV_STREAM)).last_sequence

    async def messages(self, is_enough: Callable[[], bool]) -> AsyncGenerator[list[Sent], None]:
        """Everything of this shard on EV; then what still comes, until it is enough or nothing comes in time."""
        begin, last = 1, await self.last_sequence()
        deadline_s: float | None = None
        while True:
            async for batch in read_raw(self.bus, f"ev.{self.shard}.>", begin, last):
                yield [sent_of(message) for message in batch]
            now_s = asyncio.get_running_loop().time()
            # Not put off by later batches: other services may publish for ever while the one waited for is dead.
            deadline_s = now_s + PUBLISHED_WITHIN_S if deadline_s is None else deadline_s
            if is_enough() or now_s > deadline_s:
                return
            await asyncio.sleep(POLL_S)
            begin, last = last + 1, await self.last_sequence()


@asynccontextmanager
async def opened(
    postgres_url: str, nats_url: str, shard: int = 0, services: Sequence[str] = SERVICES
) -> AsyncIterator[Logs]:
    """The logs, closed afterwards. Raises GridkeeperError STORE_LOST when a server or a log cannot be read."""
    async with AsyncExitStack() as stack:
        bus = await connect(nats_url, "gridkeeper-audit", patience_s=CONNECT_PATIENCE_S)
        stack.push_async_callback(bus.close)
        thread = DbThread("audit")
        stores = {service: EventStore(postgres_url, names.app_name(service, shard)) for service in services}
        for store in stores.values():
            stack.callback(store.close)
        stack.callback(thread.close)
        try:
            for store in stores.values():
                await thread.run(store.open)
            yield Logs(stores, thread, bus, shard)
        except STORE_LOST as error:
            raise GridkeeperError("STORE_LOST", field="PostgreSQL", detail=str(error)) from error


def sent_of(message: RawMessage) -> Sent:
    """A message of EV as an audit takes it, whatever its headers are."""
    return Sent(
        sequence=message.sequence,
        subject=message.subject,
        app=message.headers.get(names.HEADER_APP, ""),
        id=_number(message.headers.get(names.HEADER_ID, "")),
        prev_id=_number(message.headers.get(names.HEADER_PREVIOUS, "")),
        body=message.body,
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
