"""The library's PostgreSQL recorder, changed so that one commit holds events and several positions, and is fenced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.postgres import PostgresDatastore, PostgresProcessRecorder
from psycopg import Cursor
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Identifier


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """A step in a producer's log: from its event `previous` (0 = none yet) to its event `id`."""

    app: str
    previous: int
    id: int


class FencedRecorder(PostgresProcessRecorder):
    """One service's tables: `<app>_events` and `<app>_tracking` in the schema `<app>`."""

    def __init__(self, datastore: PostgresDatastore, app: str) -> None:
        super().__init__(datastore, events_table_name=f"{app}_events", tracking_table_name=f"{app}_tracking")
        schema, events = Identifier(datastore.schema), Identifier(self.events_table_name)
        tracking = Identifier(self.tracking_table_name)
        self.events_table = SQL("{}.{}").format(schema, events)
        self.tracking_table = SQL("{}.{}").format(schema, tracking)
        self._step_statement = _step_statement(self.events_table, self.tracking_table)

    def insert_once(
        self, events: Sequence[StoredEvent], *, positions: Sequence[Position], expected_head: int
    ) -> list[int]:
        """Commit events and positions together, once; the notification ids of the events.

        Raises IntegrityError when the log is not at `expected_head`, a position is not where its step begins, or a
        version is taken. The library's own retry is passed by: after a lost answer it would report a conflict with
        what it wrote itself, and its waiting would block the thread.
        """
        once = PostgresProcessRecorder.insert_events.__wrapped__
        ids: list[int] | None = once(self, events, positions=positions, expected_head=expected_head)
        return ids or []

    def _insert_events(
        self,
        curs: Cursor[DictRow],
        stored_events: Sequence[StoredEvent],
        *,
        positions: Sequence[Position] = (),
        expected_head: int = 0,
        **_: Any,
    ) -> None:
        if stored_events:
            # Under the lock nobody else can add events between the look at the head and our insert.
            self._lock_table(curs)
        steps = ([p.app for p in positions], [p.previous for p in positions], [p.id for p in positions])
        curs.execute(self._step_statement, steps, prepare=True)
        row = curs.fetchone()
        assert row is not None
        if row["head"] != expected_head:
            raise IntegrityError(f"the log's newest event is {row['head']}, not {expected_head}")
        if row["moved"] != len(positions):
            raise IntegrityError(f"{len(positions) - row['moved']} positions are not where the step begins")

    def _notify_channel(self, curs: Cursor[DictRow]) -> None:
        # Nobody listens: the outbox is woken directly and polls. NOTIFY would take a lock of the whole database.
        del curs


def _step_statement(events: Composed, tracking: Composed) -> Composed:
    return SQL(
        "WITH step AS (SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS s(app, previous, id)), "
        "moved AS (UPDATE {tracking} t SET notification_id = step.id FROM step "
        "WHERE t.application_name = step.app AND t.notification_id = step.previous AND step.previous < step.id "
        "RETURNING 1), "
        "begun AS (INSERT INTO {tracking} (application_name, notification_id) "
        "SELECT app, id FROM step WHERE previous = 0 AND id > 0 ON CONFLICT DO NOTHING RETURNING 1) "
        "SELECT (SELECT count(*) FROM moved) + (SELECT count(*) FROM begun) AS moved, "
        "(SELECT coalesce(max(notification_id), 0) FROM {events}) AS head"
    ).format(events=events, tracking=tracking)
