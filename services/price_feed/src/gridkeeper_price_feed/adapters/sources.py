"""Gives prices when their time has come: a synthetic market by the host's clock, a tape by its own, so many times faster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from gridkeeper_core.prices.price import Price
from gridkeeper_core.prices.synthetic import SOURCE as SYNTHETIC_SOURCE
from gridkeeper_core.prices.synthetic import SyntheticMarket
from gridkeeper_core.units import NS_PER_MS, NS_PER_S
from gridkeeper_lab.tape import SOURCE as TAPE_SOURCE
from gridkeeper_lab.tape import Tape, TapeSpec
from gridkeeper_price_feed.config import FeedSpec


class SyntheticSource:
    """Row after row of a seeded market, one per interval; after a restart it goes on at the next row."""

    name = SYNTHETIC_SOURCE

    def __init__(self, market: SyntheticMarket, *, interval_ns: int) -> None:
        self.market = market.market
        self._synthetic = market
        self._interval_ns = interval_ns

    async def prices(self, after_seq: int) -> AsyncIterator[Price]:
        """See `Source.prices`. Rows that came too late are not hurried: the next is an interval later."""
        row = after_seq
        due_ns = time.monotonic_ns()
        while True:
            row += 1
            yield self._synthetic.price(row, time.time_ns())
            due_ns = max(due_ns + self._interval_ns, time.monotonic_ns())
            await asyncio.sleep((due_ns - time.monotonic_ns()) / NS_PER_S)


class TapeSource:
    """The rows of a tape, `speed` times as fast as they were."""

    name = TAPE_SOURCE

    def __init__(self, market: str, tape: Tape, *, speed: float) -> None:
        self.market = market
        self._tape = tape
        self._speed = speed

    def rows(self, after_seq: int) -> Iterator[Price]:
        """The rows at once, for who keeps time himself."""
        return self._tape.prices(after_seq=after_seq)

    async def prices(self, after_seq: int) -> AsyncIterator[Price]:
        """See `Source.prices`; the first comes at once."""
        rows = self.rows(after_seq)
        first = await asyncio.to_thread(next, rows, None)  # reads over what went out before a restart
        if first is None:
            return
        begun_ns = time.monotonic_ns()
        yield first
        for price in rows:
            due_ns = begun_ns + int((price.ts_ns - first.ts_ns) / self._speed)
            await asyncio.sleep(max(0, due_ns - time.monotonic_ns()) / NS_PER_S)
            yield price


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


def tape_source(market: str, spec: FeedSpec, *, speed: float) -> TapeSource:
    """The tape that the settings describe."""
    tape = TapeSpec(
        market=market,
        tick_e6=spec.tick_e6,
        step_e9=spec.step_e9,
        path=spec.path,
        symbol=spec.symbol,
        venue=spec.venue,
    )
    return TapeSource(market, Tape(spec.files, tape), speed=speed)
