"""One file that holds a piece of the record and can be replayed anywhere: events, prices, and what they come to.

Lines of JSON: a head, then events and prices, then an end that seals what came before it with a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.price import Price


class Head(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="head"):
    """What the file is about: a grid, the interval asked for (ns, UTC), the release that wrote it, the grid's file."""

    kind: Literal["gridkeeper-incident-v1"] = "gridkeeper-incident-v1"
    release: str
    shard: int
    grid: str
    account: str
    market: str
    from_ns: int
    to_ns: int
    source: str


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="event"):
    """A stored event of a service's log: its id there, its sequence on EV, its stored bytes as text."""

    service: str
    id: int
    sequence: int
    stored: str


class Tick(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="price"):
    """A price of a segment."""

    price: Price


class End(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="end"):
    """How much came before, its SHA-256 (of all lines with their ends), and the digest of every state it comes to."""

    events: int
    ticks: int
    sha256: str
    digests: dict[str, dict[str, str]]


Line = Head | Event | Tick | End

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class BundleWriter:
    """Turns parts into lines, in the order given, and seals them."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._events = 0
        self._ticks = 0

    def line(self, part: Head | Event | Tick) -> bytes:
        """The next line."""
        self._events += isinstance(part, Event)
        self._ticks += isinstance(part, Tick)
        made = _ENCODER.encode(part) + b"\n"
        self._hash.update(made)
        return made

    def end(self, digests: dict[str, dict[str, str]]) -> bytes:
        """The last line: service -> stream -> digest of what the events come to."""
        sealed = End(events=self._events, ticks=self._ticks, sha256=self._hash.hexdigest(), digests=digests)
        return _ENCODER.encode(sealed) + b"\n"


def read_bundle(lines: Iterable[bytes], name: str) -> Iterator[Line]:
    """Its parts in order, head first and end last. Raises GridkeeperError BAD_FILE where a byte of it was changed."""
    sealed, last, count = hashlib.sha256(), None, 0
    for count, line in enumerate(lines, start=1):  # the number of the last line is told
        if isinstance(last, End):
            break
        last = _part(line, name, count)
        if (count == 1) != isinstance(last, Head):
            raise _bad(name, count, "a head in the first line and nowhere else")
        if isinstance(last, End):
            if last.sha256 != sealed.hexdigest():
                raise _bad(name, count, "the hash of what is in the file: it was changed")
            yield last
            continue
        sealed.update(line)
        yield last
    else:
        if isinstance(last, End):
            return
    raise _bad(name, count, "one sealed end in the last line: the file is cut off or goes on")


def _part(line: bytes, name: str, number: int) -> Line:
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _bad(name, number, "a line of an incident file") from error


def _bad(name: str, number: int, expected: str) -> GridkeeperError:
    return GridkeeperError("BAD_FILE", field=name, value=f"line {number}", expected=expected)
