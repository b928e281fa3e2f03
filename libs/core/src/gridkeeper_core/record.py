"""The stored form of an event: envelope and fact as one JSON document, hashed as it is stored."""

from __future__ import annotations

import functools
import hashlib
import operator
from typing import Any

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import FACTS, Fact

GENESIS = ""
"""`prev` of the first event of a stream."""

_CLASSES: tuple[type[Fact], ...] = tuple(dict.fromkeys(c for group in FACTS.values() for c in group))
_TOPICS: dict[type[Fact], str] = {c: str(c.__struct_config__.tag) for c in _CLASSES}
AnyFact: Any = functools.reduce(operator.or_, _CLASSES)


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One event of one stream.

    Identity is `stream@version` (versions count from 1). `ts_ns` is when it was decided, by the service's clock; it
    orders nothing. `cause` names the input that led to it, `thread` the intent or command it belongs to. `prev` is the
    SHA-256 (hex) of the bytes of the event before it in the stream, empty for the first.
    """

    stream: str
    version: int
    ts_ns: int
    cause: str
    thread: str
    prev: str
    fact: AnyFact

    @property
    def identity(self) -> str:
        """How other events name this one as their cause."""
        return f"{self.stream}@{self.version}"


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Recorded)


def topic_of(fact: Fact) -> str:
    """The stored name of a fact, such as `order.filled.v1`."""
    return _TOPICS[type(fact)]


def encode(event: Recorded) -> bytes:
    """The bytes to store. Called once per event; afterwards the stored bytes are the truth."""
    return _ENCODER.encode(event)


def decode(stored: bytes) -> Recorded:
    """The event in stored bytes. Raises GridkeeperError UNKNOWN_TOPIC when no class fits."""
    try:
        return _DECODER.decode(stored)
    except msgspec.ValidationError as e:
        raise GridkeeperError("UNKNOWN_TOPIC", value=stored[:200].decode(errors="replace"), detail=str(e)) from e


def hash_of(stored: bytes) -> str:
    """The hash that the next event of the stream carries as `prev`."""
    return hashlib.sha256(stored).hexdigest()
