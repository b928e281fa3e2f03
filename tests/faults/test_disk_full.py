"""A disk is full: nothing is taken as done that is not recorded, and with room again everything goes on, complete."""

from __future__ import annotations

import asyncio

import pytest

from gridkeeper_bus.streams import declare, ev_config
from gridkeeper_core.record import decode
from support.loop_disk import MIB, loop_disk
from support.servers import RunningNats, eventually
from support.servers_on_disk import nats_on, postgres_on
from support.toy_load import Load, assert_ev_equals_log, bus_at, is_published, publisher_of
from support.toy_service import ToyService, toy_service

pytestmark = pytest.mark.servers

KIB = 1024


async def test_when_ev_is_full_publishing_waits_and_goes_on_with_more_room(
    postgres_url: str, nats_server: RunningNats
) -> None:
    async with (
        bus_at(nats_server.url, max_bytes=64 * KIB) as bus,
        toy_service(postgres_url, publisher=publisher_of(bus)) as service,
    ):
        await service.feed(1, 400)
        await eventually(lambda: "EV_FULL" in _why_not(service))
        held = (await bus.js.stream_info("EV")).state.messages
        assert 0 < held < 400

        await declare(bus, ev_config(max_bytes=64 * MIB))
        await eventually(lambda: is_published(service))

        await assert_ev_equals_log(bus, service, 400)


async def test_when_the_disk_of_nats_is_full_publishing_waits_and_nothing_is_lost(postgres_url: str) -> None:
    with loop_disk(64) as disk, nats_on(disk) as server:
        async with bus_at(server.url) as bus, toy_service(postgres_url, publisher=publisher_of(bus)) as service:
            await service.feed(1, 50)
            await eventually(lambda: is_published(service))
            disk.fill(leave_bytes=256 * KIB)
            load = Load(service, first=51)
            await eventually(lambda: service.outbox is not None and not service.outbox.ready, within_s=20)
            await load.stop()

            disk.make_room()
            # A server that met a full disk turns JetStream off until it is started again; a supervisor sees to that.
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            await eventually(lambda: is_published(service), within_s=20)

            await assert_ev_equals_log(bus, service, load.answered)


async def test_when_the_disk_of_postgresql_is_full_no_input_is_taken_and_nothing_is_lost() -> None:
    with loop_disk(256) as disk, postgres_on(disk) as server:
        async with toy_service(server.url) as service:
            await service.feed(1, 50)
            disk.fill(leave_bytes=0)
            load = Load(service, first=51)
            await eventually(lambda: not service.processor.ready, within_s=20)
            answered = load.answered
            assert len(service.committed) == answered

            disk.make_room()
            # Where not even its log could be written the server has ended; a supervisor starts it again.
            if server.child is None or server.child.poll() is not None:
                await asyncio.to_thread(server.start)
            await load.more(50, within_s=20)
            await load.stop()

            rows = await asyncio.to_thread(service.store.select, 0, 100_000)
            assert [decode(row.state).cause for row in rows] == [
                f"account:main@{n}" for n in range(1, load.answered + 1)
            ]


def _why_not(service: ToyService) -> str:
    return "" if service.outbox is None else service.outbox.not_ready_reason
