"""A log of strategy in both copies, as PostgreSQL and EV would hold it, for tests that spoil one of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gridkeeper_core.audit.copies import LogAudit, Sent
from gridkeeper_core.audit.finding import Finding
from gridkeeper_core.events import GridPaused
from gridkeeper_core.names import event_subject
from gridkeeper_core.record import GENESIS, Recorded, encode, hash_of, topic_of

APP = "strategy_0"
PAUSED = "grid.paused.v1"


class LogRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the log."""

    id: int
    stream: str
    version: int
    topic: str
    state: bytes

    @property
    def identity(self) -> str:
        return f"{self.stream}@{self.version}"


def log_of(streams: Sequence[str], *, id_step: int = 1) -> list[LogRow]:
    """One event per name, in this order."""
    heads: dict[str, tuple[int, str]] = {}
    rows = []
    for number, stream in enumerate(streams, start=1):
        version, prev = heads.get(stream, (0, GENESIS))
        fact = GridPaused(code="ECHO", author="ann", reason=f"event {number}")
        event = Recorded(stream=stream, version=version + 1, ts_ns=number, cause="", thread="", prev=prev, fact=fact)
        body = encode(event)
        heads[stream] = (version + 1, hash_of(body))
        row = LogRow(id=number * id_step, stream=stream, version=version + 1, topic=topic_of(fact), state=body)
        rows.append(row)
    return rows


def sent(rows: Sequence[LogRow]) -> list[Sent]:
    """The rows as their outbox publishes them."""
    before = [0, *(row.id for row in rows)]
    return [
        Sent(
            sequence=sequence,
            subject=event_subject(0, "strategy", row.stream, row.topic),
            app=APP,
            id=row.id,
            prev_id=prev_id,
            body=row.state,
        )
        for sequence, (row, prev_id) in enumerate(zip(rows, before, strict=False), start=1)
    ]


def audited(rows: Sequence[LogRow], messages: Sequence[Sent]) -> list[Finding]:
    """What is found when both are read, the rows up to each message's id before it."""
    audit = LogAudit("strategy", 0)
    left = list(rows)
    for message in messages:
        while left and audit.read_to < message.id:
            audit.add_rows([left.pop(0)])
        audit.take(message)
    audit.add_rows(left)
    audit.pass_rows(max((row.id for row in rows), default=0))
    return audit.findings.kept


def spoiled(body: bytes, at: int, by: int) -> bytes:
    """The bytes with one of them changed; `by` is 1 to 255."""
    at %= len(body)
    return body[:at] + bytes([body[at] ^ by]) + body[at + 1 :]
