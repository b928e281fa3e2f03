"""Publishes whole logs anew, so that EV can be made from PostgreSQL: no effect before its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import WRITERS
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.outbox import BATCH_MAX, Publisher, messages_of
from gridkeeper_eventlog.store import EventStore, StoredRow

PAGE = 2_000


class _Cause(msgspec.Struct, frozen=True):
    cause: str


_CAUSE = msgspec.json.Decoder(_Cause)


class _Log:
    """One store, read once from its beginning."""

    def __init__(self, store: EventStore, publisher: Publisher, published_id: int) -> None:
        self.store = store
        self.publisher = publisher
        self.published_id = published_id
        self.previous_id = 0
        self.rows: list[StoredRow] = []
        self.index = 0
        self.read_to = 0

    @property
    def next_row(self) -> StoredRow | None:
        return self.rows[self.index] if self.index < len(self.rows) else None

    async def fill(self, thread: DbThread) -> None:
        """Read the next page once the last is used up."""
        if self.index == len(self.rows):
            self.rows = await thread.run(self.store.select, self.read_to, PAGE)
            self.index = 0
            self.read_to = self.rows[-1].id if self.rows else self.read_to


async def rebuild(
    logs: Sequence[tuple[EventStore, Publisher]], thread: DbThread, *, after: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Publish every event of every log that EV does not hold yet; app -> number published.

    `after` (app -> id) leaves out what is not needed on EV any more: a log begins with its first event above that id.
    Continues where an earlier run ended. Raises GridkeeperError EVENT_GAP when an event's cause is in none of the
    logs, though its writer's log is among them; and what a Publisher raises.
    """
    least = after or {}
    readers = [
        _Log(store, publisher, max(least.get(store.app, 0), await publisher.last_published()))
        for store, publisher in logs
    ]
    services = {log.store.app.rpartition("_")[0] for log in readers}
    emitted: dict[str, int] = {}
    published = {log.store.app: 0 for log in readers}
    while True:
        has_moved = False
        for log in readers:
            await log.fill(thread)
            while ready := _take_ready(log, emitted, services):
                published[log.store.app] += await _publish(log, ready)
                has_moved = True
                await log.fill(thread)
        if not has_moved:
            break
    _require_all_taken(readers)
    return published


def _take_ready(log: _Log, emitted: dict[str, int], services: set[str]) -> list[StoredRow]:
    """The next rows of the log whose causes are out already, at most one batch."""
    ready: list[StoredRow] = []
    while (row := log.next_row) is not None and len(ready) < BATCH_MAX:
        cause = _CAUSE.decode(row.state).cause
        if not _is_out(cause, emitted, services):
            break
        emitted[row.stream] = row.version
        ready.append(row)
        log.index += 1
    return ready


async def _publish(log: _Log, rows: list[StoredRow]) -> int:
    messages = [m for m in messages_of(rows, log.previous_id) if m.id > log.published_id]
    log.previous_id = rows[-1].id
    if messages:
        await log.publisher.publish(messages)
    return len(messages)


def _is_out(cause: str, emitted: dict[str, int], services: set[str]) -> bool:
    stream, mark, version = cause.rpartition("@")
    writer = WRITERS.get(names.split_stream(stream)[0])
    if not mark or writer not in services:
        return True  # A price, a command, a wake, a signature; or a log that is not rebuilt here.
    return emitted.get(stream, 0) >= int(version)


def _require_all_taken(logs: list[_Log]) -> None:
    stuck = [(log.store.app, log.next_row) for log in logs if log.next_row is not None]
    if stuck:
        app, row = stuck[0]
        raise GridkeeperError(
            "EVENT_GAP", field=app, value=row.id, detail="Its cause is in none of the logs.", do="Restore the backups."
        )
