"""Compares, while the service works, the state in memory with the fold of what PostgreSQL stored."""

from __future__ import annotations

import asyncio
import time

from gridkeeper_core.machine import Machine
from gridkeeper_core.record import decode
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.processor import Processor
from gridkeeper_eventlog.store import STORE_LOST, EventStore
from gridkeeper_runtime import metrics
from gridkeeper_runtime.logs import Logger

EVERY_S = 60.0
PAGE = 1_000
TRIES = 200
TRY_AGAIN_S = 0.05


class SelfAudit:
    """Keeps a second machine that only ever folds stored events, and compares digests once a minute.

    What it finds is a metric that pages: a state that is not the fold of its events cannot be proven, nor restored.
    """

    def __init__(self, *, processor: Processor, thread: DbThread, fold: Machine, log: Logger) -> None:
        self._processor = processor
        self._store: EventStore = processor.store
        self._thread = thread
        self._fold = fold
        self._folded_id = 0
        self._log = log

    async def run(self, every_s: float = EVERY_S) -> None:
        """Compare for ever."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self._compare()
            except STORE_LOST as error:
                self._log.info("The state was not compared with the log.", reason=str(error))

    async def _compare(self) -> None:
        for _ in range(TRIES):
            await self._catch_up()
            # Between here and the digests nothing is awaited: both are of one instant.
            if self._processor.is_idle and self._folded_id == self._store.last_id:
                self._judge(self._processor.machine.digests(), self._fold.digests())
                return
            await asyncio.sleep(TRY_AGAIN_S)

    async def _catch_up(self) -> None:
        known = self._store.last_id
        while self._folded_id < known:
            rows = await self._thread.run(self._store.select, self._folded_id, PAGE)
            for row in rows:
                self._fold.restore(decode(row.state))
            self._folded_id = rows[-1].id

    def _judge(self, live: dict[str, str], folded: dict[str, str]) -> None:
        differing = sorted(name for name in live.keys() | folded.keys() if live.get(name) != folded.get(name))
        metrics.STATE_DIVERGED.set(1 if differing else 0)
        metrics.STATE_CHECKED.set(time.time())
        if differing:
            self._log.error("The state is not the fold of the stored events.", streams=differing, at=self._folded_id)
