"""The price-feed as a process, with real servers: what it publishes, records, and takes up again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from nats.aio.msg import Msg

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.prices import CLOCK_SUBJECT, TapeClock, subscribe_clock, subscribe_prices
from gridkeeper_bus.requests import RequestServer, request
from gridkeeper_core.events import FeedLost, FeedStarted, PriceSegmentClosed
from gridkeeper_core.prices.price import DECODER, Price
from gridkeeper_core.prices.segment import segment_prices, segment_trouble
from gridkeeper_core.quiet import TAPE_RUN_SUBJECT, Band, MarketRows, MarketTaken, Quiet, TapeState
from gridkeeper_core.record import Recorded, decode
from gridkeeper_price_feed.config import PREFIX
from support.servers import eventually

pytestmark = pytest.mark.servers

SOL = "SOL-PERP"
MINUTE_MS = 60_000


class Ears:
    """Everything the price-feed said on the bus, by one subscription: between several there is no order."""

    def __init__(self) -> None:
        self.prices: list[Price] = []
        self.heard: list[tuple[str, int]] = []
        self.events: list[Recorded] = []

    async def hear(self, message: Msg) -> None:
        if message.subject == f"px.{SOL}":
            self.prices.append(DECODER.decode(message.data))
            self.heard.append(("price", self.prices[-1].ts_ns))
        elif message.subject == CLOCK_SUBJECT:
            self.heard.append(("clock", msgspec.json.decode(message.data, type=TapeClock).now_ns))
        elif message.subject.startswith("ev."):
            self.events.append(decode(message.data))

    def have(self, count: int) -> bool:
        """Whether at least so many prices were heard."""
        return len(self.prices) >= count

    def have_just(self, count: int) -> bool:
        """Whether exactly so many prices were heard."""
        return len(self.prices) == count

    @property
    def seqs(self) -> list[int]:
        return [price.source_seq for price in self.prices]


@pytest.fixture
async def ears(bus: Bus) -> Ears:
    ears = Ears()
    await bus.client.subscribe(">", cb=ears.hear)
    await bus.client.flush()
    return ears


Start = Callable[..., AbstractAsyncContextManager[asyncio.subprocess.Process]]


@pytest.fixture
def start(nats_url: str, postgres_url: str, tmp_path: Path) -> Start:
    @asynccontextmanager
    async def started(feed: dict[str, object], **settings: object) -> AsyncIterator[asyncio.subprocess.Process]:
        values = {
            "nats_url": nats_url,
            "postgres_url": postgres_url,
            "data_dir": tmp_path / "data",
            "feeds": msgspec.json.encode({SOL: feed}).decode(),
            "prepare": "true",
            **settings,
        }
        env = {**os.environ, **{PREFIX + name.upper(): str(value) for name, value in values.items()}}
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "gridkeeper_price_feed", env=env)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    return started


async def stop(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0


def candles(tmp_path: Path, *closes: int) -> str:
    """A tape of one-minute bars, four rows each, and the setting that replays it."""
    lines, before = ["ts_ms,open,high,low,close,volume"], closes[0]
    for minute, close in enumerate(closes):
        high, low = max(before, close), min(before, close)
        lines.append(f"{minute * MINUTE_MS + 10**12},{before},{high},{low},{close},1000")
        before = close
    file = tmp_path / "tape.csv"
    file.write_text("\n".join(lines) + "\n")
    return f"replay:{file}"


def trades(tmp_path: Path, count: int, name: str = "trades.csv") -> str:
    """A tape of one trade per second."""
    rows = [f"{10**12 + 1000 * n},{100 + n % 3},1,1" for n in range(count)]
    file = tmp_path / name
    file.write_text("\n".join(["ts_ms,price,size,side", *rows]) + "\n")
    return f"replay:{file}"


async def test_a_synthetic_market_goes_on_at_the_next_row_after_it_was_stopped(
    start: Start, ears: Ears, tmp_path: Path
) -> None:
    feed = {"source": "synthetic", "interval_ms": 20, "seed": 5}
    async with start(feed) as process:
        await eventually(lambda: len(ears.prices) >= 5)
        await stop(process)
    before = list(ears.prices)
    async with start(feed) as process:
        await eventually(lambda: len(ears.prices) >= len(before) + 5)
        await stop(process)

    again = ears.prices[len(before)]
    assert [price.source_seq for price in before] == list(range(1, len(before) + 1))
    assert again == before[-1]  # sent once more, as it was
    assert ears.seqs[len(before) :] == list(range(len(before), ears.seqs[-1] + 1))
    await eventually(lambda: len(ears.events) == 6)
    facts = [event.fact for event in ears.events]
    assert [type(fact) for fact in facts] == [FeedStarted, PriceSegmentClosed, FeedLost] * 2
    assert {event.stream for event in ears.events} == {"prices:SOL-PERP"}
    segments = [fact for fact in facts if isinstance(fact, PriceSegmentClosed)]
    assert [price for segment in segments for price in prices_of(tmp_path, segment)] == before + ears.prices[
        len(before) + 1 :
    ]


async def test_after_a_kill_nothing_is_lost_and_no_number_means_two_prices(
    start: Start, ears: Ears, tmp_path: Path
) -> None:
    feed = {"source": "synthetic", "interval_ms": 5, "seed": 5}
    for more in (20, 40, 60):
        async with start(feed) as process:
            await eventually(partial(ears.have, more))
            process.kill()
            await process.wait()
    async with start(feed) as process:
        await eventually(lambda: len(ears.prices) >= 80)
        await stop(process)

    meant: dict[int, Price] = {}
    for price in ears.prices:
        assert meant.setdefault(price.source_seq, price) == price
    assert list(meant) == list(range(1, ears.seqs[-1] + 1))
    await eventually(lambda: any(isinstance(e.fact, FeedLost) and e.fact.reason == "stopped" for e in ears.events))
    segments = [event.fact for event in ears.events if isinstance(event.fact, PriceSegmentClosed)]
    assert all(after.first_seq == before.last_seq + 1 for before, after in pairwise(segments))
    assert [p for segment in segments for p in prices_of(tmp_path, segment)] == list(meant.values())
    lost = [event.fact.reason for event in ears.events if isinstance(event.fact, FeedLost)]
    assert lost == ["ended without notice"] * 3 + ["stopped"]


async def test_a_replay_announces_its_clock_before_each_row_and_says_when_it_is_over(
    start: Start, ears: Ears, bus: Bus, tmp_path: Path
) -> None:
    async with start({"source": trades(tmp_path, 12)}, speed=60) as process:
        await eventually(lambda: any(isinstance(event.fact, FeedLost) for event in ears.events))
        state = msgspec.json.decode(await request(bus, TAPE_RUN_SUBJECT), type=TapeState)
        await stop(process)

    assert ears.seqs == list(range(1, 13))
    assert ears.heard == [entry for price in ears.prices for entry in (("clock", price.ts_ns), ("price", price.ts_ns))]
    assert state == TapeState(now_ns=ears.prices[-1].ts_ns, rows_out=12, is_held=False, is_over=True)
    [lost] = [event for event in ears.events if isinstance(event.fact, FeedLost)]
    assert (lost.fact.reason, lost.fact.last_seq, lost.ts_ns) == ("end of tape", 12, ears.prices[-1].ts_ns)


async def test_a_held_replay_goes_on_when_it_is_asked_and_after_a_restart_at_the_next_row(
    start: Start, ears: Ears, bus: Bus, tmp_path: Path
) -> None:
    feed = {"source": trades(tmp_path, 12)}
    async with start(feed, speed=60, hold_after=2) as process:
        await eventually(lambda: len(ears.prices) == 2)
        await request(bus, TAPE_RUN_SUBJECT, b'{"rows":3}')
        await eventually(lambda: len(ears.prices) == 5)
        await stop(process)
    async with start(feed, speed=60, hold_after=2) as process:
        await eventually(lambda: ears.seqs[-1] == 12)
        await stop(process)

    assert ears.seqs == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12]


async def test_another_source_begins_at_its_first_row_and_goes_on_with_the_numbers(
    start: Start, ears: Ears, tmp_path: Path
) -> None:
    async with start({"source": trades(tmp_path, 3, "a.csv")}, speed=60) as process:
        await eventually(lambda: len(ears.prices) == 3)
        await stop(process)
    for rows, heard in ((2, 6), (3, 8)):  # the second run takes the other tape up again
        async with start({"source": trades(tmp_path, 6, "b.csv")}, speed=60, hold_after=rows) as process:
            await eventually(partial(ears.have_just, heard))
            await stop(process)

    assert ears.seqs == [1, 2, 3, 3, 4, 5, 5, 6]
    assert [price.oracle_e6 // 10**6 for price in ears.prices] == [100, 101, 102, 102, 100, 101, 101, 102]


async def test_wrong_settings_are_said_in_a_sentence_and_end_it_with_two(start: Start) -> None:
    async with start({"source": "weather"}) as process:
        assert await asyncio.wait_for(process.wait(), 10) == 2


async def test_a_lockstep_walks_the_tape_through_services_and_sandbox(
    start: Start, ears: Ears, bus: Bus, tmp_path: Path
) -> None:
    world = ScriptedWorld()
    await world.serve(bus)
    feed = {"source": candles(tmp_path, *[100, 100, 104, 104, 96, 100] * 5)}
    async with start(feed, lockstep="true", lockstep_services="strategy,sandbox", price_readers="strategy") as process:
        await eventually(lambda: any(isinstance(event.fact, FeedLost) for event in ears.events), within_s=30)
        await stop(process)

    assert ears.seqs == list(range(1, 121))
    assert world.wakes == sorted(world.wakes)
    assert len(world.wakes) == (ears.prices[-1].ts_ns - ears.prices[0].ts_ns) // world.EVERY_NS
    assert world.batches[0] > 1
    assert sum(world.batches) == 120
    assert len(world.batches) < 120


class ScriptedWorld:
    """A strategy whose band is 3 around its last price and that wakes every 100 seconds, and a sandbox of one order."""

    EVERY_NS = 100 * 10**9

    def __init__(self) -> None:
        self.now_ns = 0
        self.next_ns: int | None = None
        self.seq = 0
        self.price_e6 = 100_000_000
        self.wakes: list[int] = []
        self.batches: list[int] = []

    async def serve(self, bus: Bus) -> None:
        server = RequestServer(bus, name="world", version="0.0.1")
        await subscribe_clock(bus, self.clock)
        await subscribe_prices(bus, self.price)
        await server.serve("query.0.strategy.quiet", self.strategy)
        await server.serve("query.0.sandbox.quiet", self.sandbox)
        await server.serve(f"market.{SOL}", self.market)

    def clock(self, now_ns: int) -> None:
        self.now_ns = now_ns
        if self.next_ns is None:
            self.next_ns = now_ns + self.EVERY_NS
        while self.next_ns <= now_ns:
            assert self.next_ns == now_ns, "the clock ran past a deadline"
            self.wakes.append(self.next_ns)
            self.next_ns += self.EVERY_NS

    def price(self, price: Price) -> None:
        self.seq = price.source_seq
        if not self.band().holds(price.oracle_e6):
            self.price_e6 = price.oracle_e6

    def band(self) -> Band:
        return Band(self.price_e6 - 3_000_000, self.price_e6 + 3_000_000)

    async def strategy(self, _subject: str, _body: bytes) -> bytes:
        quiet = Quiet(
            service="strategy",
            now_ns=self.now_ns,
            app="strategy_0",
            price_seq={SOL: self.seq},
            next_wake_ns=self.next_ns,
            band={SOL: self.band()},
        )
        return msgspec.json.encode(quiet)

    async def sandbox(self, _subject: str, _body: bytes) -> bytes:
        return msgspec.json.encode(Quiet(service="sandbox", now_ns=self.now_ns, band={SOL: Band(0, 103_000_000)}))

    async def market(self, _subject: str, body: bytes) -> bytes:
        rows = msgspec.json.decode(body, type=MarketRows).rows
        self.batches.append(len(rows))
        return msgspec.json.encode(MarketTaken(last_seq=rows[-1].source_seq, records=0))


def prices_of(tmp_path: Path, segment: PriceSegmentClosed) -> list[Price]:
    path = tmp_path / "data" / "prices" / SOL / segment.file
    assert segment_trouble(segment, path.read_bytes()) == ""
    return segment_prices(path.read_bytes())
