"""Puts a story into real event stores and on a real EV, answers for its services, and spoils what it is told to."""

from __future__ import annotations

import msgspec
import psycopg

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.requests import RequestServer
from gridkeeper_bus.streams import declare_all
from gridkeeper_core.events import WRITERS
from gridkeeper_core.machine import Machine
from gridkeeper_core.names import app_name, query_subject, split_stream
from gridkeeper_core.record import GENESIS, encode, hash_of, topic_of
from gridkeeper_core.requests import Heads
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.outbox import Outbox
from gridkeeper_eventlog.store import EventStore, NewEvent
from support.story import Story

SERVICES = ("strategy", "execution")
"""Those whose events the story holds; the logs of the others stay empty."""


class AuditedRecord:
    """The record of a story. Everything but `write` and `serve_heads` is what must not happen to a record."""

    def __init__(self, postgres_url: str, nats_url: str, story: Story) -> None:
        self.postgres_url = postgres_url
        self.nats_url = nats_url
        self.story = story
        self.bus: Bus
        self._thread = DbThread()
        self._servers: list[RequestServer] = []

    async def write(self) -> None:
        """Append everything, and let the outboxes publish it."""
        self.bus = await connect(self.nats_url, "record")
        await declare_all(self.bus, ev_max_bytes=64 * 1024 * 1024)
        for service in dict.fromkeys(WRITERS.values()):
            store = EventStore(self.postgres_url, app_name(service, 0))
            await self._thread.run(store.create_tables)
            await self._thread.run(store.open)
            if events := self.events(service):
                await self._thread.run(store.append, events)
            await self._publish(service, store)
            await self._thread.run(store.close)

    def events(self, service: str) -> list[NewEvent]:
        """The service's events, chained."""
        hashes: dict[str, str] = {}
        events = []
        for told in self.story.lab.log:
            if service not in SERVICES or WRITERS[split_stream(told.stream)[0]] != service:
                continue
            body = encode(msgspec.structs.replace(told, prev=hashes.get(told.stream, GENESIS)))
            hashes[told.stream] = hash_of(body)
            events.append(NewEvent(stream=told.stream, version=told.version, topic=topic_of(told.fact), state=body))
        return events

    async def serve_heads(self) -> None:
        """Answer for both services, as they would."""
        for service in SERVICES:
            server = RequestServer(self.bus, name=service, version="0.1.0")
            await server.serve(query_subject(0, service, "heads"), self._heads)
            self._servers.append(server)

    def sql(self, statement: str) -> None:
        """Change rows behind the services' backs; at least one."""
        with psycopg.connect(self.postgres_url, autocommit=True) as connection:
            assert connection.execute(statement.encode()).rowcount > 0

    async def publish_on_ev(self, subject: str, body: bytes, headers: dict[str, str]) -> None:
        """Put a message on EV past the outbox."""
        await self.bus.js.publish(subject, body, headers=headers)

    async def close(self) -> None:
        """Let go of everything."""
        for server in self._servers:
            await server.stop()
        await self.bus.close()
        self._thread.close()

    async def _publish(self, service: str, store: EventStore) -> None:
        outbox = Outbox(store=store, thread=self._thread, publisher=JetStreamPublisher(self.bus, service=service))
        outbox.stop()
        await outbox.run()

    async def _heads(self, subject: str, _body: bytes) -> bytes:
        service = subject.split(".")[2]
        machine: Machine = getattr(self.story.lab, service)
        events = self.events(service)
        streams = {event.stream: (event.version, hash_of(event.state)) for event in events}
        heads = Heads(service=service, head_id=len(events), digests=machine.digests(), streams=streams)
        return msgspec.json.encode(heads)
