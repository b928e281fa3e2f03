"""The price-feed's own event log: its machine behind the exactly-once loop, and the outbox that publishes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_core.inputs import Input
from gridkeeper_core.names import app_name
from gridkeeper_core.prices.machine import FeedInput, FeedMachine
from gridkeeper_core.quiet import Quiet
from gridkeeper_core.record import Recorded
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.outbox import Outbox
from gridkeeper_eventlog.processor import Processor
from gridkeeper_eventlog.store import EventStore
from gridkeeper_price_feed.config import SERVICE
from gridkeeper_shell.ending import ending

LAG_POLL_S = 0.01


class FactLog:
    """Takes the feed's inputs and keeps the facts that follow. `restore`, then `run` beside the feeds."""

    def __init__(
        self, *, postgres_url: str, bus: Bus, shard: int, machine: FeedMachine, clock: Callable[[], int], is_tape: bool
    ) -> None:
        self.app = app_name(SERVICE, shard)
        self.machine = machine
        self._clock = clock
        self._thread = DbThread(self.app)
        self.store = EventStore(postgres_url, self.app)
        self._processor = Processor(
            store=self.store,
            thread=self._thread,
            machine=machine,
            clock=clock,
            on_committed=self._on_committed,
            is_tape=is_tape,
        )
        self._outbox = Outbox(
            store=self.store, thread=self._thread, publisher=JetStreamPublisher(bus, service=SERVICE, shard=shard)
        )

    async def prepare(self) -> None:
        """Make the tables where they are missing."""
        await self._thread.run(self.store.create_tables)

    async def restore(self) -> None:
        """Fold what was recorded before."""
        await self._processor.restore()

    async def run(self) -> None:
        """Decide, commit and publish until `stop`; raises when the service must end."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ending(self._outbox.run()))
            await self._outbox.aligned()
            await self._processor.run()
            # `stop` ends an outbox that is just reading the log, without what was committed since.
            while self._outbox.lag:  # there is no event for it, and it happens once in a life
                self._outbox.wake()
                await asyncio.sleep(LAG_POLL_S)
            self._outbox.stop()

    async def submit(self, item: FeedInput) -> None:
        """Take one input; returns when what it led to is committed."""
        # The loop looks at nothing of an input but its time, which the feed's own inputs carry as all do.
        await self._processor.submit(cast(Input, item))

    def base_seq(self, market: str, source: str, last_seq: int) -> int:
        """See `FeedMachine.base_seq`."""
        return self.machine.base_seq(market, source, last_seq)

    def stop(self) -> None:
        """End `run` after the commit under way, with everything published."""
        self._processor.stop()

    def close(self) -> None:
        """Let go of the database."""
        self._thread.close()
        self.store.close()

    def unready(self) -> list[str]:
        """Why facts cannot be recorded or published now; empty when they can."""
        return [reason for reason in (self._processor.not_ready_reason, self._outbox.not_ready_reason) if reason]

    def quiet(self) -> Quiet:
        """What the price-feed says of itself in a lockstep."""
        return Quiet(
            service=SERVICE,
            now_ns=self._clock(),
            app=self.app,
            head_id=self.store.last_id,
            published_id=self._outbox.published_id,
            busy=not self._processor.is_idle,
            band={},
        )

    def _on_committed(self, recorded: list[Recorded]) -> None:
        del recorded
        self._outbox.wake()
