"""What happens to a price on its way out: written down first, then published, and what that means recorded as facts."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence

from gridkeeper_core.events import PriceSegmentClosed
from gridkeeper_core.prices.machine import SegmentFinished, SourceBegan, SourceEnded
from gridkeeper_core.prices.price import Price
from gridkeeper_price_feed.gate import Gate
from gridkeeper_price_feed.ports import Facts, Place, PriceBus, PriceRecord, Source

OVER = "end of tape"
STOPPED = "stopped"

Announce = Callable[[int], Awaitable[None]]


class MarketFeed:
    """One market.

    A price is written down before it is published, so that a restart knows the last one; that one is sent again,
    because the end may have come between the two.
    """

    def __init__(
        self,
        market: str,
        source: str,
        *,
        record: PriceRecord,
        bus: PriceBus,
        facts: Facts,
        clock: Callable[[], int],
    ) -> None:
        self.market = market
        self.source = source
        self._record = record
        self._bus = bus
        self._facts = facts
        self._clock = clock
        self._is_open = False

    @property
    def place(self) -> Place:
        """Where the source stands, once recovered."""
        last_seq = self._record.last_seq
        return Place(last_seq, self._facts.base_seq(self.market, self.source, last_seq))

    async def recover(self, announce: Announce | None) -> None:
        """Take up what an earlier process left. On a tape `announce` sets the clock to where it stood."""
        segments = self._record.recover()
        last = self._record.last
        if last is not None and announce is not None:
            await announce(last.ts_ns)
        await self._record_closed(segments)
        await self.resend()

    async def resend(self) -> None:
        """Send the last price once more: readers know it by its `source_seq` and pass over what they have."""
        if self._record.last is not None:
            await self._bus.publish_prices([self._record.last])

    async def publish(self, prices: Sequence[Price]) -> None:
        """Write these down and send them."""
        if not self._is_open:
            await self._facts.submit(
                SourceBegan(
                    now_ns=self._clock(), market=self.market, source=self.source, first_seq=prices[0].source_seq
                )
            )
            self._is_open = True
        closed = self._record.append(prices)
        await self._bus.publish_prices(prices)
        await self._record_closed(closed)

    async def end(self, reason: str) -> None:
        """No more prices from this source: close its file and say so."""
        if not self._is_open:
            return
        self._is_open = False
        await self._record_closed(self._record.close())
        last_seq = self._record.last_seq
        ended = SourceEnded(now_ns=self._clock(), market=self.market, reason=reason, last_seq=last_seq)
        await self._facts.submit(ended)

    async def _record_closed(self, segments: Sequence[PriceSegmentClosed]) -> None:
        for segment in segments:
            await self._facts.submit(SegmentFinished(now_ns=self._clock(), segment=segment))


async def publish_all(feeds: Mapping[str, MarketFeed], prices: Sequence[Price]) -> None:
    """Send prices of several markets, keeping their order."""
    for market, rows in itertools.groupby(prices, key=lambda price: price.market):
        await feeds[market].publish(list(rows))


async def run_freely(
    source: Source, feeds: Mapping[str, MarketFeed], *, gate: Gate, announce: Announce | None = None
) -> None:
    """Publish each price when its time has come, to the source's end; on a tape its time is announced first."""
    async for price in source.prices({market: feed.place for market, feed in feeds.items()}):
        if announce is not None:
            await announce(price.ts_ns)
        await feeds[price.market].publish([price])
        gate.passed(1)
    gate.is_over = True
    for feed in feeds.values():
        await feed.end(OVER)
