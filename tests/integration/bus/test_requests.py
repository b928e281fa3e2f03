"""Requests, prices and the tape's clock on a real nats-server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import nats.errors
import pytest

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.prices import announce_clock, last_price, publish_price, subscribe_clock, subscribe_prices
from gridkeeper_bus.requests import RequestServer, request
from gridkeeper_bus.streams import declare, px_config
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.price import Price
from support.servers import RunningNats, eventually

pytestmark = pytest.mark.servers


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    bus = await connect(nats_url, "test")
    yield bus
    await bus.close()


def price(seq: int, market: str = "SOL-PERP") -> Price:
    return Price(market=market, source="test", source_seq=seq, ts_ns=seq, oracle_e6=100_000_000 + seq)


async def test_a_request_is_answered_with_its_subject_and_body(bus: Bus) -> None:
    async def echo(subject: str, body: bytes) -> bytes:
        return subject.encode() + b"|" + body

    server = RequestServer(bus, name="strategy", version="0.1.0")
    await server.serve("cmd.0.grid.*.pause", echo)

    assert await request(bus, "cmd.0.grid.sol.pause", b"now") == b"cmd.0.grid.sol.pause|now"
    await server.stop()


async def test_a_refusal_arrives_as_the_error_it_was(bus: Bus) -> None:
    async def refuse(subject: str, body: bytes) -> bytes:
        raise GridkeeperError("GRID_UNKNOWN", field="grid", value="x", do="Look again.")

    server = RequestServer(bus, name="strategy", version="0.1.0")
    await server.serve("query.0.strategy.grid", refuse)

    with pytest.raises(GridkeeperError) as caught:
        await request(bus, "query.0.strategy.grid")

    assert (caught.value.code, caught.value.value, caught.value.do) == ("GRID_UNKNOWN", "x", "Look again.")
    await server.stop()


async def test_nobody_there_is_silence(bus: Bus) -> None:
    with pytest.raises(GridkeeperError) as caught:
        await request(bus, "query.0.strategy.heads")

    assert caught.value.code == "SERVICE_SILENT"


async def test_a_slow_answer_does_not_hold_up_the_next(bus: Bus) -> None:
    release = asyncio.Event()

    async def answer(subject: str, body: bytes) -> bytes:
        if body == b"slow":
            await release.wait()
        return body

    server = RequestServer(bus, name="strategy", version="0.1.0")
    await server.serve("query.0.strategy.x", answer)
    slow = asyncio.create_task(request(bus, "query.0.strategy.x", b"slow"))

    assert await request(bus, "query.0.strategy.x", b"quick") == b"quick"
    assert not slow.done()
    release.set()
    assert await slow == b"slow"
    await server.stop()


async def test_a_handlers_own_fault_is_answered_and_ends_the_service(bus: Bus) -> None:
    async def fail(subject: str, body: bytes) -> bytes:
        raise ZeroDivisionError("broken")

    server = RequestServer(bus, name="strategy", version="0.1.0")
    await server.serve("query.0.strategy.x", fail)

    with pytest.raises(GridkeeperError, match="INTERNAL"):
        await request(bus, "query.0.strategy.x")
    with pytest.raises(ZeroDivisionError):
        await bus.watch()
    await server.stop()


async def test_a_subscriber_gets_the_newest_price_first_and_then_each_new_one(bus: Bus) -> None:
    await declare(bus, px_config())
    for seq in (1, 2, 3):
        await publish_price(bus, price(seq))
    await publish_price(bus, price(7, "BTC-PERP"))
    await eventually(lambda: _holds(bus, "BTC-PERP"))
    got: list[Price] = []

    await subscribe_prices(bus, got.append)
    await publish_price(bus, price(4))
    await eventually(lambda: len(got) == 3)

    assert [(p.market, p.source_seq) for p in got] == [("BTC-PERP", 7), ("SOL-PERP", 3), ("SOL-PERP", 4)]


async def test_the_newest_price_of_an_unknown_market_is_none(bus: Bus) -> None:
    await declare(bus, px_config())

    assert await last_price(bus, "DOGE-PERP") is None


async def test_the_tapes_clock_reaches_whoever_asked_for_it(bus: Bus) -> None:
    told: list[int] = []
    await subscribe_clock(bus, told.append)

    await announce_clock(bus, 5)
    await announce_clock(bus, 6)
    await eventually(lambda: len(told) == 2)

    assert told == [5, 6]


async def test_a_bus_away_longer_than_the_patience_ends_the_service(nats_server: RunningNats) -> None:
    bus = await connect(nats_server.url, "test", patience_s=0.3)
    watching = asyncio.create_task(bus.watch())
    nats_server.kill()

    with pytest.raises(GridkeeperError) as caught:
        await watching

    assert caught.value.code == "STORE_LOST"
    assert "NATS" in bus.not_ready_reason
    await bus.close()


async def test_a_message_dropped_by_the_client_ends_the_service(bus: Bus) -> None:
    async def never_ready(message: object) -> None:
        await asyncio.Event().wait()

    await bus.client.subscribe("flood", cb=never_ready, pending_msgs_limit=1)
    for _ in range(5):
        await bus.client.publish("flood", b"x")

    with pytest.raises(nats.errors.SlowConsumerError):
        async with asyncio.timeout(5):
            await bus.watch()


async def _holds(bus: Bus, market: str) -> bool:
    return await last_price(bus, market) is not None
