"""Publishes committed events in the order of the log, each exactly once, without any state of its own."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.store import STORE_LOST, EventStore, StoredRow

BATCH_MAX = 100
POLL_S = 0.1
RETRY_S = 0.2
PATIENCE_S = 30.0


class OutboxMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A stored event on its way out; `body` is what is stored, byte for byte."""

    id: int
    prev_id: int
    stream: str
    topic: str
    body: bytes


class Publisher(Protocol):
    """Where events go. Both calls raise GridkeeperError: STORE_LOST when it is unknown whether the call was done,
    EV_FULL when there is no room, FENCED when somebody else publishes the same log."""

    async def last_published(self) -> int:
        """Id of the newest event of this log that was published; 0 for none."""

    async def publish(self, batch: list[OutboxMessage]) -> None:
        """Publish all or none; the first follows what `last_published` said or the last batch held."""


class Outbox:
    """One per service. `run` until the service ends; `wake` after each commit."""

    def __init__(
        self, *, store: EventStore, thread: DbThread, publisher: Publisher, patience_s: float = PATIENCE_S
    ) -> None:
        self.published_id = 0
        self.not_ready_reason = "Not started."
        self.waiting_since_s = 0.0
        self._store = store
        self._thread = thread
        self._publisher = publisher
        self._patience_s = patience_s
        self._signal = asyncio.Event()
        self._has_aligned = asyncio.Event()
        self._is_stopping = False

    @property
    def ready(self) -> bool:
        """Whether events flow; `not_ready_reason` says why not."""
        return not self.not_ready_reason

    @property
    def lag(self) -> int:
        """How far publishing is behind the log, in ids (an upper bound of events)."""
        return max(0, self._store.last_id - self.published_id)

    def wake(self) -> None:
        """There may be something to publish."""
        self.waiting_since_s = self.waiting_since_s or time.time()
        self._signal.set()

    async def aligned(self) -> None:
        """Wait until it is known that the log holds all that was ever published of it.

        Nothing may be decided before: on a log that lost its end, a service would decide what it decided already.
        """
        await self._has_aligned.wait()

    def stop(self) -> None:
        """End `run` once all that is committed is published."""
        self._is_stopping = True
        self._signal.set()

    async def run(self) -> None:
        """Publish until `stop`. Raises GridkeeperError FENCED, STORE_LOST after the patience, STORE_BEHIND_EV."""
        last_good_s = _now_s()
        is_aligned = False
        while True:
            try:
                if not is_aligned:
                    await self._align()
                    is_aligned = True
                has_more = await self._publish_some()
            except (*STORE_LOST, GridkeeperError) as e:
                self._judge(e, last_good_s)
                is_aligned = False
                await asyncio.sleep(RETRY_S)
                continue
            last_good_s = _now_s()
            self.not_ready_reason = ""
            self.waiting_since_s = 0.0
            if self._is_stopping:
                # What was committed while the last page went out is still to be published.
                if not self.lag:
                    return
            elif not has_more:
                await self._wait()

    async def _align(self) -> None:
        last = await self._publisher.last_published()
        if last and not await self._thread.run(self._store.holds, last):
            raise GridkeeperError(
                "STORE_BEHIND_EV", field="log", value=last, detail=f"EV holds event {last}; the event store does not."
            )
        self.published_id = last
        self._has_aligned.set()

    async def _publish_some(self) -> bool:
        """Whether a full batch went out, so that there may be more."""
        # What lies above is another instance's: publishing it here would get the wrong one of the two fenced.
        known = self._store.last_id
        rows = [
            row for row in await self._thread.run(self._store.select, self.published_id, BATCH_MAX) if row.id <= known
        ]
        if rows:
            await self._publisher.publish(messages_of(rows, self.published_id))
            self.published_id = rows[-1].id
        return len(rows) == BATCH_MAX

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._signal.wait()
        except TimeoutError:
            return
        self._signal.clear()

    def _judge(self, error: Exception, last_good_s: float) -> None:
        """Return when another attempt makes sense; raise what ends the service."""
        self.not_ready_reason = f"Events cannot be published: {error}"
        match error:
            case GridkeeperError(code="EV_FULL") if not self._is_stopping:
                return
            case GridkeeperError(code="STORE_LOST") if _now_s() - last_good_s < self._patience_s:
                return
            case GridkeeperError():
                raise error
        if _now_s() - last_good_s >= self._patience_s:
            raise GridkeeperError("STORE_LOST", field="PostgreSQL", detail=self.not_ready_reason) from error


def messages_of(rows: list[StoredRow], previous_id: int) -> list[OutboxMessage]:
    """The rows as messages, each naming its predecessor in the log."""
    previous = [previous_id, *(row.id for row in rows)]
    return [
        OutboxMessage(id=row.id, prev_id=before, stream=row.stream, topic=row.topic, body=row.state)
        for row, before in zip(rows, previous, strict=False)
    ]


def _now_s() -> float:
    return asyncio.get_running_loop().time()
