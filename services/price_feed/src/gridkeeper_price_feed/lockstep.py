"""Drives a tape through the whole system: the next row goes out only when nothing is on its way any more."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.lockstep import Expected, calm_rows, fingerprint, next_stop_ns, unrest
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import Quiet
from gridkeeper_price_feed.config import SERVICE
from gridkeeper_price_feed.gate import Gate
from gridkeeper_price_feed.ports import Neighbours
from gridkeeper_runtime.logs import Logger

ROWS_AHEAD = 2_000
PATIENCE_S = 60.0
ANNOUNCE_AGAIN_S = 0.5
_PAUSE_S, _PAUSE_S_MAX = 0.0005, 0.002
_SILENCE_S = 0.05

Publish = Callable[[Sequence[Price]], Awaitable[None]]


class Lockstep:
    """One tape (the rows of all its markets, in order of time) against all services.

    `publish` writes prices down and sends them, `resend` sends the last of each market once more. `price_seq` is where
    each market's tape stood when it was taken up again.
    """

    def __init__(
        self,
        rows: Iterator[Price],
        *,
        neighbours: Neighbours,
        publish: Publish,
        resend: Callable[[], Awaitable[None]],
        gate: Gate,
        now_ns: int,
        price_seq: dict[str, int],
        price_readers: frozenset[str],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._rows = rows
        self._ahead: deque[Price] = deque()
        self._neighbours = neighbours
        self._publish = publish
        self._resend = resend
        self._gate = gate
        self._now_ns = now_ns
        self._price_seq = {market: seq for market, seq in price_seq.items() if seq}
        self._price_readers = price_readers
        self._patience_s = patience_s
        self._log = Logger(SERVICE)
        self.rounds = 0
        """Rounds of questions asked so far."""

    async def run(self) -> None:
        """To the end of the tape. Raises GridkeeperError SERVICE_SILENT when the system does not come to rest."""
        if self._now_ns and self._look_ahead():
            await self._neighbours.announce_clock(self._now_ns)
        answers: list[Quiet] = []
        while self._look_ahead():
            if self._gate.is_held or not answers:
                await self._gate.leave(1)
                answers = await self._first_rest()
            answers = await self._step(answers)

    async def _first_rest(self) -> list[Quiet]:
        """At the very start nobody has a clock yet: it begins with the first row."""
        if self._now_ns == 0:
            self._now_ns = self._ahead[0].ts_ns
            await self._neighbours.announce_clock(self._now_ns)
        return await self._rest()

    async def _step(self, answers: list[Quiet]) -> list[Quiet]:
        first_ns = self._ahead[0].ts_ns
        while (stop_ns := next_stop_ns(answers, first_ns)) is not None:
            await self._move_clock(stop_ns)
            answers = await self._rest()
        calm = calm_rows(self._ahead, answers)
        batch = await self._take(max(1, calm))
        await self._move_clock(batch[-1].ts_ns)
        if not calm:
            # No deadline lies on the way, so the clock alone moves nobody: one round shows that all have heard of it.
            answers = await self._rest(before=answers)
        if await self._trade(batch):
            await self._neighbours.poll_chain()
            await self._rest()
        await self._publish(batch)
        self._price_seq.update({price.market: price.source_seq for price in batch})
        answers = await self._rest()
        self._gate.passed(len(batch))
        return answers

    async def _take(self, wanted: int) -> list[Price]:
        count = await self._gate.leave(wanted)
        return [self._ahead.popleft() for _ in range(count)]

    async def _move_clock(self, now_ns: int) -> None:
        self._now_ns = max(self._now_ns, now_ns)
        await self._neighbours.announce_clock(self._now_ns)

    async def _trade(self, batch: Sequence[Price]) -> bool:
        """Hand the rows to the sandbox, run by run of one market; whether they led to anything."""
        records = 0
        for market, rows in itertools.groupby(batch, key=lambda price: price.market):
            records += (await self._neighbours.take_rows(market, self._now_ns, list(rows))).records
        return records > 0

    async def _rest(self, before: Sequence[Quiet] | None = None) -> list[Quiet]:
        """Until events and chain are both at rest.

        The chain moves only when no event is on its way: so whatever a decision leads to comes before what the venue
        does about it, on every run of the tape alike.
        """
        answers = await self._events_rest(before)
        end_s = asyncio.get_running_loop().time() + self._patience_s
        while any(answer.in_flight for answer in answers):
            if asyncio.get_running_loop().time() > end_s:
                raise GridkeeperError("SERVICE_SILENT", field="lockstep", detail="a transaction stays in flight")
            await self._neighbours.poll_chain()
            answers = await self._events_rest()
        return answers

    async def _events_rest(self, before: Sequence[Quiet] | None = None) -> list[Quiet]:
        """Ask until all are at rest, twice in a row without a change; `before` counts as the first time."""
        loop = asyncio.get_running_loop()
        end_s, announce_s = loop.time() + self._patience_s, loop.time() + ANNOUNCE_AGAIN_S
        earlier = None if before is None else fingerprint(before)
        pause_s = _PAUSE_S
        while True:
            answers, reasons = await self._ask()
            now = fingerprint(answers)
            if not reasons and now == earlier:
                return answers
            if loop.time() > end_s:
                raise GridkeeperError("SERVICE_SILENT", field="lockstep", detail="; ".join(reasons) or "no rest")
            if loop.time() > announce_s:  # a service that was started meanwhile has heard of neither
                self._log.debug("The tape waits.", reasons=reasons)
                await self._neighbours.announce_clock(self._now_ns)
                await self._resend()
                announce_s += ANNOUNCE_AGAIN_S
            earlier = None if reasons else now
            if not answers:
                await asyncio.sleep(_SILENCE_S)
            elif reasons:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _PAUSE_S_MAX)

    async def _ask(self) -> tuple[list[Quiet], list[str]]:
        self.rounds += 1
        try:
            answers = await self._neighbours.quiet()
        except GridkeeperError as silent:
            return [], [str(silent)]
        expected = Expected(now_ns=self._now_ns, price_seq=self._price_seq, price_readers=self._price_readers)
        return answers, unrest(answers, expected)

    def _look_ahead(self) -> bool:
        if len(self._ahead) <= ROWS_AHEAD // 2:
            self._ahead.extend(itertools.islice(self._rows, ROWS_AHEAD - len(self._ahead)))
        return bool(self._ahead)
