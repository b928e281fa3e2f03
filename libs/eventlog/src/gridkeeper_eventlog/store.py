"""One service's event store: append with positions in one commit, read in order."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import psycopg
from eventsourcing.persistence import IntegrityError, InterfaceError, OperationalError, ProgrammingError, StoredEvent
from eventsourcing.postgres import PostgresDatastore
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composed, Identifier

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.record import hash_of
from gridkeeper_eventlog.recorder import FencedRecorder, Position

STORE_LOST = (OperationalError, InterfaceError)
"""What a call raises when PostgreSQL could not be reached or went away; whether a commit happened is then unknown."""

OLDEST_SERVER = 170_000
_GIVE_UP = {
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""When a network that swallows everything is taken for lost (s, and ms for `tcp_user_timeout`). The system's own
default is a quarter of an hour, in which nobody would hear that nothing is recorded."""
_LIBRARY_ROWS = "__"
"""Names in the tracking table that begin so belong to the library."""


class StoredRow(msgspec.Struct, frozen=True, gc=False):
    """An event as it is stored. `id` is its place in the log of the service; ids rise, but may leave numbers out."""

    id: int
    stream: str
    version: int
    topic: str
    state: bytes


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event to append; `state` is stored byte for byte."""

    stream: str
    version: int
    topic: str
    state: bytes


class StreamHead(msgspec.Struct, frozen=True):
    """The newest event of a stream: its version and the SHA-256 (hex) of its stored bytes."""

    version: int
    hash: str


class EventStore:
    """The log of one app (`strategy_0`) in its own schema. Blocking: call it on a `DbThread`, writes on one only.

    All calls raise OperationalError or InterfaceError (`STORE_LOST`) when PostgreSQL is lost.
    """

    def __init__(self, url: str, app: str) -> None:
        self.app = app
        self._url = url
        self._datastore: PostgresDatastore | None = None
        self._recorder: FencedRecorder | None = None
        # The outbox reads on a thread of its own.
        self._opening = threading.RLock()
        self._is_unsure = False
        self.last_id = 0
        """Id of the newest event as this process knows it: the fence of the next append."""

    def create_tables(self) -> None:
        """Make schema and tables where they are missing (the migration). Safe to run by many at the same moment."""
        with psycopg.connect(self._url, autocommit=True) as guard:
            guard.execute("SELECT pg_advisory_lock(hashtext(%s))", [f"gridkeeper:{self.app}"])
            guard.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(self.app)))
            self._connected().create_table()

    def open(self) -> None:
        """Check the server and learn the head of the log. Raises GridkeeperError STORE_LOST when it cannot be used."""
        with self._connection() as connection:
            _check_server(connection)
        try:
            self.last_id = self.head_id()
        except ProgrammingError as e:
            raise GridkeeperError(
                "STORE_LOST", value=self.app, detail="The event store has no tables.", do="Run the migration first."
            ) from e

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        with self._opening:
            if self._datastore is not None:
                self._datastore.close()
            self._datastore = None
            self._recorder = None

    def append(self, events: Sequence[NewEvent], positions: Sequence[Position] = ()) -> list[int]:
        """Commit events and positions in one transaction; the ids of the events.

        May be called again with the same arguments after STORE_LOST: when the earlier commit did happen, its ids are
        the answer. Raises GridkeeperError FENCED when another instance wrote to this log.
        """
        stored = [StoredEvent(e.stream, e.version, e.topic, e.state) for e in events]
        try:
            ids = self._connected().insert_once(stored, positions=positions, expected_head=self.last_id)
        except STORE_LOST:
            self._is_unsure = True
            raise
        except IntegrityError as e:
            # A copy of this service decides the same and writes the same bytes: only after an answer of our own was
            # lost can they be ours.
            own = self._ids_of_own_commit(events, positions) if self._is_unsure else None
            if own is None:
                raise GridkeeperError(
                    "FENCED", field="log", value=self.app, detail=f"Another instance wrote: {e}."
                ) from e
            ids = own
        self._is_unsure = False
        if ids:
            self.last_id = ids[-1]
        return ids

    def select(self, after_id: int, limit: int) -> list[StoredRow]:
        """At most `limit` events with ids above `after_id`, in the order of the log."""
        statement = SQL(
            "SELECT notification_id, originator_id, originator_version, topic, state FROM {} "
            "WHERE notification_id > %s ORDER BY notification_id LIMIT %s"
        ).format(self._connected().events_table)
        return [StoredRow(*row) for row in self._rows(statement, (after_id, limit))]

    def stream(self, name: str, after_version: int = 0, limit: int = 1_000_000) -> list[StoredRow]:
        """The events of one stream above a version, in order."""
        statement = SQL(
            "SELECT notification_id, originator_id, originator_version, topic, state FROM {} "
            "WHERE originator_id = %s AND originator_version > %s ORDER BY originator_version LIMIT %s"
        ).format(self._connected().events_table)
        return [StoredRow(*row) for row in self._rows(statement, (name, after_version, limit))]

    def holds(self, event_id: int) -> bool:
        """Whether an event has this id."""
        statement = SQL("SELECT 1 FROM {} WHERE notification_id = %s").format(self._connected().events_table)
        return bool(self._rows(statement, (event_id,)))

    def head_id(self) -> int:
        """Id of the newest event; 0 for none."""
        statement = SQL("SELECT coalesce(max(notification_id), 0) FROM {}").format(self._connected().events_table)
        return int(self._rows(statement, ())[0][0])

    def heads(self) -> dict[str, StreamHead]:
        """Stream -> its newest event."""
        statement = SQL(
            "SELECT DISTINCT ON (originator_id) originator_id, originator_version, state FROM {} "
            "ORDER BY originator_id, originator_version DESC"
        ).format(self._connected().events_table)
        return {name: StreamHead(version, hash_of(state)) for name, version, state in self._rows(statement, ())}

    def position(self, app: str) -> int:
        """Id of the last event of a producer that was taken; 0 for none."""
        return self.positions().get(app, 0)

    def positions(self) -> dict[str, int]:
        """Producer -> id of its last event that was taken."""
        statement = SQL("SELECT application_name, notification_id FROM {}").format(self._connected().tracking_table)
        return {app: taken for app, taken in self._rows(statement, ()) if not app.startswith(_LIBRARY_ROWS)}

    def _ids_of_own_commit(self, events: Sequence[NewEvent], positions: Sequence[Position]) -> list[int] | None:
        """The answer of a commit of ours whose own answer was lost; None when something else was committed."""
        held = self.positions()
        rows = self.select(self.last_id, len(events) + 1)
        wanted = [(e.stream, e.version, e.topic, e.state) for e in events]
        if [(r.stream, r.version, r.topic, r.state) for r in rows] == wanted and all(
            held.get(p.app) == p.id for p in positions
        ):
            return [row.id for row in rows]
        return None

    def _rows(self, statement: Composed, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._connection() as connection, connection.cursor(row_factory=tuple_row, binary=True) as cursor:
            cursor.execute(statement, parameters, prepare=True)
            return cursor.fetchall()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        datastore = self._connected().datastore
        with datastore.get_connection() as connection:
            yield connection

    def _connected(self) -> FencedRecorder:
        with self._opening:
            if self._recorder is None:
                self.close()
                self._datastore = _datastore(conninfo_to_dict(self._url), self.app)
                self._recorder = FencedRecorder(self._datastore, self.app)
            return self._recorder


def _datastore(parts: Mapping[str, Any], schema: str) -> PostgresDatastore:
    named = {key: str(parts.get(key) or "") for key in ("dbname", "host", "port", "user", "password")}
    datastore = PostgresDatastore(
        named["dbname"],
        named["host"],
        named["port"],
        named["user"],
        named["password"],
        connect_timeout=3.0,
        idle_in_transaction_session_timeout=5,
        pool_size=1,
        max_overflow=2,
        schema=schema,
        originator_id_type="text",
    )
    assert isinstance(datastore.pool.kwargs, dict)
    # What the library has no parameter for (sslmode, options …); an empty part means libpq's own default.
    datastore.pool.kwargs.update(_GIVE_UP | {key: value for key, value in parts.items() if key not in named})
    for key in [key for key, value in named.items() if not value]:
        del datastore.pool.kwargs[key]
    return datastore


def _check_server(connection: psycopg.Connection[Any]) -> None:
    if connection.info.server_version < OLDEST_SERVER:
        raise GridkeeperError(
            "STORE_LOST", field="PostgreSQL", value=connection.info.server_version, expected="version 17 or later"
        )
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute("SHOW synchronous_commit").fetchone()
    if row is None or row[0] == "off":
        raise GridkeeperError(
            "STORE_LOST",
            field="synchronous_commit",
            value="off",
            expected="on",
            detail="PostgreSQL would acknowledge commits that a power cut can take back.",
        )
