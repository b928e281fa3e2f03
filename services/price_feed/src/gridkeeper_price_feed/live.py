"""Lets through what a live source says only while it is fresh and sure, and says when there is nothing to go by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import NS_PER_S
from gridkeeper_price_feed.feed import MarketFeed
from gridkeeper_price_feed.ports import LiveSource, Observation, Silence

_CHECK_EVERY_S = 0.5
_E4 = 10_000


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How old a price may be and how wide its confidence (1e-4 of the price), before it is none."""

    stale_ns: int
    confidence_e4: int


class LiveFeed:
    """One live source for some markets. `run` for ever; `unready` says which markets have no price and why."""

    def __init__(
        self,
        source: LiveSource,
        feeds: Mapping[str, MarketFeed],
        limits: Mapping[str, Limits],
        clock: Callable[[], int],
    ) -> None:
        self._source = source
        self._feeds = dict(feeds)
        self._limits = dict(limits)
        self._clock = clock
        self._last: dict[str, Price] = {}
        self._good_at_ns = dict.fromkeys(feeds, 0)
        self._why = dict.fromkeys(feeds, "No price was seen yet.")
        self._publishing = asyncio.Lock()

    async def run(self) -> None:
        """Publish what passes, and end the feed of a market that has had nothing to pass for too long."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            async for item in self._source.observations():
                if isinstance(item, Silence):
                    self._why = dict.fromkeys(self._why, item.reason)
                elif item.market in self._feeds:
                    await self._take(item)

    def unready(self) -> list[str]:
        """Why markets have no price now; empty when all have."""
        now_ns = self._clock()
        return [
            f"{market} has no price: {self._why[market] or 'the source is silent.'}"
            for market, at_ns in self._good_at_ns.items()
            if now_ns - at_ns > self._limits[market].stale_ns
        ]

    async def _take(self, seen: Observation) -> None:
        now_ns = self._clock()
        self._why[seen.market] = self._doubt(seen, now_ns)
        if self._why[seen.market]:
            return
        last = self._last.get(seen.market)
        if last is not None and seen.ts_ns < last.ts_ns:
            return
        # A price said again is worth saying again: it is fresh.
        self._good_at_ns[seen.market] = now_ns
        async with self._publishing:
            feed = self._feeds[seen.market]
            price = Price(
                market=seen.market,
                source=feed.source,
                source_seq=feed.place.last_seq + 1,
                ts_ns=min(seen.ts_ns, now_ns),
                oracle_e6=seen.oracle_e6,
                confidence_e6=seen.confidence_e6,
                slot=seen.slot,
                bid_e6=seen.bid_e6,
                ask_e6=seen.ask_e6,
            )
            await feed.publish([price])
            self._last[seen.market] = price

    def _doubt(self, seen: Observation, now_ns: int) -> str:
        """Why a price cannot be gone by, "" when it can."""
        limits = self._limits[seen.market]
        if seen.oracle_e6 <= 0:
            return f"The price is {seen.oracle_e6}."
        if now_ns - seen.ts_ns > limits.stale_ns:
            return f"The price is {(now_ns - seen.ts_ns) // NS_PER_S} s old."
        if seen.confidence_e6 * _E4 > limits.confidence_e4 * seen.oracle_e6:
            return f"The price {seen.oracle_e6} is uncertain by {seen.confidence_e6}."
        return ""

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_EVERY_S)
            for market, at_ns in self._good_at_ns.items():
                if self._clock() - at_ns > self._limits[market].stale_ns:
                    async with self._publishing:
                        await self._feeds[market].end(self._why[market] or "The source is silent.")
