"""Publishing and reading EV on a real nats-server: order, fences, outages."""

from __future__ import annotations

import asyncio

import pytest
from nats.js.api import ConsumerConfig

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.reader import EventReader
from gridkeeper_bus.streams import declare, ev_config, make_anew
from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError
from support.bus_messages import read, toy_messages
from support.proxy import lossy_proxy
from support.servers import RunningNats, eventually
from support.toy_machine import PRODUCER, PRODUCER_SERVICE

pytestmark = pytest.mark.servers


def publisher_of(bus: Bus) -> JetStreamPublisher:
    return JetStreamPublisher(bus, service=PRODUCER_SERVICE, ack_timeout_s=2.0)


def reader_of(bus: Bus, position: int = 0) -> EventReader:
    return EventReader(bus, [(PRODUCER_SERVICE, 0)], {PRODUCER: position})


async def test_what_is_published_is_read_in_order_and_byte_for_byte(bus: Bus) -> None:
    publisher = publisher_of(bus)
    sent = toy_messages(1, 205)
    for start in range(0, 205, 100):
        await publisher.publish(sent[start : start + 100])
    reader = reader_of(bus)

    got = await read(reader, 205)

    assert [(m.app, m.id, m.prev, m.body) for m in got] == [(PRODUCER, m.id, m.prev_id, m.body) for m in sent]
    assert got[0].subject == "ev.0.execution.account.main.account-halted-v1"
    assert await publisher.last_published() == 205
    await reader.close()


async def test_a_single_event_goes_out_alone(bus: Bus) -> None:
    publisher = publisher_of(bus)
    assert await publisher.last_published() == 0

    await publisher.publish(toy_messages(1, 1))
    await publisher.publish(toy_messages(2, 2))

    assert await publisher.last_published() == 2


@pytest.mark.parametrize("size", [1, 3])
async def test_a_second_writer_is_fenced(bus: Bus, size: int) -> None:
    first, second = publisher_of(bus), publisher_of(bus)
    await first.publish(toy_messages(1, 2))
    await second.last_published()
    await first.publish(toy_messages(3, 4))

    with pytest.raises(GridkeeperError) as caught:
        await second.publish(toy_messages(5, 4 + size))

    assert caught.value.code == "FENCED"
    assert await first.last_published() == 4


async def test_other_services_do_not_disturb_the_fence(bus: Bus) -> None:
    publisher = publisher_of(bus)
    await publisher.publish(toy_messages(1, 2))
    await JetStreamPublisher(bus, service="ledger").publish(toy_messages(1, 3))

    await publisher.publish(toy_messages(3, 4))

    assert await publisher.last_published() == 4


async def test_a_consumer_that_cannot_be_made_leaves_nothing_behind(bus: Bus) -> None:
    config = (await bus.js.stream_info(names.EV_STREAM)).config
    config.max_consumers = 1
    await bus.js.delete_stream(names.EV_STREAM)
    await bus.js.add_stream(config)
    await bus.js.add_consumer(names.EV_STREAM, ConsumerConfig(durable_name="somebody"))
    reader = EventReader(bus, [(PRODUCER_SERVICE, 0)], {PRODUCER: 0}, patience_s=1.0)
    inboxes = len(bus.client._subs)

    with pytest.raises(GridkeeperError, match="STORE_LOST"):
        await reader.next_batch()

    assert bus.reconnect_listeners == []
    assert len(bus.client._subs) == inboxes


@pytest.mark.parametrize("last", [1, 40])
async def test_a_lost_ack_is_found_out_by_asking(bus: Bus, nats_url: str, last: int) -> None:
    async with lossy_proxy(nats_url) as proxy:
        lossy = await connect(proxy.url, "lossy")
        publisher = publisher_of(lossy)
        await publisher.last_published()
        proxy.lose_answer(b"Es-Id", b'"seq"')

        with pytest.raises(GridkeeperError) as caught:
            await publisher.publish(toy_messages(1, last))
        await eventually(lambda: lossy.ready)

        assert caught.value.code == "STORE_LOST"
        assert proxy.lost == 1
        assert await publisher.last_published() == last
        await publisher.publish(toy_messages(last + 1, last + 1))
        await lossy.close()
    assert [m.id for m in await read(reader_of(bus), last + 1)] == list(range(1, last + 2))


async def test_a_full_stream_refuses_and_loses_nothing(nats_url: str) -> None:
    bus = await connect(nats_url, "test")
    await declare(bus, ev_config(max_bytes=20_000))
    publisher = publisher_of(bus)
    with pytest.raises(GridkeeperError, match="EV_FULL"):
        await _publish_until_refused(publisher)
    held = await publisher.last_published()
    assert held > 0

    await declare(bus, ev_config(max_bytes=200_000))
    await publisher.publish(toy_messages(held + 1, held + 10))

    assert [m.id for m in await read(reader_of(bus), held + 10)] == list(range(1, held + 11))
    await bus.close()


async def test_reading_begins_after_the_position(bus: Bus) -> None:
    publisher, ledger = publisher_of(bus), JetStreamPublisher(bus, service="ledger")
    for start in range(1, 61, 10):
        await publisher.publish(toy_messages(start, start + 9))
        await ledger.publish(toy_messages(start, start + 9))

    for position in (0, 1, 29, 30, 31, 59):
        reader = reader_of(bus, position)
        got = await read(reader, 1)
        assert got[0].id == position + 1
        await reader.close()


async def test_of_two_producers_the_one_further_behind_decides_where_to_begin(bus: Bus) -> None:
    publisher, ledger = publisher_of(bus), JetStreamPublisher(bus, service="ledger")
    await publisher.publish(toy_messages(1, 10))
    await ledger.publish(toy_messages(1, 10))
    await publisher.publish(toy_messages(11, 20))
    reader = EventReader(bus, [(PRODUCER_SERVICE, 0), ("ledger", 0)], {PRODUCER: 15, "ledger_0": 8})

    got = await read(reader, 12)

    assert [(m.app, m.id) for m in got[:2]] == [("ledger_0", 9), ("ledger_0", 10)]
    assert [m.id for m in got[2:]] == list(range(11, 21))
    await reader.close()


async def test_reading_goes_on_after_the_server_was_killed(bus: Bus, nats_server: RunningNats) -> None:
    publisher, reader = publisher_of(bus), reader_of(bus)
    await publisher.publish(toy_messages(1, 10))
    assert len(await read(reader, 10)) == 10

    nats_server.kill()
    await eventually(lambda: not bus.ready)
    await asyncio.to_thread(nats_server.restart)
    await eventually(lambda: bus.ready)
    assert await publisher.last_published() == 10
    await publisher.publish(toy_messages(11, 20))

    assert [m.id for m in await read(reader, 10)] == list(range(11, 21))
    await reader.close()


async def test_a_stream_made_anew_is_read_on_from_the_position(nats_url: str) -> None:
    bus = await connect(nats_url, "test")
    config = ev_config(max_bytes=64 * 1024 * 1024)
    await declare(bus, config)
    publisher, reader = publisher_of(bus), reader_of(bus)
    await publisher.publish(toy_messages(1, 30))
    assert len(await read(reader, 30)) == 30

    await make_anew(bus, config)
    anew = publisher_of(bus)
    await anew.publish(toy_messages(1, 20))
    await anew.publish(toy_messages(21, 40))

    got = await read(reader, 10)
    assert [m.id for m in got if m.id > 30] == list(range(31, 41))
    await reader.close()
    await bus.close()


async def test_a_stream_that_is_not_as_needed_is_refused(nats_url: str) -> None:
    bus = await connect(nats_url, "test")
    await bus.js.add_stream(ev_config(max_bytes=1_000_000).evolve(deny_delete=False))

    with pytest.raises(GridkeeperError, match="deny_delete"):
        await declare(bus, ev_config(max_bytes=1_000_000))
    await bus.close()


async def _publish_until_refused(publisher: JetStreamPublisher) -> None:
    for last in range(10, 1_000, 10):
        await publisher.publish(toy_messages(last - 9, last))
