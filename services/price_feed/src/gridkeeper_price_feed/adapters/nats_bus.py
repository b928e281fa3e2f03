"""The price-feed's side of NATS: prices, the tape's clock, and questions to the services of a lockstep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.prices import announce_clock, publish_price
from gridkeeper_bus.requests import request
from gridkeeper_core.names import query_subject
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import MarketRows, MarketTaken, Quiet, market_subject, quiet_subject
from gridkeeper_core.units import NS_PER_S
from gridkeeper_runtime import metrics

RECONNECT_POLL_S = 0.05
_QUIET = msgspec.json.Decoder(Quiet)
_TAKEN = msgspec.json.Decoder(MarketTaken)
_ENCODER = msgspec.json.Encoder()


class NatsPrices:
    """A `PriceBus` on PX."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def publish_prices(self, prices: Sequence[Price]) -> None:
        """See `PriceBus`. While the bus is away it waits; who watches the connection ends the service in the end."""
        for price in prices:
            while not await publish_price(self._bus, price):  # noqa: ASYNC110  # the client has no such event
                await asyncio.sleep(RECONNECT_POLL_S)
            metrics.LAST_PRICE.labels(price.market).set(price.ts_ns / NS_PER_S)


class TapeClock:
    """The time of the tape: the last one announced, 0 before the first."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._now_ns = 0

    def now_ns(self) -> int:
        """What was announced last (UTC)."""
        return self._now_ns

    async def announce(self, now_ns: int) -> None:
        """Tell everybody; the clock never goes back."""
        self._now_ns = max(self._now_ns, now_ns)
        await announce_clock(self._bus, self._now_ns)


class NatsNeighbours:
    """`Neighbours` over request and reply; `own` answers for the price-feed itself."""

    def __init__(
        self, bus: Bus, *, shard: int, services: Sequence[str], own: Callable[[], Quiet], clock: TapeClock
    ) -> None:
        self._bus = bus
        self._poll_subject = query_subject(shard, "execution", "poll")
        self._subjects = [quiet_subject(shard, service) for service in services]
        self._own = own
        self._clock = clock

    async def announce_clock(self, now_ns: int) -> None:
        """See `Neighbours.announce_clock`."""
        await self._clock.announce(now_ns)

    async def quiet(self) -> list[Quiet]:
        """See `Neighbours.quiet`."""
        answers = await asyncio.gather(*(request(self._bus, subject) for subject in self._subjects))
        return [self._own(), *(_QUIET.decode(answer) for answer in answers)]

    async def poll_chain(self) -> None:
        """See `Neighbours.poll_chain`."""
        await request(self._bus, self._poll_subject)

    async def take_rows(self, market: str, now_ns: int, rows: Sequence[Price]) -> MarketTaken:
        """See `Neighbours.take_rows`."""
        body = _ENCODER.encode(MarketRows(now_ns=now_ns, rows=tuple(rows)))
        return _TAKEN.decode(await request(self._bus, market_subject(market), body))
