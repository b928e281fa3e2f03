"""Gives prices when their time has come: a synthetic market by the host's clock, a tape by its own."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Iterator, Mapping

import msgspec

from gridkeeper_core.prices.price import Price
from gridkeeper_core.prices.synthetic import SyntheticMarket
from gridkeeper_core.units import NS_PER_MS, NS_PER_S
from gridkeeper_lab.tape import Tape, TapeSpec
from gridkeeper_price_feed.config import FeedSpec
from gridkeeper_price_feed.gate import Gate
from gridkeeper_price_feed.ports import Place


class SyntheticSource:
    """Row after row of a seeded market, one per interval; after a restart it goes on at the next row."""

    def __init__(self, market: SyntheticMarket, *, interval_ns: int) -> None:
        self._synthetic = market
        self._interval_ns = interval_ns

    async def prices(self, places: Mapping[str, Place]) -> AsyncIterator[Price]:
        """See `Source.prices`. Rows that came too late are not hurried: the next is an interval later."""
        place = places[self._synthetic.market]
        row = place.row
        due_ns = time.monotonic_ns()
        while True:
            row += 1
            price = self._synthetic.price(row, time.time_ns())
            yield msgspec.structs.replace(price, source_seq=place.base_seq + row)
            due_ns = max(due_ns + self._interval_ns, time.monotonic_ns())
            await asyncio.sleep((due_ns - time.monotonic_ns()) / NS_PER_S)


class TapeSource:
    """The rows of one tape per market in order of time, `speed` times as fast as they were."""

    def __init__(self, tapes: Mapping[str, Tape], *, speed: float, gate: Gate) -> None:
        self._tapes = dict(tapes)
        self._speed = speed
        self._gate = gate

    def rows(self, places: Mapping[str, Place]) -> Iterator[Price]:
        """The rows at once, for who keeps time himself."""
        rows = (
            tape.prices(after_row=places[market].row, base_seq=places[market].base_seq)
            for market, tape in self._tapes.items()
        )
        return heapq.merge(*rows, key=lambda price: price.ts_ns)

    async def prices(self, places: Mapping[str, Place]) -> AsyncIterator[Price]:
        """See `Source.prices`; the first comes at once, and time that the gate held the tape does not count."""
        rows = self.rows(places)
        price = await asyncio.to_thread(next, rows, None)  # reads over what went out before a restart
        begun_ns, begun_at_ns = time.monotonic_ns(), 0 if price is None else price.ts_ns
        while price is not None:
            if self._gate.is_held:
                await self._gate.leave(1)
                begun_ns, begun_at_ns = time.monotonic_ns(), price.ts_ns
            due_ns = begun_ns + int((price.ts_ns - begun_at_ns) / self._speed)
            await asyncio.sleep(max(0, due_ns - time.monotonic_ns()) / NS_PER_S)
            yield price
            price = next(rows, None)


def synthetic_source(market: str, spec: FeedSpec) -> SyntheticSource:
    """The seeded market that the settings describe."""
    synthetic = SyntheticMarket(
        market=market,
        seed=spec.seed,
        start_e6=spec.start_e6,
        tick_e6=spec.tick_e6,
        step_e9=spec.step_e9,
        amplitude_e4=spec.amplitude_e4,
        period_rows=spec.period_rows,
        size_e9=spec.size_e9,
    )
    return SyntheticSource(synthetic, interval_ns=spec.interval_ms * NS_PER_MS)


def tape_of(market: str, spec: FeedSpec) -> Tape:
    """The tape that the settings describe."""
    how = TapeSpec(
        market=market,
        tick_e6=spec.tick_e6,
        step_e9=spec.step_e9,
        path=spec.path,
        symbol=spec.symbol,
        venue=spec.venue,
    )
    return Tape(spec.files, how)
