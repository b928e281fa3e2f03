"""EV or the event store is not what it was: filled up again from PostgreSQL, or refused before anything is decided."""

from __future__ import annotations

import asyncio
import shutil

import psycopg
import pytest

from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.reader import EventReader
from gridkeeper_bus.streams import declare, ev_config
from support.bus_messages import read, toy_messages
from support.servers import RunningNats, eventually
from support.toy_load import MIB, assert_ev_equals_log, bus_at, is_published, publisher_of
from support.toy_machine import PRODUCER_SERVICE, SERVICE, pause
from support.toy_service import toy_service
from support.toy_shell import toy_shell

pytestmark = pytest.mark.servers

EVENTS = "strategy_0.strategy_0_events"


async def test_an_older_ev_is_filled_up_again_and_readers_take_each_event_once(
    postgres_url: str, nats_server: RunningNats
) -> None:
    store = nats_server.server.folder / "store"
    async with bus_at(nats_server.url) as bus, toy_service(postgres_url, publisher=publisher_of(bus)) as service:
        reader = EventReader(bus, [(SERVICE, 0)], {})
        await service.feed(1, 50)
        await eventually(lambda: is_published(service))
        nats_server.stop()
        shutil.copytree(store, store.with_name("older"))
        nats_server.restart()
        await service.feed(51, 100)
        taken = [message.id for message in await read(reader, 100)]
        nats_server.stop()
        shutil.rmtree(store)
        store.with_name("older").rename(store)
        nats_server.restart()

        await service.feed(101, 120)
        await eventually(lambda: is_published(service), within_s=20)

        await assert_ev_equals_log(bus, service, 120)
        while len(taken) < 120:
            taken += [message.id for message in await reader.next_batch() if message.id > taken[-1]]
        assert taken == list(range(1, 121))
        await reader.close()


async def test_an_ev_that_was_deleted_is_filled_again_from_the_log(postgres_url: str, nats_server: RunningNats) -> None:
    async with bus_at(nats_server.url) as bus, toy_service(postgres_url, publisher=publisher_of(bus)) as service:
        await service.feed(1, 50)
        await eventually(lambda: is_published(service))
        await bus.js.delete_stream("EV")
        await service.feed(51, 60)
        await eventually(lambda: service.outbox is not None and not service.outbox.ready)

        await declare(bus, ev_config(max_bytes=64 * MIB))
        await eventually(lambda: is_published(service))

        await assert_ev_equals_log(bus, service, 60)


async def test_an_older_event_store_is_refused_before_anything_is_decided_on_it(
    postgres_url: str, nats_server: RunningNats
) -> None:
    async with toy_shell(postgres_url, nats_server.url) as service:
        producer = JetStreamPublisher(service.shell.bus, service=PRODUCER_SERVICE)
        await producer.publish(toy_messages(1, 20))
        await eventually(lambda: service.shell.outbox.published_id == 20)
    await asyncio.to_thread(_go_back, postgres_url, 15)

    async with toy_shell(postgres_url, nats_server.url, waiting=[pause("k1")]) as service:
        with pytest.raises(ExceptionGroup) as caught:
            await asyncio.wait_for(service.running, 10)

        assert "STORE_BEHIND_EV" in str(caught.value.exceptions)
        assert service.machine.paused == {}
        assert await asyncio.to_thread(_count, postgres_url) == 15


def _go_back(url: str, event_id: int) -> None:
    """As from a backup: rows, position and numbering are those of that moment."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DELETE FROM {EVENTS} WHERE notification_id > {event_id}".encode())
        connection.execute(f"UPDATE strategy_0.strategy_0_tracking SET notification_id = {event_id}".encode())
        sequence = f"pg_get_serial_sequence('{EVENTS}', 'notification_id')"
        connection.execute(f"SELECT setval({sequence}, {event_id})".encode())


def _count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {EVENTS}".encode()).fetchone()
    assert row is not None
    return int(row[0])
