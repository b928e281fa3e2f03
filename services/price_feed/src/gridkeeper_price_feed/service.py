"""Puts the price-feed together: its log, its feeds, its tape, and their end in order."""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import version

import msgspec

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.permissions import inbox_of
from gridkeeper_bus.requests import RequestServer
from gridkeeper_bus.streams import declare_all
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.machine import FeedMachine
from gridkeeper_core.quiet import TAPE_RUN_SUBJECT, TapeRun, TapeState
from gridkeeper_price_feed.adapters.fact_log import FactLog
from gridkeeper_price_feed.adapters.live_sources import live_feeds
from gridkeeper_price_feed.adapters.nats_bus import NatsNeighbours, NatsPrices, TapeClock
from gridkeeper_price_feed.adapters.segments import SegmentFiles
from gridkeeper_price_feed.adapters.sources import TapeSource, synthetic_source, tape_of
from gridkeeper_price_feed.config import SERVICE, PriceFeedSettings, check_files, names_in
from gridkeeper_price_feed.feed import OVER, STOPPED, MarketFeed, publish_all, run_freely
from gridkeeper_price_feed.gate import Gate
from gridkeeper_price_feed.live import LiveFeed
from gridkeeper_price_feed.lockstep import Lockstep
from gridkeeper_runtime.health import Health
from gridkeeper_runtime.logs import Logger


class PriceFeed:
    """The service's parts; made by `serve`."""

    def __init__(self, settings: PriceFeedSettings, bus: Bus) -> None:
        self.settings = settings
        self.bus = bus
        self.gate = Gate(settings.hold_after)
        self.clock = TapeClock(bus)
        self.log = FactLog(
            postgres_url=settings.postgres_url,
            bus=bus,
            shard=settings.shard,
            machine=FeedMachine(),
            clock=self.now_ns,
            is_tape=settings.is_tape,
        )
        self.feeds: dict[str, MarketFeed] = {}
        self.live: list[LiveFeed] = []

    def now_ns(self) -> int:
        """The tape's time on a tape, else the host's (UTC)."""
        return self.clock.now_ns() if self.settings.is_tape else time.time_ns()

    async def restore(self) -> None:
        """Read the log and the files an earlier process left."""
        if self.settings.prepare:
            await self.log.prepare()
            await declare_all(self.bus)
        await self.log.restore()
        prices = NatsPrices(self.bus)
        for market, spec in self.settings.feed_specs().items():
            record = SegmentFiles(
                self.settings.data_dir / "prices", market, closed_seq=self.log.machine.feed(market).closed_seq
            )
            self.feeds[market] = MarketFeed(
                market, spec.label, record=record, bus=prices, facts=self.log, clock=self.now_ns
            )
        self.live = live_feeds(self.settings, self.feeds, self.now_ns)

    async def feed(self) -> None:
        """Publish prices, to the end of a tape or for ever."""
        announce = self.clock.announce if self.settings.is_tape else None
        for feed in self.feeds.values():
            await feed.recover(announce)
        self.gate.resume(sum(feed.place.row for feed in self.feeds.values()))
        specs = self.settings.feed_specs()
        if not self.settings.is_tape:
            async with asyncio.TaskGroup() as tasks:
                for market, spec in specs.items():
                    if not spec.is_live:
                        one = {market: self.feeds[market]}
                        tasks.create_task(run_freely(synthetic_source(market, spec), one, gate=self.gate))
                for live in self.live:
                    tasks.create_task(live.run())
            return
        tapes = {market: tape_of(market, spec) for market, spec in specs.items()}
        source = TapeSource(tapes, speed=self.settings.speed, gate=self.gate)
        if self.settings.lockstep:
            await self._in_lockstep(source)
        else:
            await run_freely(source, self.feeds, gate=self.gate, announce=announce)

    async def tape_run(self, _subject: str, body: bytes) -> bytes:
        """Answer a `tape.run` request. Raises GridkeeperError BAD_VALUE."""
        try:
            wanted = msgspec.json.decode(body or b'{"rows":0}', type=TapeRun)
        except msgspec.DecodeError as error:
            raise GridkeeperError("BAD_VALUE", field=TAPE_RUN_SUBJECT, detail=str(error)) from error
        self.gate.open(wanted.rows)
        return msgspec.json.encode(
            TapeState(
                now_ns=self.clock.now_ns(),
                rows_out=self.gate.rows_out,
                is_held=self.gate.is_held,
                is_over=self.gate.is_over,
            )
        )

    def unready(self) -> list[str]:
        """Why the service cannot work now; empty when it can."""
        without_price = [reason for live in self.live for reason in live.unready()]
        bus = [self.bus.not_ready_reason] if self.bus.not_ready_reason else []
        return self.log.unready() + bus + without_price

    async def _resend(self) -> None:
        for feed in self.feeds.values():
            await feed.resend()

    async def _in_lockstep(self, source: TapeSource) -> None:
        places = {market: feed.place for market, feed in self.feeds.items()}
        neighbours = NatsNeighbours(
            self.bus,
            shard=self.settings.shard,
            services=names_in(self.settings.lockstep_services),
            own=self.log.quiet,
            clock=self.clock,
        )
        driver = Lockstep(
            source.rows(places),
            neighbours=neighbours,
            publish=lambda prices: publish_all(self.feeds, prices),
            resend=self._resend,
            gate=self.gate,
            now_ns=self.clock.now_ns(),
            price_seq={market: place.last_seq for market, place in places.items()},
            price_readers=frozenset(names_in(self.settings.price_readers)),
        )
        await driver.run()
        self.gate.is_over = True
        for feed in self.feeds.values():
            await feed.end(OVER)


async def serve(settings: PriceFeedSettings, stop: asyncio.Event) -> None:
    """The whole life of the service, until `stop` is set. Raises when it must end."""
    Logger(SERVICE).info("The price-feed starts.", settings=repr(settings))
    check_files(settings.feed_specs())
    bus = await connect(settings.nats_url, SERVICE, nkey_seed=settings.nats_nkey, inbox_prefix=inbox_of(SERVICE))
    service = PriceFeed(settings, bus)
    requests = RequestServer(bus, name="price-feed", version=version("gridkeeper-price-feed"))
    try:
        await service.restore()
        if settings.is_tape:
            await requests.serve(TAPE_RUN_SUBJECT, service.tape_run)
        with Health(service.unready, host=settings.health_host, port=settings.health_port) as health:
            await _until(stop, service, requests, health)
    finally:
        await bus.close()
        service.log.close()


async def _until(stop: asyncio.Event, service: PriceFeed, requests: RequestServer, health: Health) -> None:
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(service.bus.watch())
        beating = tasks.create_task(health.keep_beating())
        logging = tasks.create_task(service.log.run())
        feeding = tasks.create_task(service.feed())
        await stop.wait()
        feeding.cancel()
        await asyncio.wait([feeding])
        for feed in service.feeds.values():
            await feed.end(STOPPED)
        await requests.stop()
        service.log.stop()
        await logging
        beating.cancel()
        watching.cancel()
