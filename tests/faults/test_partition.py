"""The network swallows everything between a service and one of its servers: it waits, says so, and loses nothing."""

from __future__ import annotations

import asyncio

import pytest

from gridkeeper_bus.connection import connect
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.reader import EventReader
from gridkeeper_core.errors import GridkeeperError
from support.bus_messages import toy_messages
from support.partition import partition
from support.servers import RunningNats, RunningPostgres, eventually
from support.toy_load import Load, assert_ev_equals_log, bus_at, is_published, publisher_of
from support.toy_machine import PRODUCER_SERVICE
from support.toy_service import toy_service

pytestmark = pytest.mark.servers

QUICK = "?tcp_user_timeout=500"


async def test_away_from_nats_events_wait_in_the_log_and_go_out_once(
    postgres_url: str, nats_server: RunningNats
) -> None:
    with partition(nats_server.server.endpoint.port) as network:
        async with bus_at(nats_server.url) as bus, toy_service(postgres_url, publisher=publisher_of(bus)) as service:
            await service.feed(1, 50)
            await eventually(lambda: is_published(service))
            network.cut()
            await service.feed(51, 120)
            await eventually(lambda: service.outbox is not None and not service.outbox.ready)

            network.heal()
            await eventually(lambda: is_published(service), within_s=20)

            await assert_ev_equals_log(bus, service, 120)


async def test_away_from_nats_a_reader_says_so_and_reads_on_where_it_was(nats_server: RunningNats) -> None:
    with partition(nats_server.server.endpoint.port) as network:
        async with bus_at(nats_server.url) as bus:
            producer = JetStreamPublisher(bus, service=PRODUCER_SERVICE, ack_timeout_s=1.0)
            await producer.publish(toy_messages(1, 50))
            reader = EventReader(bus, [(PRODUCER_SERVICE, 0)], {})
            ids: list[int] = []
            while len(ids) < 50:
                ids += [message.id for message in await reader.next_batch()]
            network.cut()
            reading = asyncio.create_task(reader.next_batch())
            await eventually(lambda: not reader.ready)
            network.heal()
            other = await connect(nats_server.url, "other")
            await JetStreamPublisher(other, service=PRODUCER_SERVICE).publish(toy_messages(51, 60))

            ids += [message.id for message in await reading]
            while len(ids) < 60:
                ids += [message.id for message in await reader.next_batch()]

            assert ids == list(range(1, 61))
            await other.close()
            await reader.close()


async def test_away_from_postgresql_no_input_is_taken_and_none_is_lost(postgres_server: RunningPostgres) -> None:
    async with toy_service(postgres_server.url + QUICK) as service:
        with partition(postgres_server.server.endpoint.port) as network:
            load = Load(service)
            await load.more(50)
            network.cut()
            await eventually(lambda: not service.processor.ready, within_s=20)
            assert "PostgreSQL" in service.processor.not_ready_reason

            network.heal()
            await load.more(50, within_s=20)
            await load.stop()

            assert service.processor.ready
            assert service.machine.echoed == [f"account:main@{n}" for n in range(1, load.answered + 1)]
            assert len(service.committed) == load.answered


async def test_away_from_postgresql_longer_than_the_patience_ends_the_service(
    postgres_server: RunningPostgres,
) -> None:
    async with toy_service(postgres_server.url + QUICK, patience_s=1.0) as service:
        with partition(postgres_server.server.endpoint.port) as network:
            await service.feed(1, 5)
            network.cut()

            with pytest.raises(GridkeeperError) as caught:
                await service.feed(6, 6)

            assert caught.value.code == "STORE_LOST"
