"""The log of a lab as a record to be replayed: chained as the event store chains it, in the order of EV."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

import msgspec

from gridkeeper_cli.record_source import Stored
from gridkeeper_core.events import WRITERS
from gridkeeper_core.names import split_stream
from gridkeeper_core.record import GENESIS, Recorded, encode, hash_of


class LabRecord:
    """A `RecordSource`. `stored` is everything, to be spoiled by a test at will."""

    def __init__(self, log: Iterable[Recorded]) -> None:
        self.stored: list[Stored] = []
        hashes: dict[str, str] = {}
        ids: dict[str, int] = {}
        for sequence, told in enumerate(log, start=1):
            service = WRITERS[split_stream(told.stream)[0]]
            body = encode(msgspec.structs.replace(told, prev=hashes.get(told.stream, GENESIS)))
            hashes[told.stream] = hash_of(body)
            ids[service] = ids.get(service, 0) + 1
            self.stored.append(Stored(service, ids[service], sequence, body))

    async def events(self, service: str = "") -> AsyncGenerator[Stored, None]:
        """See `RecordSource`."""
        for one in self.stored:
            if service in ("", one.service):
                yield one
