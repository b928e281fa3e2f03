"""A service's key lets it do what the service needs on NATS, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import nats.errors
import nats.js.errors
import pytest

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.permissions import SERVICES, authorization, inbox_of, new_seed, public_key
from gridkeeper_bus.prices import last_price, publish_price, subscribe_prices
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.reader import EventReader
from gridkeeper_bus.requests import RequestServer, request
from gridkeeper_bus.streams import declare_all, make_anew, px_config
from gridkeeper_core.prices.price import Price
from gridkeeper_runtime.embedded import EmbeddedNats
from support.bus_messages import read, toy_messages
from support.servers import eventually, private_folder
from support.toy_machine import PRODUCER

pytestmark = pytest.mark.servers

SEEDS = {service: new_seed() for service in SERVICES}
PUBLIC = {service: public_key(seed) for service, seed in SEEDS.items()}
PRICE = Price(market="SOL-PERP", source="test", source_seq=1, ts_ns=1, oracle_e6=150_000_000)


@pytest.fixture(scope="module")
def guarded() -> Iterator[EmbeddedNats]:
    """A server that keeps each service to its own."""
    with private_folder() as folder:
        server = EmbeddedNats(folder, authorization=lambda user, password: authorization(user, password, PUBLIC))
        server.start()
        asyncio.run(_declare(server.url))
        yield server
        server.stop()


async def _declare(url: str) -> None:
    bus = await connect(url, "admin")
    await declare_all(bus)
    await bus.close()


@asynccontextmanager
async def as_service(server: EmbeddedNats, service: str) -> AsyncIterator[Bus]:
    url = f"nats://127.0.0.1:{server.endpoint.port}"
    bus = await connect(url, service, nkey_seed=SEEDS[service], inbox_prefix=inbox_of(service))
    try:
        yield bus
    finally:
        await bus.close()


async def refused(bus: Bus) -> None:
    """The server said no, and the connection is to end the service."""
    with pytest.raises(nats.errors.Error, match=r"(?i)permissions violation"):
        async with asyncio.timeout(5):
            await bus.watch()


async def test_events_prices_and_requests_go_where_they_belong(guarded: EmbeddedNats) -> None:
    async with (
        as_service(guarded, "execution") as execution,
        as_service(guarded, "strategy") as strategy,
        as_service(guarded, "price_feed") as feed,
    ):
        publisher = JetStreamPublisher(execution, service="execution")
        known = await publisher.last_published()
        assert known == 0
        await publisher.publish(toy_messages(1, 3))
        reader = EventReader(strategy, [("execution", 0)], {PRODUCER: 0})
        assert len(await read(reader, 3)) == 3
        await reader.close()

        seen: list[Price] = []
        await subscribe_prices(strategy, seen.append)
        assert await publish_price(feed, PRICE)
        await eventually(lambda: seen == [PRICE])
        assert await last_price(strategy, "SOL-PERP") == PRICE

        server = RequestServer(strategy, name="strategy", version="1.0.0")

        async def answer(_subject: str, body: bytes) -> bytes:
            return body

        await server.serve("query.0.strategy.quiet", answer)
        assert await request(feed, "query.0.strategy.quiet", b"?") == b"?"
        await server.stop()


@pytest.mark.parametrize(
    ("service", "subject"),
    [
        ("strategy", "ev.0.execution.account.main.x"),
        ("strategy", "px.SOL-PERP"),
        ("strategy", "cmd.0.grid.sol.pause"),
        ("ledger", "ev.0.strategy.grid.sol.x"),
        ("ledger", "cmd.0.account.main.halt"),
        ("notifier", "ev.0.ledger.books.main.x"),
        ("price_feed", "ev.0.strategy.grid.sol.x"),
        ("sandbox", "px.SOL-PERP"),
        ("execution", "_INBOX_strategy.x"),
        ("execution", "$JS.API.STREAM.DELETE.EV"),
        ("execution", "$JS.API.STREAM.PURGE.EV"),
        ("execution", "$JS.API.STREAM.UPDATE.EV"),
        ("execution", "$JS.API.STREAM.MSG.DELETE.EV"),
        ("execution", "$JS.API.STREAM.CREATE.MINE"),
        ("sandbox", "$JS.API.STREAM.MSG.GET.EV"),
    ],
)
async def test_publishing_elsewhere_is_refused(guarded: EmbeddedNats, service: str, subject: str) -> None:
    async with as_service(guarded, service) as bus:
        await bus.client.publish(subject, b"{}")
        await bus.client.flush()
        await refused(bus)


@pytest.mark.parametrize(
    ("service", "subject"),
    [("ledger", "_INBOX_execution.>"), ("ledger", "cmd.0.grid.*.*"), ("notifier", "px.>"), ("sandbox", "ev.>")],
)
async def test_listening_elsewhere_is_refused(guarded: EmbeddedNats, service: str, subject: str) -> None:
    async with as_service(guarded, service) as bus:
        await bus.client.subscribe(subject)
        await bus.client.flush()
        await refused(bus)


async def test_who_has_no_key_does_not_get_in(guarded: EmbeddedNats) -> None:
    with pytest.raises(Exception, match="STORE_LOST"):
        await connect(f"nats://127.0.0.1:{guarded.endpoint.port}", "stranger", patience_s=2.0)


async def test_not_even_the_administrator_takes_events_out_of_the_stream(guarded: EmbeddedNats) -> None:
    bus = await connect(guarded.url, "admin")
    for taking in (bus.js.purge_stream("EV"), bus.js.delete_msg("EV", 1)):
        with pytest.raises(nats.js.errors.APIError):
            await taking
    await make_anew(bus, px_config())
    await bus.close()


def test_what_is_no_seed_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="begins with SU") as refusal:
        public_key("S3CR3T")
    assert "S3CR3T" not in str(refusal.value)
