"""PostgreSQL fails over to a second server: with all it promised, or the service refuses to go on."""

from __future__ import annotations

import asyncio

import pytest

from gridkeeper_core.errors import GridkeeperError
from support.servers import RunningNats, RunningPostgres, eventually
from support.standby import has_everything_of, running_standby, wait_for_standby
from support.toy_load import Load, assert_ev_equals_log, bus_at, everything_on_ev, is_published, publisher_of
from support.toy_machine import PRODUCER
from support.toy_service import toy_service

pytestmark = pytest.mark.servers


async def test_a_synchronous_standby_takes_over_with_everything(
    postgres_server: RunningPostgres, nats_server: RunningNats
) -> None:
    with running_standby(postgres_server) as standby:
        wait_for_standby(postgres_server)
        async with bus_at(nats_server.url) as bus:
            async with toy_service(postgres_server.url, publisher=publisher_of(bus)) as service:
                load = Load(service)
                await load.more(200)
                postgres_server.kill()
                answered = load.answered
                load.abandon()
            await asyncio.to_thread(standby.promote)

            async with toy_service(standby.url, publisher=publisher_of(bus)) as service:
                taken = len(service.machine.echoed)
                assert taken >= answered
                assert service.store.position(PRODUCER) == taken
                await service.feed(1, taken + 50)
                await eventually(lambda: is_published(service))

                assert service.machine.echoed == [f"account:main@{n}" for n in range(1, taken + 51)]
                await assert_ev_equals_log(bus, service, taken + 50)


async def test_on_a_standby_that_lacks_the_last_events_nothing_is_decided(
    postgres_server: RunningPostgres, nats_server: RunningNats
) -> None:
    with running_standby(postgres_server) as standby:
        async with bus_at(nats_server.url) as bus:
            async with toy_service(postgres_server.url, publisher=publisher_of(bus)) as service:
                await service.feed(1, 50)
                await eventually(lambda: has_everything_of(postgres_server))
                standby.stop()
                await service.feed(51, 80)
                await eventually(lambda: is_published(service))
            postgres_server.kill()
            await asyncio.to_thread(standby.start)
            await asyncio.to_thread(standby.promote)

            async with toy_service(standby.url, publisher=publisher_of(bus)) as service:
                feeding = asyncio.create_task(service.feed(51, 60))
                with pytest.raises(GridkeeperError) as caught:
                    await asyncio.wait_for(service.running[1], 10)
                assert caught.value.code == "STORE_BEHIND_EV"

                assert len(service.machine.echoed) == 50
                assert len(await everything_on_ev(bus, 80)) == 80
                feeding.cancel()
