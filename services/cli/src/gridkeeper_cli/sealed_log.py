"""The parts of EV that were sealed: what left the stream when it was rotated, in files beside the data."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import msgspec

from gridkeeper_core.errors import GridkeeperError

FOLDER = "sealed"
_INDEX = "index.json"


class SealedEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of a sealed part: who wrote it, its id in that log, its sequence on EV, its stored bytes as text."""

    service: str
    id: int
    sequence: int
    stored: str

    @property
    def body(self) -> bytes:
        """The stored bytes."""
        return self.stored.encode()


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(SealedEvent)


class SealedPart(msgspec.Struct, frozen=True, kw_only=True):
    """One file: how much it holds, its SHA-256, and per service the id of the newest event in it."""

    file: str
    sealed_at: str
    release: str
    events: int
    last_sequence: int
    sha256: str
    heads: dict[str, int]


class SealedIndex(msgspec.Struct, frozen=True, kw_only=True):
    """Every part that was sealed, oldest first."""

    parts: tuple[SealedPart, ...] = ()

    @property
    def heads(self) -> dict[str, int]:
        """Service -> id of the newest event that is sealed."""
        return dict(self.parts[-1].heads) if self.parts else {}

    @property
    def last_sequence(self) -> int:
        """The newest sequence of EV that is sealed; 0 for none."""
        return self.parts[-1].last_sequence if self.parts else 0


def read_index(data_dir: Path) -> SealedIndex:
    """What was sealed of this data directory. Raises GridkeeperError BAD_FILE."""
    path = data_dir / FOLDER / _INDEX
    try:
        return msgspec.json.decode(path.read_bytes(), type=SealedIndex)
    except FileNotFoundError:
        return SealedIndex()
    except (OSError, msgspec.MsgspecError) as error:
        raise GridkeeperError("BAD_FILE", field="sealed", value=path, detail=str(error)) from error


def write_index(data_dir: Path, index: SealedIndex) -> None:
    """Put the list of parts in force, whole or not at all."""
    path = data_dir / FOLDER / _INDEX
    draft = path.with_suffix(".part")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(index)) + b"\n")
    draft.rename(path)


class PartWriter:
    """Writes one file event by event; it is there whole once the block ends, or not at all. Equal events, equal bytes.

    `events` counts them, `heads` is the newest id of each service, `sha256` the hash of the file once it is there.
    """

    def __init__(self, path: Path) -> None:
        self.events = 0
        self.heads: dict[str, int] = {}
        self.sha256 = ""
        self._path = path
        self._draft = path.with_suffix(".part")
        self._files = ExitStack()

    def __enter__(self) -> Self:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        raw = self._files.enter_context(self._draft.open("wb"))
        self._out = self._files.enter_context(gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0))
        return self

    def add(self, event: SealedEvent) -> None:
        """The next event."""
        self._out.write(_ENCODER.encode(event) + b"\n")
        self.events += 1
        self.heads[event.service] = event.id

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._files.close()
        if kind is None:
            self._draft.rename(self._path)
            self.sha256 = _hash(self._path)


def sealed_events(data_dir: Path, index: SealedIndex) -> Iterator[SealedEvent]:
    """Everything that is sealed, in the order in which it lay on EV. Raises GridkeeperError BAD_FILE."""
    for part in index.parts:
        path = data_dir / FOLDER / part.file
        try:
            if _hash(path) != part.sha256:
                raise GridkeeperError(
                    "BAD_FILE", field="sealed", value=path, expected="the hash it was sealed with: it was changed"
                )
            with gzip.open(path, "rb") as lines:
                for line in lines:
                    yield _DECODER.decode(line)
        except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
            raise GridkeeperError("BAD_FILE", field="sealed", value=path, detail=str(error)) from error


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
