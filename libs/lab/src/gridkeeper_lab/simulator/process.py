"""One life of a service: a machine between its log and the bus, with an exactly-once commit and an outbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import Command, Wake
from gridkeeper_core.machine import Draft
from gridkeeper_core.record import Recorded, decode
from gridkeeper_lab.simulator.broken import BrokenPromiseError, DiedError
from gridkeeper_lab.simulator.storage import Bus, Database, Message, Step

WAKES_MAX = 200
GAP = "EVENT_GAP"


class AnyMachine(Protocol):
    """A machine of any service; price-feed's takes inputs of its own."""

    def accept(self, item: Any) -> list[Draft]:
        """See `gridkeeper_core.machine.Machine`."""

    def restore(self, event: Recorded) -> None:
        """See `gridkeeper_core.machine.Machine`."""

    def next_wake_ns(self) -> int | None:
        """See `gridkeeper_core.machine.Machine`."""

    def digests(self) -> dict[str, str]:
        """See `gridkeeper_core.machine.Machine`."""


class Stamped(Protocol):
    """A draft with its place in its stream, and the bytes to store."""

    @property
    def recorded(self) -> Recorded:
        """As it will be read."""

    @property
    def body(self) -> bytes:
        """As it will be stored."""


class Inbox(Protocol):
    """The gap rule of the event log."""

    def position(self, app: str) -> int:
        """Id of the last event of the producer that was taken."""

    def admit(self, app: str, event_id: int, previous: int) -> bool:
        """Whether the event is new. Raises GridkeeperError EVENT_GAP."""


class Journal(Protocol):
    """Heads of streams, and answers of commands."""

    def fold(self, event: Recorded, body: bytes) -> None:
        """Take a stored event. Raises GridkeeperError CHAIN_BROKEN."""

    def stamp(self, drafts: Sequence[Draft]) -> Sequence[Stamped]:
        """Give drafts version and hash."""

    def settle(self) -> None:
        """What was stamped is committed."""

    def answer(self, stream: str, key: str) -> object | None:
        """What a command led to before; None for a new one."""


class Rules(NamedTuple):
    """The rules of the event log, as the services have them."""

    inbox: Callable[[Mapping[str, int]], Inbox]
    journal: Callable[[], Journal]


class Process:
    """Begins with a fold of the log. `at` is told each step it is about to take and may raise DiedError.

    `on_commit` looks at each commit: the messages that were taken, before anything else happens.
    """

    def __init__(
        self,
        name: str,
        machine: AnyMachine,
        database: Database,
        bus: Bus,
        rules: Rules,
        at: Callable[[str], None],
        on_commit: Callable[[str, Sequence[Message]], None],
    ) -> None:
        self.name = name
        self.machine = machine
        self.database = database
        self.inbox = rules.inbox(database.positions)
        self.refusals: list[tuple[str, GridkeeperError]] = []
        self._journal = rules.journal()
        self._bus = bus
        self._at = at
        self._on_commit = on_commit
        self._now_ns = 0
        self._published: int | None = None
        self.known_id = database.last_id
        for row in database.rows:
            event = decode(row.body)
            self._journal.fold(event, row.body)
            machine.restore(event)
            self._now_ns = max(self._now_ns, event.ts_ns)

    def take(self, items: Sequence[tuple[Any, Message | None]]) -> list[Recorded]:
        """One turn: inputs with the messages they came in; what is committed for them.

        Raises DiedError, of which nothing or everything is in the log.
        """
        stamped: list[Stamped] = []
        steps: dict[str, Step] = {}
        taken: list[Message] = []
        for item, message in items:
            if message is not None:
                previous = self.inbox.position(message.app)
                if not self._admit(message):
                    continue
                first = steps.get(message.app)
                steps[message.app] = Step(message.app, first.previous if first else previous, message.id)
                taken.append(message)
            stamped += self._decide(item)
        if stamped or steps:
            self._at("commit")
            events = [(s.recorded.stream, s.recorded.version, s.body) for s in stamped]
            self.database.append(self.known_id, events, list(steps.values()))
            self.known_id = self.database.last_id
            self._on_commit(self.name, taken)
            self._at("committed")
        self._journal.settle()
        return [s.recorded for s in stamped]

    def due_ns(self) -> int | None:
        """The machine's next deadline."""
        return self.machine.next_wake_ns()

    def unpublished(self) -> bool:
        """Whether the log holds what the bus does not."""
        return self.known_id > self._bus.last_id(self.name)

    def publish(self, most: int, *, is_acknowledged: bool = True) -> None:
        """The outbox: the next rows of the log, at most so many, in one batch. Raises DiedError."""
        if self._published is None:
            self._published = self._bus.count(self.name)
        last_id = self._bus.last_id(self.name)
        rows = [row for row in self.database.rows[self._published :] if row.id <= self.known_id][:most]
        if not rows:
            return
        previous = [last_id, *(row.id for row in rows)]
        self._at("publish")
        batch = [Message(self.name, row.id, before, row) for row, before in zip(rows, previous, strict=False)]
        self._bus.publish(self._published, batch)
        self._at("published")
        self._published = self._published + len(rows) if is_acknowledged else None

    # ------------------------------------------------------------ inside

    def _admit(self, message: Message) -> bool:
        try:
            return self.inbox.admit(message.app, message.id, message.prev)
        except GridkeeperError as error:
            if error.code != GAP:
                raise
            raise DiedError(str(error)) from error

    def _decide(self, item: Any) -> list[Stamped]:
        # For a machine time never steps back, whatever the host's clock does.
        self._now_ns = max(self._now_ns, item.now_ns)
        if item.now_ns < self._now_ns:
            item = msgspec.structs.replace(item, now_ns=self._now_ns)
        stamped = self._wakes(item.now_ns)
        if isinstance(item, Wake):
            return stamped
        if isinstance(item, Command) and self._journal.answer(item.target, item.key) is not None:
            return stamped
        try:
            drafts = self.machine.accept(item)
        except GridkeeperError as refusal:
            if not isinstance(item, Command):
                raise
            self.refusals.append((item.key, refusal))
            return stamped
        return [*stamped, *self._journal.stamp(drafts)]

    def _wakes(self, now_ns: int) -> list[Stamped]:
        stamped: list[Stamped] = []
        for _ in range(WAKES_MAX):
            due_ns = self.machine.next_wake_ns()
            if due_ns is None or due_ns > now_ns:
                return stamped
            stamped += self._journal.stamp(self.machine.accept(Wake(now_ns=due_ns)))
        raise BrokenPromiseError("TIME", f"{self.name} asks for the deadline {due_ns} again and again")
