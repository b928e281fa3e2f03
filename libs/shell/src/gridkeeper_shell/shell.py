"""Puts a machine between event log and bus, and gives the whole an orderly life."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version
from typing import Any

import msgspec

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.inspection import held_stream
from gridkeeper_bus.permissions import inbox_of
from gridkeeper_bus.prices import subscribe_clock, subscribe_prices
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.reader import EventReader
from gridkeeper_bus.requests import Handler, RequestServer
from gridkeeper_bus.streams import declare_all
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import EventSeen, Input, PriceTick
from gridkeeper_core.interface import queries_of
from gridkeeper_core.machine import Machine
from gridkeeper_core.names import EV_STREAM, app_name, query_subject
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import Band, Quiet, quiet_subject
from gridkeeper_core.record import Recorded, decode
from gridkeeper_core.requests import Heads
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.outbox import Outbox
from gridkeeper_eventlog.processor import Processor, stop_the_service
from gridkeeper_eventlog.recorder import Position
from gridkeeper_eventlog.store import EventStore
from gridkeeper_runtime import metrics
from gridkeeper_runtime.health import Health
from gridkeeper_runtime.logs import Logger
from gridkeeper_shell.ending import ending
from gridkeeper_shell.measuring import InputMeter
from gridkeeper_shell.self_audit import SelfAudit
from gridkeeper_shell.settings import ShellSettings

Task = Callable[[], Coroutine[Any, Any, None]]
METRICS_EVERY_S = 1.0
MEASURE_EV_EVERY_S = 30.0
HEADS_PATIENCE_S = 4.0


class Shell:
    """One deciding service.

    `reads` are the services whose events are its inputs. `on_committed` gets the facts of each commit, in order.
    `band` tells, where it is known, inside of which prices nothing follows. `make_fold` makes a second machine that
    folds the same log, to be compared; `measure` sets the service's own metrics each second. `start`, then `run`, then
    `close`.
    """

    def __init__(
        self,
        *,
        service: str,
        machine: Machine,
        settings: ShellSettings,
        reads: Sequence[str],
        takes_prices: bool,
        on_committed: Callable[[list[Recorded]], None] = lambda _: None,
        on_poison: Callable[[Input, Exception], Any] = stop_the_service,
        band: Callable[[], dict[str, Band]] | None = None,
        make_fold: Callable[[], Machine] | None = None,
        measure: Callable[[], None] = lambda: None,
    ) -> None:
        self.service = service
        self.settings = settings
        self.machine = machine
        self.log = Logger(service)
        self.app = app_name(service, settings.shard)
        self.store = EventStore(settings.postgres_url, self.app)
        self.thread = DbThread(self.app)
        self.processor = Processor(
            store=self.store,
            thread=self.thread,
            machine=machine,
            clock=self.now_ns,
            on_committed=self._on_committed,
            on_poison=on_poison,
            watcher=InputMeter(),
            is_tape=settings.is_tape,
        )
        self.unready_reasons: Callable[[], list[str]] = list
        self.in_flight: Callable[[], int] = lambda: 0
        self._reads = tuple(reads)
        self._takes_prices = takes_prices
        self._tell = on_committed
        self._band = band
        self._make_fold = make_fold
        self._measure_own = measure
        self._tape_ns = 0
        self._price_seq: dict[str, int] = {}
        self._stack = AsyncExitStack()

    # ------------------------------------------------------------ life

    async def start(self) -> None:
        """Connect, make what is missing if told to, and fold the log. Raises GridkeeperError STORE_LOST."""
        self.bus: Bus = await connect(
            self.settings.nats_url,
            self.service,
            nkey_seed=self.settings.nats_nkey,
            inbox_prefix=inbox_of(self.service),
        )
        self._stack.push_async_callback(self.bus.close)
        self._stack.callback(self.store.close)
        self._stack.callback(self.thread.close)
        if self.settings.prepare:
            await self.thread.run(self.store.create_tables)
            await declare_all(self.bus)
        count = await self.processor.restore()
        self.log.info("The event log is read.", events=count, head=self.store.last_id)
        publisher = JetStreamPublisher(self.bus, service=self.service, shard=self.settings.shard)
        self.outbox = Outbox(store=self.store, thread=self.thread, publisher=publisher)
        producers = [(name, self.settings.shard) for name in self._reads]
        self.reader = EventReader(self.bus, producers, self.processor.inbox.positions())
        self.requests = RequestServer(self.bus, name=self.service.replace("_", "-"), version=version("gridkeeper-core"))
        await self.serve(quiet_subject(self.settings.shard, self.service), self._quiet)
        await self.serve(query_subject(self.settings.shard, self.service, "heads"), self._heads)

    async def serve(self, subject: str, handler: Handler) -> None:
        """Answer requests on a subject."""
        await self.requests.serve(subject, handler)

    async def serve_queries(self, handlers: object) -> None:
        """Answer this service's queries of `gridkeeper_core.interface`, each with the method of its name."""
        for query in queries_of(self.service):
            subject = query_subject(self.settings.shard, self.service, query.what)
            await self.serve(subject, getattr(handlers, query.what))

    async def run(self, stop: asyncio.Event, tasks: Iterable[Task] = ()) -> None:
        """Work until `stop`, then end in order. Raises what must end the process."""
        health = Health(self.unready, host=self.settings.health_host, port=self.settings.health_port)
        with health:
            self.log.info("Ready.", health_port=health.port)
            async with asyncio.TaskGroup() as group:
                helpers = [
                    group.create_task(ending(self.bus.watch())),
                    group.create_task(ending(health.keep_beating())),
                    group.create_task(ending(self._read_events())),
                    group.create_task(ending(self._measure())),
                    group.create_task(ending(self._measure_ev())),
                    *(group.create_task(ending(task())) for task in [*tasks, *self._audits()]),
                ]
                working = group.create_task(ending(self._decide_and_publish()))
                await self._subscribe()
                await stop.wait()
                await self.requests.stop()
                for helper in helpers[2:]:
                    helper.cancel()
                self.processor.stop()
                await working
                for helper in helpers[:2]:
                    helper.cancel()

    async def close(self) -> None:
        """Let go of bus and database."""
        await self._stack.aclose()

    # ------------------------------------------------------------ time and inputs

    def now_ns(self) -> int:
        """The tape's time on a tape, else the host's (UTC)."""
        return self._tape_ns if self.settings.is_tape else time.time_ns()

    def unready(self) -> list[str]:
        """Why work must not be sent here now; empty when it may."""
        reasons = (
            self.processor.not_ready_reason,
            self.outbox.not_ready_reason,
            self.reader.not_ready_reason if self._reads else "",
            self.bus.not_ready_reason,
        )
        return [reason for reason in reasons if reason] + self.unready_reasons()

    async def _subscribe(self) -> None:
        if self.settings.is_tape:
            await subscribe_clock(self.bus, self._on_clock)
        if self._takes_prices:
            await subscribe_prices(self.bus, self._on_price)

    def _on_clock(self, now_ns: int) -> None:
        self._tape_ns = max(self._tape_ns, now_ns)
        self.processor.clock_moved()

    def _on_price(self, price: Price) -> None:
        if price.source_seq <= self._price_seq.get(price.market, 0):
            return  # sent again, for those who missed it
        self._price_seq[price.market] = price.source_seq
        # On a tape the clock may already stand at a later row of the same batch.
        now_ns = price.ts_ns if self.settings.is_tape else self.now_ns()
        self.processor.offer(PriceTick(now_ns=now_ns, price=price))
        metrics.LAST_PRICE.labels(price.market).set(price.ts_ns / 1e9)

    async def _read_events(self) -> None:
        if not self._reads:
            return
        try:
            async for message in self.reader:
                item = EventSeen(now_ns=self.now_ns(), event=decode(message.body))
                position = Position(app=message.app, id=message.id, previous=message.prev)
                await self.processor.enqueue(item, position)
        finally:
            await self.reader.close()

    async def _decide_and_publish(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(ending(self.outbox.run()))
            await self.outbox.aligned()
            await self.processor.run()
            self.outbox.stop()

    def _on_committed(self, recorded: list[Recorded]) -> None:
        self.outbox.wake()
        self._tell(recorded)

    async def _measure(self) -> None:
        metrics.BUILD.labels(version("gridkeeper-core")).set(1)
        while True:
            metrics.QUEUE_LENGTH.set(self.processor.queued)
            metrics.INBOX_LAG.set(self.reader.pending if self._reads else 0)
            metrics.OUTBOX_LAG.set(self.outbox.lag)
            metrics.OUTBOX_WAITING_SINCE.set(self.outbox.waiting_since_s)
            self._measure_own()
            await asyncio.sleep(METRICS_EVERY_S)

    async def _measure_ev(self) -> None:
        while True:
            with suppress(GridkeeperError):  # away for now: the connection's own metrics say so
                held = await held_stream(self.bus, EV_STREAM)
                metrics.EV_BYTES.set(held.stored_bytes)
                metrics.EV_BYTES_MAX.set(held.max_bytes)
            await asyncio.sleep(MEASURE_EV_EVERY_S)

    def _audits(self) -> list[Task]:
        if self._make_fold is None or self.settings.is_tape:
            return []
        fold = self._make_fold()
        return [SelfAudit(processor=self.processor, thread=self.thread, fold=fold, log=self.log).run]

    # ------------------------------------------------------------ what others ask

    async def _quiet(self, _subject: str, _body: bytes) -> bytes:
        return msgspec.json.encode(self.quiet())

    def quiet(self) -> Quiet:
        """What the service says of itself in a lockstep."""
        return Quiet(
            service=self.service,
            now_ns=self.now_ns(),
            app=self.app,
            head_id=self.store.last_id,
            published_id=self.outbox.published_id,
            positions={app_name(s, self.settings.shard): self._position(s) for s in self._reads},
            price_seq=dict(self._price_seq),
            busy=not self.processor.is_idle,
            in_flight=self.in_flight(),
            next_wake_ns=self.machine.next_wake_ns(),
            band=self._band() if self._band is not None else {},
        )

    def _position(self, service: str) -> int:
        return self.processor.inbox.position(app_name(service, self.settings.shard))

    async def _heads(self, _subject: str, _body: bytes) -> bytes:
        # While a commit is under way the machine is ahead of the log: digest and heads must be of one instant.
        async with asyncio.timeout(HEADS_PATIENCE_S):
            while not self.processor.is_idle:  # noqa: ASYNC110  # the loop has no event for it, and nobody is in a hurry
                await asyncio.sleep(0.001)
        heads = self.processor.journal.heads()
        return msgspec.json.encode(
            Heads(
                service=self.service,
                head_id=self.store.last_id,
                digests=self.machine.digests(),
                streams={name: (head.version, head.hash) for name, head in heads.items()},
            )
        )


async def live(shell: Shell, stop: asyncio.Event, prepare: Callable[[], Awaitable[Iterable[Task]]]) -> None:
    """The whole life of a service: `prepare` adds request handlers and returns the service's own tasks."""
    try:
        await shell.start()
        await shell.run(stop, await prepare())
    finally:
        await shell.close()
