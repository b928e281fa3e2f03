"""Reads of a stored event what an audit needs, and nothing of its fact but the name."""

from __future__ import annotations

from typing import Protocol

import msgspec


class _Fact(msgspec.Struct, frozen=True, gc=False):
    topic: str


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """The parts of a stored event that its place in the log repeats or depends on."""

    stream: str
    version: int
    prev: str
    fact: _Fact


class Row(Protocol):
    """A row of a service's log, `id` rising; `state` is the stored event."""

    @property
    def id(self) -> int: ...
    @property
    def stream(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def topic(self) -> str: ...
    @property
    def state(self) -> bytes: ...


_DECODER = msgspec.json.Decoder(Envelope)


def envelope_of(stored: bytes) -> Envelope | None:
    """None where the bytes are no stored event."""
    try:
        return _DECODER.decode(stored)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def identity(stream: str, version: int) -> str:
    """How an event is named; empty before the first."""
    return f"{stream}@{version}" if version > 0 else ""
