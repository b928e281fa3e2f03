"""The durable parts: an event log per service, and the bus that carries it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gridkeeper_lab.simulator.broken import FencedError


class Row(NamedTuple):
    """A stored event. `after` is how far its writer had read each producer when it was written."""

    id: int
    stream: str
    version: int
    body: bytes
    after: Mapping[str, int]


class Message(NamedTuple):
    """A row on the bus; `prev` is the id of the row before it in the same log."""

    app: str
    id: int
    prev: int
    row: Row


class Step(NamedTuple):
    """A reader's position at a producer moves from `previous` to `id`."""

    app: str
    previous: int
    id: int


class Database:
    """One service's event log and its positions at the producers it reads."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.positions: dict[str, int] = {}
        self._versions: dict[str, int] = {}

    @property
    def last_id(self) -> int:
        """Id of the newest row; 0 for none."""
        return self.rows[-1].id if self.rows else 0

    def append(self, known_id: int, events: Sequence[tuple[str, int, bytes]], steps: Sequence[Step]) -> None:
        """One commit of (stream, version, bytes) and positions: all of it or, with FencedError, nothing.

        `known_id` is the newest row its writer knows.
        """
        if known_id != self.last_id:
            raise FencedError(f"the log is at {self.last_id}, its writer at {known_id}")
        for step in steps:
            if self.positions.get(step.app, 0) != step.previous:
                raise FencedError(f"{step.app} is read up to {self.positions.get(step.app, 0)}, not {step.previous}")
        self.positions |= {step.app: step.id for step in steps}
        after = dict(self.positions)
        for stream, version, body in events:
            if version != self._versions.get(stream, 0) + 1:
                raise FencedError(f"{stream} is at version {self._versions.get(stream, 0)}, not before {version}")
            self._versions[stream] = version
            # A sequence of a database has holes: ids of commits that failed.
            self.rows.append(Row(self.last_id + 1 + version % 2, stream, version, body, after))


class Bus:
    """One stream of everybody's messages. Of one producer they are in order, and none can be taken back."""

    def __init__(self) -> None:
        self.of: dict[str, list[Message]] = {}

    def count(self, app: str) -> int:
        """How many messages of a producer there are."""
        return len(self.of.get(app, ()))

    def last_id(self, app: str) -> int:
        """Id of the newest row of a producer that is here; 0 for none."""
        return self.of[app][-1].id if self.count(app) else 0

    def publish(self, expected: int, batch: Sequence[Message]) -> None:
        """All or none: `expected` is how many of this producer its publisher knows. Raises FencedError."""
        app = batch[0].app
        if self.count(app) != expected:
            raise FencedError(f"{app} has {self.count(app)} messages on the bus, not {expected}")
        self.of.setdefault(app, []).extend(batch)

    def after(self, app: str, position: int) -> list[Message]:
        """Messages of a producer behind a reader's position."""
        held = self.of.get(app, [])
        low, high = 0, len(held)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if held[middle].id <= position else (low, middle)
        return held[low:]
