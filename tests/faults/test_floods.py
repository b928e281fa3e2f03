"""More comes than can be taken, or it comes in disorder: no event is left out, and no price stands in its way."""

from __future__ import annotations

import asyncio
from functools import partial

import nats.errors
import pytest

from gridkeeper_bus.connection import connect
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.reader import EventReader
from gridkeeper_bus.requests import request
from gridkeeper_core.events import PriceSeen
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import quiet_subject
from gridkeeper_core.record import decode
from support.bus_messages import toy_messages
from support.servers import RunningNats, eventually
from support.toy_load import bus_at
from support.toy_machine import ECHO, PRODUCER_SERVICE, SERVICE
from support.toy_shell import ToyShell, toy_shell

pytestmark = pytest.mark.servers

EVENTS = 2_000
BURST_LAST = 5_009


async def test_a_reader_whose_queue_overflows_leaves_nothing_out_and_the_service_ends(
    nats_server: RunningNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bus_at(nats_server.url) as bus:
        producer = JetStreamPublisher(bus, service=PRODUCER_SERVICE)
        for first in range(1, EVENTS, 100):
            await producer.publish(toy_messages(first, first + 99))
        slow = await connect(nats_server.url, "slow")
        monkeypatch.setattr(slow.client, "subscribe", partial(slow.client.subscribe, pending_msgs_limit=1))

        reader = EventReader(slow, [(PRODUCER_SERVICE, 0)], {})
        taken: list[int] = []
        reading = asyncio.create_task(_read_on(reader, taken))
        with pytest.raises(nats.errors.SlowConsumerError):
            await asyncio.wait_for(slow.watch(), 10)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

        # It may have taken some of them more than once, but never one without the one before.
        assert list(dict.fromkeys(taken)) == list(range(1, len(set(taken)) + 1))
        await slow.close()
        again = EventReader(bus, [(PRODUCER_SERVICE, 0)], {f"{PRODUCER_SERVICE}_0": max(taken, default=0)})
        while max(taken, default=0) < EVENTS:
            taken += [message.id for message in await again.next_batch()]
        assert list(dict.fromkeys(taken)) == list(range(1, EVENTS + 1))
        await again.close()


async def test_a_price_older_than_one_that_was_seen_is_not_looked_at(
    postgres_url: str, nats_server: RunningNats
) -> None:
    async with toy_shell(postgres_url, nats_server.url) as service:
        await service.send([price(5, 110)])
        await eventually(lambda: service.machine.highest_e6 == 110)
        for late in (price(3, 200), price(5, 300)):
            await service.send([late])
            # The answer comes after what was sent before the question.
            await request(service.shell.bus, quiet_subject(0, SERVICE))
            await eventually(lambda: service.shell.processor.is_idle)
        await service.send([price(6, 120)])
        await eventually(lambda: service.machine.highest_e6 >= 120)

        assert [seen.source_seq for seen in _prices_acted_on(service)] == [5, 6]


async def test_a_burst_of_prices_delays_no_event_and_ends_with_the_newest(
    postgres_url: str, nats_server: RunningNats
) -> None:
    async with toy_shell(postgres_url, nats_server.url) as service:
        producer = JetStreamPublisher(service.shell.bus, service=PRODUCER_SERVICE)
        for first in range(1, 501, 100):
            await producer.publish(toy_messages(first, first + 99))
            await service.send([price(seq, seq) for seq in range(first * 10, first * 10 + 1_000)])

        await eventually(lambda: len(service.machine.echoed) == 500 and service.machine.highest_e6 == BURST_LAST)
        # The machine is ahead of the store by what is being committed.
        await eventually(lambda: service.shell.processor.is_idle)

        acted_on = [seen.source_seq for seen in _prices_acted_on(service)]
        assert acted_on == sorted(set(acted_on))
        assert service.shell.processor.passed_over["SOL-PERP"] + len(acted_on) == BURST_LAST - 9


def price(seq: int, oracle_e6: int) -> Price:
    return Price(market="SOL-PERP", source="test", source_seq=seq, ts_ns=seq, oracle_e6=oracle_e6)


def _prices_acted_on(service: ToyShell) -> list[Price]:
    facts = [decode(row.state).fact for row in service.shell.store.stream(ECHO)]
    return [fact.price for fact in facts if isinstance(fact, PriceSeen)]


async def _read_on(reader: EventReader, taken: list[int]) -> None:
    while True:
        taken += [message.id for message in await reader.next_batch()]
