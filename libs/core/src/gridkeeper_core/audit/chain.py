"""Checks one log row by row: versions without a hole, each event chained to the stored bytes before it, one writer."""

from __future__ import annotations

from gridkeeper_core.audit.envelope import Envelope, Row, envelope_of, identity
from gridkeeper_core.audit.finding import Finding, Kind
from gridkeeper_core.events import WRITERS
from gridkeeper_core.names import split_stream
from gridkeeper_core.record import GENESIS, hash_of


class Head:
    """The newest event of a stream that was looked at."""

    __slots__ = ("hash", "version")

    def __init__(self, version: int = 0, hash_: str = GENESIS) -> None:
        self.version = version
        self.hash = hash_


class ChainCheck:
    """One per log. Remembers one hash per stream, so its memory does not grow with the log."""

    def __init__(self, app: str, service: str) -> None:
        self._app = app
        self._service = service
        self._heads: dict[str, Head] = {}

    @property
    def streams(self) -> int:
        """How many streams were met."""
        return len(self._heads)

    def head(self, stream: str) -> Head:
        """The stream's newest event so far; version 0 before its first."""
        return self._heads.get(stream, Head())

    def take(self, row: Row) -> tuple[Finding | None, Envelope | None]:
        """The next row of the log: what is wrong with it (the first thing only), and its envelope where readable."""
        head = self._heads.setdefault(row.stream, Head())
        envelope = envelope_of(row.state)
        found = self._judge(row, envelope, head)
        # A row that lies about its place says nothing about what comes next in either place.
        if row.version > head.version and not (found is not None and found.kind == "mislabelled"):
            head.version, head.hash = row.version, hash_of(row.state)
        return found, envelope

    def _judge(self, row: Row, envelope: Envelope | None, head: Head) -> Finding | None:
        if envelope is not None and _is_mislabelled(row, envelope):
            said = f"{envelope.stream}@{envelope.version} {envelope.fact.topic}"
            detail = f"Its row says {row.stream}@{row.version} {row.topic}, its bytes {said}."
            return self._finding("mislabelled", row, detail)
        if row.version > head.version + 1:
            missing = identity(row.stream, head.version + 1)
            detail = "There is no such row." if row.version == head.version + 2 else f"So are all up to {_before(row)}."
            return self._finding("missing", row, detail, event=missing, after=identity(row.stream, row.version))
        if row.version <= head.version:
            kind: Kind = "doubled" if row.version == head.version else "out of order"
            return self._finding(kind, row, f"The stream was at version {head.version} already.")
        if envelope is None:
            return self._finding("unreadable", row, "The stored bytes are not an event.")
        writer = WRITERS.get(split_stream(row.stream)[0], "nobody")
        if writer != self._service:
            return self._finding("wrong writer", row, f"Only {writer} writes this stream.")
        if envelope.prev != head.hash:
            detail = f"Its prev is {envelope.prev or 'empty'}, the hash before it is {head.hash or 'none'}."
            return self._finding("broken", row, detail)
        return None

    def _finding(self, kind: Kind, row: Row, detail: str, *, event: str = "", after: str = "") -> Finding:
        head = self._heads[row.stream]
        # For an event that came again, what lies before it is not what was last looked at.
        before = min(head.version, row.version - 1)
        return Finding(
            kind=kind,
            place="PostgreSQL",
            app=self._app,
            event=event or identity(row.stream, row.version),
            before=identity(row.stream, before),
            after=after,
            detail=detail,
        )


def _is_mislabelled(row: Row, envelope: Envelope) -> bool:
    return (envelope.stream, envelope.version, envelope.fact.topic) != (row.stream, row.version, row.topic)


def _before(row: Row) -> str:
    return identity(row.stream, row.version - 1)
