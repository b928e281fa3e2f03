"""The power fails under load: what was acknowledged is there when it comes back."""

from __future__ import annotations

import psycopg
import pytest

from support.loop_disk import loop_disk
from support.servers import eventually
from support.servers_on_disk import nats_on, postgres_on
from support.toy_load import Load, assert_ev_equals_log, bus_at, is_published, publisher_of
from support.toy_service import toy_service

pytestmark = pytest.mark.servers

NATS_DISK_MIB = 64
POSTGRES_DISK_MIB = 256


async def test_after_a_power_cut_nats_holds_all_it_acknowledged(postgres_url: str) -> None:
    with loop_disk(NATS_DISK_MIB) as disk, nats_on(disk) as server:
        async with bus_at(server.url) as bus, toy_service(postgres_url, publisher=publisher_of(bus)) as service:
            load = Load(service)
            await load.more(200)
            assert service.outbox is not None
            acknowledged = service.outbox.published_id
            disk.cut_power()
            await load.stop()
        server.kill()
        assert acknowledged > 0
        disk.power_on()
        server.start()

        async with bus_at(server.url) as bus:
            assert await publisher_of(bus).last_published() >= acknowledged
            async with toy_service(postgres_url, publisher=publisher_of(bus)) as service:
                await eventually(lambda: is_published(service))
                await assert_ev_equals_log(bus, service, load.answered)


async def test_after_a_power_cut_postgresql_holds_all_it_committed() -> None:
    with loop_disk(POSTGRES_DISK_MIB) as disk, postgres_on(disk) as server:
        async with toy_service(server.url) as service:
            load = Load(service)
            await load.more(200)
            disk.cut_power()
            answered = load.answered
            load.abandon()
            server.kill()
        disk.power_on()
        server.start()

        async with toy_service(server.url) as service:
            assert service.machine.echoed[:answered] == [f"account:main@{n}" for n in range(1, answered + 1)]
            await Load(service, first=len(service.machine.echoed) + 1).more(10)


@pytest.mark.parametrize(("waits", "is_lost"), [("on", False), ("off", True)])
def test_only_a_commit_that_was_waited_for_outlives_a_power_cut(waits: str, is_lost: bool) -> None:
    with loop_disk(POSTGRES_DISK_MIB) as disk, postgres_on(disk) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            # What nobody waits for is written in the background; here only every ten seconds.
            connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE TABLE written (number int)")
            connection.execute(f"SET synchronous_commit = {waits}".encode())
            for number in range(200):
                connection.execute("INSERT INTO written VALUES (%s)", (number,))
            disk.cut_power()
        server.kill()
        disk.power_on()
        server.start()

        with psycopg.connect(server.url) as connection:
            assert (_count(connection) < 200) is is_lost


def _count(connection: psycopg.Connection[tuple[int]]) -> int:
    row = connection.execute("SELECT count(*) FROM written").fetchone()
    assert row is not None
    return row[0]
