"""The record to replay, wherever it lies: in PostgreSQL, on EV, or in a file that was exported."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.inspection import held_stream, read_raw
from gridkeeper_cli.audit_logs import CONNECT_PATIENCE_S, SERVICES, sent_of
from gridkeeper_cli.record_reading import log_opened, rows_of
from gridkeeper_cli.sealed_log import read_index, sealed_events
from gridkeeper_core import names
from gridkeeper_core.audit.bundle import End, Event, Head, Tick, read_bundle
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.price import Price


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A stored event: the service that wrote it, its id there, its sequence on EV (0 where that is not known)."""

    service: str
    id: int
    sequence: int
    body: bytes


class RecordSource(Protocol):
    """A copy of the record. Reading begins anew with every call, and holds little at a time."""

    def events(self, service: str = "") -> AsyncGenerator[Stored, None]:
        """The events of one service in the order of its log, or of all: each service's in order."""


class PostgresSource:
    """The record itself; services come one after another."""

    def __init__(self, postgres_url: str) -> None:
        self._url = postgres_url

    async def events(self, service: str = "") -> AsyncGenerator[Stored, None]:
        """See `RecordSource`."""
        for name in (service,) if service else SERVICES:
            with log_opened(self._url, name) as store:
                for row in rows_of(store, lambda _: True):
                    yield Stored(name, row.id, 0, row.state)


class EvSource:
    """EV, up to where it ends when reading begins; all services in one order. What was sealed comes before it."""

    def __init__(self, bus: Bus, data_dir: Path, shard: int = 0) -> None:
        self._bus = bus
        self._data_dir = data_dir
        self._shard = shard

    async def events(self, service: str = "") -> AsyncGenerator[Stored, None]:
        """See `RecordSource`."""
        last = (await held_stream(self._bus, names.EV_STREAM)).last_sequence
        index = read_index(self._data_dir)
        for event in sealed_events(self._data_dir, index):
            if service in ("", event.service):
                yield Stored(event.service, event.id, event.sequence, event.body)
        async for batch in read_raw(self._bus, f"ev.{self._shard}.{service or '*'}.>", 1, last):
            for message in batch:
                writer, sent = message.subject.split(".")[2], sent_of(message)
                if sent.id > index.heads.get(writer, 0):
                    yield Stored(writer, sent.id, message.sequence, message.body)


class FileSource:
    """An exported file; it is read through once for each call, and checked as it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def events(self, service: str = "") -> AsyncGenerator[Stored, None]:
        """See `RecordSource`."""
        for part in self.parts():
            if isinstance(part, Event) and service in ("", part.service):
                yield Stored(part.service, part.id, part.sequence, part.stored.encode())

    def head(self) -> Head:
        """What the file is about."""
        part = next(self.parts())
        assert isinstance(part, Head)  # read_bundle refuses anything else in the first line
        return part

    def prices(self) -> Iterator[Price]:
        """The prices in it."""
        return (part.price for part in self.parts() if isinstance(part, Tick))

    def end(self) -> End:
        """What its events come to; everything before it is read and checked."""
        return next(part for part in self.parts() if isinstance(part, End))

    def parts(self) -> Iterator[Head | Event | Tick | End]:
        """Every part. Raises GridkeeperError BAD_FILE."""
        try:
            with gzip.open(self._path, "rb") as lines:
                yield from read_bundle(lines, str(self._path))
        except (OSError, EOFError, zlib.error) as error:
            raise GridkeeperError("BAD_FILE", field=str(self._path), detail=str(error)) from error


@asynccontextmanager
async def ev_source(nats_url: str, data_dir: Path, shard: int = 0) -> AsyncIterator[EvSource]:
    """EV, until the block ends. Raises GridkeeperError STORE_LOST."""
    bus = await connect(nats_url, "gridkeeper-audit", patience_s=CONNECT_PATIENCE_S)
    try:
        yield EvSource(bus, data_dir, shard)
    finally:
        await bus.close()
