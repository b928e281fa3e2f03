"""Heads of a service's streams in memory: gives drafts version and `prev`, and remembers commands' answers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.machine import Draft
from gridkeeper_core.record import GENESIS, Recorded, encode, hash_of, topic_of
from gridkeeper_eventlog.store import NewEvent, StreamHead

COMMAND_KEYS_MAX = 100
_COMMAND = "cmd:"


class Stamped(msgspec.Struct, frozen=True):
    """An event with its place in its stream and the bytes that will be stored."""

    recorded: Recorded
    body: bytes

    @property
    def new_event(self) -> NewEvent:
        """As the store takes it."""
        event = self.recorded
        return NewEvent(stream=event.stream, version=event.version, topic=topic_of(event.fact), state=self.body)


class Answer(msgspec.Struct, frozen=True):
    """What a command led to in its target stream: versions `first` to `last`."""

    stream: str
    first: int
    last: int


class Journal:
    """Moves ahead of the store by what was stamped and not yet committed; `settle` or `rollback` ends that."""

    def __init__(self) -> None:
        self._heads: dict[str, tuple[int, bytes]] = {}
        self._answers: dict[str, OrderedDict[str, Answer]] = {}
        self._undo: dict[str, tuple[int, bytes] | None] = {}

    def fold(self, event: Recorded, body: bytes) -> None:
        """Take one stored event, in the order of its stream. Raises GridkeeperError CHAIN_BROKEN on a gap."""
        version, _ = self._heads.get(event.stream, (0, b""))
        if event.version != version + 1:
            raise GridkeeperError("CHAIN_BROKEN", field=event.stream, value=event.version, expected=str(version + 1))
        self._heads[event.stream] = (event.version, body)
        if event.cause.startswith(_COMMAND):
            self._remember(event)

    def stamp(self, drafts: Sequence[Draft]) -> list[Stamped]:
        """The drafts with version and `prev`, encoded once: these bytes are what is stored, hashed and published."""
        return [self._stamp(draft) for draft in drafts]

    def settle(self) -> None:
        """What was stamped is committed."""
        self._undo.clear()

    def rollback(self) -> None:
        """What was stamped since the last `settle` will never be committed."""
        for stream, head in self._undo.items():
            version = 0 if head is None else head[0]
            self._forget_above(stream, version)
            if head is None:
                del self._heads[stream]
            else:
                self._heads[stream] = head
        self._undo.clear()

    def head(self, stream: str) -> StreamHead:
        """Version 0 and an empty hash for a stream without events."""
        if stream not in self._heads:
            return StreamHead(0, GENESIS)
        version, body = self._heads[stream]
        return StreamHead(version, hash_of(body))

    def heads(self) -> dict[str, StreamHead]:
        """Stream -> its newest event."""
        return {stream: self.head(stream) for stream in self._heads}

    def answer(self, stream: str, key: str) -> Answer | None:
        """What the command with this key led to, when it is among the last 100 of the stream."""
        return self._answers.get(stream, OrderedDict[str, Answer]()).get(key)

    def _stamp(self, draft: Draft) -> Stamped:
        before = self._heads.get(draft.stream)
        self._undo.setdefault(draft.stream, before)
        event = Recorded(
            stream=draft.stream,
            version=1 if before is None else before[0] + 1,
            ts_ns=draft.ts_ns,
            cause=draft.cause,
            thread=draft.thread,
            prev=GENESIS if before is None else hash_of(before[1]),
            fact=draft.fact,
        )
        body = encode(event)
        self.fold(event, body)
        return Stamped(event, body)

    def _remember(self, event: Recorded) -> None:
        answers = self._answers.setdefault(event.stream, OrderedDict())
        key = event.cause.removeprefix(_COMMAND)
        known = answers.get(key)
        answers[key] = Answer(event.stream, event.version if known is None else known.first, event.version)
        while len(answers) > COMMAND_KEYS_MAX:
            answers.popitem(last=False)

    def _forget_above(self, stream: str, version: int) -> None:
        answers = self._answers.get(stream, OrderedDict())
        for key in [key for key, answer in answers.items() if answer.last > version]:
            del answers[key]
