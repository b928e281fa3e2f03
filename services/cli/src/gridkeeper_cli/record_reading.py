"""Reads one service's log from PostgreSQL event by event, without holding it in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gridkeeper_cli.audit_logs import PAGE
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.names import app_name
from gridkeeper_eventlog.store import STORE_LOST, EventStore, StoredRow


@contextmanager
def log_opened(postgres_url: str, service: str, shard: int = 0) -> Iterator[EventStore]:
    """A service's log, closed afterwards. Raises GridkeeperError STORE_LOST."""
    store = EventStore(postgres_url, app_name(service, shard))
    try:
        store.open()
        yield store
    except STORE_LOST as error:
        raise GridkeeperError("STORE_LOST", field="PostgreSQL", detail=str(error)) from error
    finally:
        store.close()


def rows_of(store: EventStore, wants: Callable[[str], bool], until_id: int | None = None) -> Iterator[StoredRow]:
    """Every event of the streams that are wanted, in the order of the log, up to an id (default: its head now)."""
    end, after_id = store.head_id() if until_id is None else until_id, 0
    while after_id < end and (rows := store.select(after_id, PAGE)):
        yield from (row for row in rows if row.id <= end and wants(row.stream))
        after_id = rows[-1].id
