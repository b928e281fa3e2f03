"""Live sources against local servers of their protocols: what is published, refused, lost and found again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from solders.keypair import Keypair

from gridkeeper_core.events import FeedLost, FeedStarted, PriceSegmentClosed
from gridkeeper_core.prices.machine import FeedInput, FeedMachine
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import NS_PER_S
from gridkeeper_price_feed.adapters.drift_oracles import NS_PER_SLOT, DriftOracleSource
from gridkeeper_price_feed.adapters.pyth import PythSource
from gridkeeper_price_feed.adapters.segments import SegmentFiles
from gridkeeper_price_feed.feed import MarketFeed
from gridkeeper_price_feed.live import Limits, LiveFeed
from gridkeeper_price_feed.ports import LiveSource, Observation, Silence
from support.drift_accounts import exchange, served
from support.hermes import SOL_ID, Hermes, hermes
from support.scripted_rpc import scripted_endpoint

OWNER = Keypair.from_seed(bytes([1] * 32)).pubkey()
NOW_S = 1_790_000_000
USD = 10**8
"""Pyth's own scale of a price with exponent -8."""
LIMITS = Limits(stale_ns=2 * NS_PER_S, confidence_e4=200)
WITHIN_S = 10.0


class Recorder:
    """The bus and the fact log of a feed, kept in memory; its clock is set by the test."""

    def __init__(self) -> None:
        self.now_ns = NOW_S * NS_PER_S
        self.prices: list[Price] = []
        self.facts: list[FeedStarted | FeedLost | PriceSegmentClosed] = []
        self.machine = FeedMachine()

    def clock(self) -> int:
        return self.now_ns

    async def publish_prices(self, prices: Sequence[Price]) -> None:
        self.prices += prices

    async def submit(self, item: FeedInput) -> None:
        for draft in self.machine.accept(item):
            assert isinstance(draft.fact, FeedStarted | FeedLost | PriceSegmentClosed)
            self.facts.append(draft.fact)

    def base_seq(self, market: str, source: str, last_seq: int) -> int:
        return self.machine.base_seq(market, source, last_seq)

    def told(self) -> list[str]:
        """Beginnings and ends, in short."""
        return [
            "started" if isinstance(fact, FeedStarted) else f"lost: {fact.reason}"
            for fact in self.facts
            if not isinstance(fact, PriceSegmentClosed)
        ]


@asynccontextmanager
async def feeding(folder: Path, source: LiveSource, recorder: Recorder) -> AsyncIterator[LiveFeed]:
    record = SegmentFiles(folder / "prices", "SOL-PERP", closed_seq=0)
    feed = MarketFeed("SOL-PERP", "pyth", record=record, bus=recorder, facts=recorder, clock=recorder.clock)
    await feed.recover(None)
    live = LiveFeed(source, {"SOL-PERP": feed}, {"SOL-PERP": LIMITS}, recorder.clock)
    task = asyncio.create_task(live.run())
    try:
        yield live
    finally:
        task.cancel()
        await asyncio.wait([task])
        await feed.end("test")


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not what():  # noqa: ASYNC110  # the servers tell nobody
            await asyncio.sleep(0.02)


@pytest.fixture
async def server() -> AsyncIterator[Hermes]:
    async with hermes() as running:
        yield running


def pyth(server: Hermes) -> PythSource:
    return PythSource(server.url, {SOL_ID: "SOL-PERP"}, wait_s=0.05)


async def test_a_pyth_price_is_published_in_our_units_with_its_confidence(tmp_path: Path, server: Hermes) -> None:
    recorder = Recorder()
    async with feeding(tmp_path, pyth(server), recorder) as live:
        assert live.unready() == ["SOL-PERP has no price: No price was seen yet."]
        await until(lambda: server.listeners == 1)
        server.say(150_12345678, NOW_S, conf=2_500_000)
        await until(lambda: len(recorder.prices) == 1)
        assert live.unready() == []
    price = recorder.prices[0]
    assert (price.oracle_e6, price.confidence_e6, price.slot) == (150_123_456, 25_000, 77)
    assert (price.ts_ns, price.source, price.source_seq) == (NOW_S * NS_PER_S, "pyth", 1)
    assert server.asked == [[SOL_ID]]


async def test_a_broken_stream_is_opened_again_and_the_numbers_go_on(tmp_path: Path, server: Hermes) -> None:
    recorder = Recorder()
    async with feeding(tmp_path, pyth(server), recorder):
        await until(lambda: server.listeners == 1)
        server.say(150 * USD, NOW_S)
        await until(lambda: len(recorder.prices) == 1)
        server.drop()
        await until(lambda: len(server.asked) == 2)
        await until(lambda: server.listeners == 1)
        server.say(151 * USD, NOW_S)
        await until(lambda: len(recorder.prices) == 2)
    assert [price.source_seq for price in recorder.prices] == [1, 2]
    assert recorder.told() == ["started", "lost: test"]


async def test_a_source_that_falls_silent_is_lost_by_a_fact_and_found_again(tmp_path: Path, server: Hermes) -> None:
    recorder = Recorder()
    async with feeding(tmp_path, pyth(server), recorder) as live:
        await until(lambda: server.listeners == 1)
        server.say(150 * USD, NOW_S)
        await until(lambda: len(recorder.prices) == 1)
        server.refuse = 503
        server.drop()
        await until(lambda: len(server.asked) >= 3)
        recorder.now_ns += 3 * NS_PER_S
        await until(lambda: len(recorder.told()) == 2)
        assert live.unready() == ["SOL-PERP has no price: HTTP status 503."]
        server.refuse = 200
        await until(lambda: server.listeners == 1)
        server.say(152 * USD, NOW_S + 3)
        await until(lambda: len(recorder.prices) == 2)
    assert recorder.told() == ["started", "lost: HTTP status 503.", "started", "lost: test"]


@pytest.mark.parametrize(
    ("price", "publish_time", "conf", "said"),
    [
        (150 * USD, NOW_S - 60, 1, "The price is 60 s old."),
        (150 * USD, NOW_S, 301_000_000, "The price 150000000 is uncertain by 3010000."),
        (0, NOW_S, 1, "The price is 0."),
    ],
)
async def test_an_old_or_unsure_price_is_none(
    tmp_path: Path, server: Hermes, price: int, publish_time: int, conf: int, said: str
) -> None:
    recorder = Recorder()
    async with feeding(tmp_path, pyth(server), recorder) as live:
        await until(lambda: server.listeners == 1)
        server.say(price, publish_time, conf=conf)
        await until(lambda: said in live.unready()[0])
        assert recorder.prices == []
        server.say(150 * USD, NOW_S)
        await until(lambda: len(recorder.prices) == 1)


@pytest.mark.parametrize("line", ["data:{half", 'data:{"parsed":[{"id":1}]}', 'data:{"parsed":7}'])
async def test_a_line_that_cannot_be_read_costs_one_connection(tmp_path: Path, server: Hermes, line: str) -> None:
    recorder = Recorder()
    async with feeding(tmp_path, pyth(server), recorder):
        await until(lambda: server.listeners == 1)
        server.say_raw(line)
        await until(lambda: len(server.asked) == 2)
        await until(lambda: server.listeners >= 1)
        server.say(150 * USD, NOW_S)
        await until(lambda: len(recorder.prices) == 1)


async def test_comments_other_feeds_and_what_goes_back_in_time_are_passed_over(tmp_path: Path, server: Hermes) -> None:
    recorder = Recorder()
    async with feeding(tmp_path, pyth(server), recorder):
        await until(lambda: server.listeners == 1)
        server.say_raw(":keep alive")
        server.say(9 * USD, NOW_S, feed_id="00" * 32)
        server.say(150 * USD, NOW_S)
        server.say(149 * USD, NOW_S - 1)
        server.say(151 * USD, NOW_S)
        await until(lambda: len(recorder.prices) == 2)
    assert [price.oracle_e6 for price in recorder.prices] == [150_000_000, 151_000_000]


class Scripted:
    """A source that says these things one after the other, then nothing more."""

    def __init__(self, *items: Observation | Silence) -> None:
        self._items = items

    async def observations(self) -> AsyncIterator[Observation | Silence]:
        for item in self._items:
            yield item
        await asyncio.Event().wait()


async def test_a_restart_goes_on_with_the_numbers_of_the_same_source(tmp_path: Path) -> None:
    seen = Observation(market="SOL-PERP", ts_ns=NOW_S * NS_PER_S, oracle_e6=150_000_000, confidence_e6=1)
    first, second = Recorder(), Recorder()
    async with feeding(tmp_path, Scripted(seen), first):
        await until(lambda: len(first.prices) == 1)
    second.machine = first.machine
    async with feeding(tmp_path, Scripted(seen), second):
        await until(lambda: len(second.prices) == 2)
    # The last one is sent again, in case the end came before it was.
    assert [price.source_seq for price in (*first.prices, *second.prices)] == [1, 1, 2]


async def test_an_endpoint_that_is_away_is_a_silence_with_its_reason() -> None:
    source = DriftOracleSource(
        "http://127.0.0.1:9", ["SOL-PERP"], second_url="", requests_per_s=10, poll_s=0.05, clock=lambda: 0
    )
    said = await anext(source.observations())
    assert isinstance(said, Silence)
    assert "RPC_FAILED" in said.reason


async def test_a_drift_oracle_is_read_with_its_age_and_what_the_market_s_maker_quotes() -> None:
    async with scripted_endpoint() as endpoint:
        served(endpoint, exchange(OWNER, OWNER))
        source = DriftOracleSource(
            endpoint.url, ["SOL-PERP"], second_url="", requests_per_s=50, poll_s=0.05, clock=lambda: NOW_S * NS_PER_S
        )
        said = await anext(source.observations())
    assert said == Observation(
        market="SOL-PERP",
        ts_ns=NOW_S * NS_PER_S - NS_PER_SLOT,
        oracle_e6=150_000_000,
        confidence_e6=10,
        slot=99,
    )
