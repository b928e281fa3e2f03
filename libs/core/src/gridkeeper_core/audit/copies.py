"""Compares the two copies of one service's log, PostgreSQL's rows and EV's messages, in one pass over both."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from gridkeeper_core.audit.chain import ChainCheck
from gridkeeper_core.audit.envelope import Envelope, Row, envelope_of, identity
from gridkeeper_core.audit.finding import Finding, Findings, Kind, Place
from gridkeeper_core.audit.heads import HeadsCheck, LogHeads
from gridkeeper_core.names import app_name, event_subject
from gridkeeper_core.record import hash_of


class Sent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message of EV. `id` and `prev_id` are -1 where the header is missing or no number."""

    sequence: int
    subject: str
    app: str
    id: int
    prev_id: int
    body: bytes


class _Open:
    """A finding whose next event in the stream is not known yet; with the hashes of both copies where they differ."""

    __slots__ = ("ev_hash", "index", "row_hash")

    def __init__(self, index: int, row_hash: str = "", ev_hash: str = "") -> None:
        self.index = index
        self.row_hash = row_hash
        self.ev_hash = ev_hash


class LogAudit:
    """One service's log. Rows and messages come in their own order; rows up to a message's id must come before it."""

    def __init__(self, service: str, shard: int, kept: LogHeads | None = None) -> None:
        self.app = app_name(service, shard)
        self.service = service
        self.findings = Findings()
        self.rows_checked = 0
        self.messages_checked = 0
        self.read_to = 0
        """Id of the newest row that was handed over."""
        self.on_ev_to = 0
        """Id of the newest event on EV so far."""
        self._shard = shard
        self._chain = ChainCheck(self.app, service)
        self._heads = None if kept is None else HeadsCheck(self.app, kept)
        self._rows: deque[Row] = deque()
        self._open: dict[str, _Open] = {}

    @property
    def streams(self) -> int:
        """How many streams the log has."""
        return self._chain.streams

    def add_rows(self, rows: Sequence[Row]) -> None:
        """The next rows, in the order of the log."""
        self._rows += rows
        if rows:
            self.read_to = rows[-1].id

    def take(self, message: Sent) -> None:
        """The next message of this app on EV."""
        self.messages_checked += 1
        if message.app != self.app or message.id <= 0 or message.prev_id < 0:
            detail = (
                f"Message {message.sequence} says app {message.app!r}, id {message.id}, previous {message.prev_id}."
            )
            self._add_ev("unnumbered", message, detail)
            return
        if message.id <= self.on_ev_to:
            kind: Kind = "doubled" if message.id == self.on_ev_to else "out of order"
            self._add_ev(kind, message, f"Message {message.sequence} has id {message.id}, after {self.on_ev_to}.")
            return
        has_hole = self.pass_rows(message.id - 1) > 0
        if message.prev_id != self.on_ev_to and not has_hole:
            detail = f"It names {message.prev_id} as the event before it; the one before it is {self.on_ev_to}."
            self._add_ev("unnumbered", message, detail)
        self.on_ev_to = message.id
        self._compare(message)

    def take_again(self, message: Sent, row: Row | None) -> None:
        """A message that a rotation left on EV beside the sealed file, and the row of its id."""
        self.messages_checked += 1
        if row is None or row.id != message.id or row.state != message.body:
            self._add_ev(
                "differs", message, "The bytes in PostgreSQL and on EV are not the same.", place="PostgreSQL or EV"
            )

    def pass_rows(self, up_to_id: int) -> int:
        """Rows up to this id have no message; how many they are."""
        count = 0
        while self._rows and self._rows[0].id <= up_to_id:
            row = self._rows.popleft()
            self._check(row)
            self._add_missing_on_ev(row)
            count += 1
        return count

    def end(self) -> None:
        """Every row was handed over: what is left of the heads that were kept is missing."""
        for found in self._heads.missing() if self._heads is not None else ():
            self._add(found, "")

    def _compare(self, message: Sent) -> None:
        if not self._rows or self._rows[0].id != message.id:
            self._add_ev("missing", message, f"EV holds it (id {message.id}), PostgreSQL does not.", place="PostgreSQL")
            return
        row = self._rows.popleft()
        is_new = self._check(row)
        if message.body != row.state:
            self._add_difference(row, message)
        elif is_new and message.subject != event_subject(self._shard, self.service, row.stream, row.topic):
            self._add_ev("mislabelled", message, f"It lies on the subject {message.subject}.")

    def _check(self, row: Row) -> bool:
        """Whether the row is what follows in its stream."""
        self.rows_checked += 1
        found, envelope = self._chain.take(row)
        opened = self._open.pop(row.stream, None)
        is_explained = opened is not None and self._settle(opened, row, envelope)
        if found is not None and not (found.kind == "broken" and is_explained):
            self._add(found, row.stream)
        rewritten = self._heads.take(row) if self._heads is not None else None
        if rewritten is not None:
            self._add(rewritten, row.stream)
        return found is None

    def _settle(self, opened: _Open, row: Row, envelope: Envelope | None) -> bool:
        """Complete a finding now that its next event is known; whether that event names EV's bytes as its `prev`."""
        finding = self.findings.kept[opened.index]
        changes: dict[str, str] = {} if finding.after else {"after": identity(row.stream, row.version)}
        names_ev = False
        if opened.ev_hash and envelope is not None:
            names_ev = envelope.prev == opened.ev_hash
            if names_ev or envelope.prev == opened.row_hash:
                faulty, sound = ("PostgreSQL", "EV") if names_ev else ("EV", "PostgreSQL")
                changes |= {"place": faulty, "detail": f"The next event is chained to the bytes in {sound}."}
        self.findings.kept[opened.index] = msgspec.structs.replace(finding, **changes)
        return names_ev

    def _add_difference(self, row: Row, message: Sent) -> None:
        finding = Finding(
            kind="differs",
            place="PostgreSQL or EV",
            app=self.app,
            event=identity(row.stream, row.version),
            before=identity(row.stream, row.version - 1),
            detail="The bytes in PostgreSQL and on EV are not the same.",
        )
        self._add(finding, row.stream, hash_of(row.state), hash_of(message.body))

    def _add_missing_on_ev(self, row: Row) -> None:
        finding = Finding(
            kind="missing",
            place="EV",
            app=self.app,
            event=identity(row.stream, row.version),
            before=identity(row.stream, row.version - 1),
            detail=f"PostgreSQL holds it (id {row.id}), EV does not.",
        )
        self._add(finding, row.stream)

    def _add_ev(self, kind: Kind, message: Sent, detail: str, *, place: Place = "EV") -> None:
        envelope = envelope_of(message.body)
        stream, version = ("", 0) if envelope is None else (envelope.stream, envelope.version)
        finding = Finding(
            kind=kind,
            place=place,
            app=self.app,
            event=identity(stream, version) or f"message {message.sequence}",
            before=identity(stream, version - 1),
            after=identity(stream, version + 1) if self._chain.head(stream).version > version else "",
            detail=detail,
        )
        self._add(finding, stream)

    def _add(self, finding: Finding, stream: str, row_hash: str = "", ev_hash: str = "") -> None:
        index = self.findings.add(finding)
        if index is not None:
            self._open[stream] = _Open(index, row_hash, ev_hash)


class Audit:
    """All logs of one shard: hands each message of EV to the log its subject names."""

    def __init__(self, services: Sequence[str], shard: int, kept: Mapping[str, LogHeads] | None = None) -> None:
        heads = kept or {}
        self.logs = {service: LogAudit(service, shard, heads.get(app_name(service, shard))) for service in services}
        self.strangers = Findings()

    def log_of(self, message: Sent) -> LogAudit | None:
        """The log a message belongs to by its subject; None, and a finding, where no service of ours writes there."""
        parts = message.subject.split(".")
        log = self.logs.get(parts[2]) if len(parts) > 2 else None
        if log is None:
            envelope = envelope_of(message.body)
            known = "" if envelope is None else identity(envelope.stream, envelope.version)
            finding = Finding(
                kind="wrong writer",
                place="EV",
                app=message.app,
                event=known or f"message {message.sequence}",
                detail=f"No service writes on {message.subject}.",
            )
            self.strangers.add(finding)
        return log

    def findings(self) -> tuple[Finding, ...]:
        """What is kept, log by log."""
        every = [*self.logs.values()]
        return tuple(found for log in every for found in log.findings.kept) + tuple(self.strangers.kept)

    @property
    def finding_count(self) -> int:
        """How many there are in all."""
        return sum(log.findings.count for log in self.logs.values()) + self.strangers.count
