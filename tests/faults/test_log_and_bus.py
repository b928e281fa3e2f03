"""What servers do when they die or go silent: nothing acknowledged is lost, nothing happens twice."""

from __future__ import annotations

import asyncio

import pytest

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.reader import BusMessage, EventReader
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_eventlog.rebuild import rebuild
from gridkeeper_eventlog.store import EventStore, NewEvent
from support.bus_messages import read, toy_messages
from support.proxy import lossy_proxy
from support.servers import RunningNats, RunningPostgres, eventually, running_nats
from support.toy_load import Load, assert_ev_equals_log, bus_at, publisher_of
from support.toy_machine import ECHO, PRODUCER, PRODUCER_SERVICE, SERVICE, account_log
from support.toy_service import ToyService, pump, toy_service

pytestmark = pytest.mark.servers


async def test_killing_nats_under_load_puts_each_event_on_ev_once(postgres_url: str, nats_server: RunningNats) -> None:
    async with (
        bus_at(nats_server.url) as bus,
        toy_service(postgres_url, publisher=publisher_of(bus)) as service,
    ):
        load = Load(service)
        for _ in range(3):
            await load.more(50)
            nats_server.kill()
            await load.more(20)
            await asyncio.to_thread(nats_server.restart)
        await load.stop()
        await eventually(lambda: service.outbox is not None and service.outbox.lag == 0)

        await assert_ev_equals_log(bus, service, load.answered)


@pytest.mark.parametrize("count", [1, 50])
async def test_an_event_whose_ack_was_lost_is_not_published_again(
    postgres_url: str, nats_server: RunningNats, count: int
) -> None:
    # The window is over before the outbox tries again, so that the server's own memory of ids does not help.
    async with bus_at(nats_server.url, duplicate_window_s=0.1) as bus, lossy_proxy(nats_server.url) as proxy:
        lossy = await connect(proxy.url, "lossy")
        async with toy_service(postgres_url, publisher=publisher_of(lossy)) as service:
            await eventually(lambda: service.outbox is not None and service.outbox.ready)
            proxy.lose_answer(b"Es-Id", b'"seq"')
            await service.feed(1, count)
            await eventually(lambda: service.outbox is not None and service.outbox.lag == 0)

            assert proxy.lost == 1
            await assert_ev_equals_log(bus, service, count)
        await lossy.close()


async def test_an_outbox_away_longer_than_the_duplicate_window_publishes_nothing_twice(
    postgres_url: str, nats_server: RunningNats
) -> None:
    window_s = 0.2
    async with bus_at(nats_server.url, duplicate_window_s=window_s) as bus:
        for last in (30, 60):
            async with toy_service(postgres_url, publisher=publisher_of(bus)) as service:
                await service.feed(1, last)
                await eventually(lambda: service.outbox is not None and service.outbox.lag == 0)
            # That the window passes is what this test is about.
            await asyncio.sleep(2 * window_s)
        async with toy_service(postgres_url, publisher=publisher_of(bus)) as service:
            await service.feed(1, 70)
            await eventually(lambda: service.outbox is not None and service.outbox.lag == 0)
            await assert_ev_equals_log(bus, service, 70)


async def test_killing_postgres_under_load_loses_no_answered_input(postgres_server: RunningPostgres) -> None:
    async with toy_service(postgres_server.url) as service:
        load = Load(service)
        for _ in range(3):
            await load.more(50)
            postgres_server.kill()
            await eventually(lambda: not service.processor.ready)
            assert "PostgreSQL" in service.processor.not_ready_reason
            await asyncio.to_thread(postgres_server.restart)
        await load.more(50)
        await load.stop()
        assert service.processor.ready
        told = [event.identity for event in service.committed]

    async with toy_service(postgres_server.url) as service:
        rows = await asyncio.to_thread(service.store.stream, ECHO)
        assert [f"{row.stream}@{row.version}" for row in rows] == told
        assert service.machine.echoed == [f"account:main@{n}" for n in range(1, load.answered + 1)]


async def test_a_database_away_longer_than_the_patience_ends_the_service(postgres_server: RunningPostgres) -> None:
    async with toy_service(postgres_server.url, patience_s=0.1) as service:
        await service.feed(1, 1)
        postgres_server.kill()

        with pytest.raises(GridkeeperError) as caught:
            await _feed_until_it_ends(service)

        assert caught.value.code == "STORE_LOST"
        with pytest.raises(GridkeeperError, match="STORE_LOST"):
            await service.running[0]


async def test_a_lost_commit_answer_under_the_processor_records_once(postgres_url: str) -> None:
    async with lossy_proxy(postgres_url) as proxy, toy_service(proxy.url) as service:
        await service.feed(1, 5)
        proxy.lose_answer(b"COMMIT", b"COMMIT")

        await service.feed(6, 10)

        assert proxy.lost == 1
        assert service.machine.echoed == [f"account:main@{n}" for n in range(1, 11)]
        assert len(await asyncio.to_thread(service.store.select, 0, 100)) == 10


async def test_the_whole_chain_survives_both_servers_being_killed(
    postgres_server: RunningPostgres, nats_server: RunningNats
) -> None:
    count = 400
    async with bus_at(nats_server.url) as bus, toy_service(postgres_server.url, publisher=publisher_of(bus)) as service:
        producer = JetStreamPublisher(bus, service=PRODUCER_SERVICE)
        reader = EventReader(bus, [(PRODUCER_SERVICE, 0)], service.processor.inbox.positions())
        pumping = asyncio.create_task(pump(reader, service))
        await _publish(producer, 1, 200)
        await eventually(lambda: len(service.machine.echoed) > 0)
        postgres_server.kill()
        await asyncio.to_thread(postgres_server.restart)
        nats_server.kill()
        await asyncio.to_thread(nats_server.restart)
        await eventually(lambda: bus.ready)
        await _publish(producer, 201, count)

        await eventually(lambda: len(service.machine.echoed) == count, within_s=20)
        await eventually(lambda: service.outbox is not None and service.outbox.lag == 0)

        assert service.machine.echoed == [f"account:main@{n}" for n in range(1, count + 1)]
        messages = await _own_messages(bus, count)
        rows = await asyncio.to_thread(service.store.select, 0, 10_000)
        assert [(m.id, m.body) for m in messages] == [(row.id, row.state) for row in rows]
        pumping.cancel()
        await reader.close()


async def test_ev_made_anew_is_the_same_and_readers_carry_on(postgres_url: str, nats_server: RunningNats) -> None:
    store = await asyncio.to_thread(_producer_store, postgres_url, 120)
    logs: list[list[tuple[str, int, int, bytes]]] = []
    with running_nats() as other_server:
        for server in (nats_server, other_server):
            # The second server has an empty EV: all that was on the first is gone.
            async with bus_at(server.url) as bus, toy_service(postgres_url, publisher=publisher_of(bus)) as service:
                # The service's own log comes from its outbox, which finds nothing of it on EV and begins at its start.
                await rebuild([(store, JetStreamPublisher(bus, service=PRODUCER_SERVICE))], service.outbox_thread)
                reader = EventReader(bus, [(PRODUCER_SERVICE, 0)], service.processor.inbox.positions())
                pumping = asyncio.create_task(pump(reader, service))
                await eventually(lambda: len(service.machine.echoed) == 120)
                await eventually(lambda: service.outbox is not None and service.outbox.lag == 0)
                both = EventReader(bus, [(PRODUCER_SERVICE, 0), (SERVICE, 0)], {})
                logs.append(sorted((m.app, m.id, m.prev, m.body) for m in await read(both, 240)))
                pumping.cancel()
                await reader.close()
                await both.close()

    assert logs[0] == logs[1]
    assert len(logs[0]) == 240
    store.close()


def _producer_store(url: str, count: int) -> EventStore:
    store = EventStore(url, PRODUCER)
    store.create_tables()
    store.open()
    store.append(
        [
            NewEvent(stream=e.stream, version=e.version, topic="account.halted.v1", state=body)
            for e, body in account_log(count)
        ]
    )
    return store


async def _publish(producer: JetStreamPublisher, first: int, last: int) -> None:
    for start in range(first, last + 1, 100):
        await producer.publish(toy_messages(start, min(start + 99, last)))


async def _own_messages(bus: Bus, count: int) -> list[BusMessage]:
    reader = EventReader(bus, [(SERVICE, 0)], {})
    messages = await read(reader, count)
    await reader.close()
    return messages


async def _feed_until_it_ends(service: ToyService) -> None:
    """A session may outlive its killed server for a moment, and take what comes."""
    for number in range(2, 1_000):
        await service.feed(number, number)
