"""The exactly-once loop of a service: inputs through the machine, drafts and positions into one commit."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import Command, Input, PriceTick, Wake
from gridkeeper_core.machine import Draft, Machine
from gridkeeper_core.record import Recorded, decode
from gridkeeper_core.units import NS_PER_S
from gridkeeper_eventlog.db_thread import DbThread
from gridkeeper_eventlog.inbox import Inbox
from gridkeeper_eventlog.journal import Answer, Journal
from gridkeeper_eventlog.recorder import Position
from gridkeeper_eventlog.store import STORE_LOST, EventStore, NewEvent, StoredRow
from gridkeeper_eventlog.turn import Done, Queued, Turn

GROUP_INPUTS_MAX = 100
GROUP_S_MAX = 0.005
QUEUE_MAX = 1_000
RESTORE_PAGE = 5_000
STORE_PATIENCE_S = 30.0
RETRY_S = 0.2
TIMER_S_MAX = 3600.0
WAKES_PER_DEADLINE_MAX = 1_000

OnCommitted: TypeAlias = Callable[[list[Recorded]], None]
OnPoison: TypeAlias = Callable[[Input, Exception], list[Draft] | None]


class Watcher(Protocol):
    """Is told of each input and of each commit; returns at once."""

    def decided(self, item: Input, seconds: float) -> None:
        """The machine took the input."""

    def refused(self, error: GridkeeperError) -> None:
        """The machine refused a command."""

    def faulted(self, item: Input) -> None:
        """The machine failed on an input."""

    def committed(self, events: int, seconds: float) -> None:
        """So many events are stored."""


class NoWatcher:
    """Looks at nothing."""

    def decided(self, item: Input, seconds: float) -> None:
        """See `Watcher`."""

    def refused(self, error: GridkeeperError) -> None:
        """See `Watcher`."""

    def faulted(self, item: Input) -> None:
        """See `Watcher`."""

    def committed(self, events: int, seconds: float) -> None:
        """See `Watcher`."""


def stop_the_service(item: Input, error: Exception) -> list[Draft] | None:
    """The policy for input no machine can take where nothing smaller than the service can be stopped."""
    del item, error
    return None


class Processor:
    """One per service. `restore` once, then `run` for as long as the service lives; `run` raises when it must end.

    `clock` tells now_ns (UTC). On a tape (`is_tape`) it stands still between calls of `clock_moved`, so no timer runs.
    `on_committed` gets what each commit recorded, in order, before the futures of its inputs resolve.
    `watcher` is for metrics. `on_poison` is asked when the machine fails on an
    input: it returns drafts that the machine has folded already (then the position moves on), or None to end the
    service. Then what came before the input is committed, so that after the restart it comes once more, alone and to a
    state made anew from the log.
    """

    def __init__(
        self,
        *,
        store: EventStore,
        thread: DbThread,
        machine: Machine,
        clock: Callable[[], int],
        on_committed: OnCommitted,
        on_poison: OnPoison = stop_the_service,
        watcher: Watcher | None = None,
        is_tape: bool = False,
        store_patience_s: float = STORE_PATIENCE_S,
    ) -> None:
        self.store = store
        self.machine = machine
        self.journal = Journal()
        self.inbox = Inbox({})
        self.passed_over: Counter[str] = Counter()
        self.not_ready_reason = "The event log is being read."
        self._thread = thread
        self._clock = clock
        self._on_committed = on_committed
        self._on_poison = on_poison
        self._watcher = watcher or NoWatcher()
        self._is_tape = is_tape
        self._store_patience_s = store_patience_s
        self._now_ns = 0
        self._queue: deque[Queued] = deque()
        self._newest_price: dict[str, Queued] = {}
        self._signal = asyncio.Event()
        self._room = asyncio.Event()
        self._is_busy = False
        self._end: BaseException | None = None

    @property
    def ready(self) -> bool:
        """Whether inputs are taken; `not_ready_reason` says why not."""
        return not self.not_ready_reason

    @property
    def queued(self) -> int:
        """How many inputs wait."""
        return len(self._queue)

    @property
    def is_idle(self) -> bool:
        """Nothing is queued, being decided or being committed, and no deadline is due."""
        return not self._queue and not self._is_busy and not self._is_wake_due()

    async def restore(self) -> int:
        """Fold the whole log into journal and machine; the number of events. To be called once, before `run`."""
        await self._patiently(self.store.open)
        self.inbox = Inbox(await self._thread.run(self.store.positions))
        count = 0
        page = await self._thread.run(self.store.select, 0, RESTORE_PAGE)
        while page:
            following = asyncio.ensure_future(self._thread.run(self.store.select, page[-1].id, RESTORE_PAGE))
            await asyncio.sleep(0)  # the next page is asked for before this one is folded, not after
            self._fold(page)
            count += len(page)
            page = await following
        self.not_ready_reason = ""
        return count

    async def submit(self, item: Input, position: Position | None = None) -> list[Recorded]:
        """What the input led to, once that is committed; empty for one taken before, or a price passed over.

        Raises GridkeeperError: the refusal of a command; EVENT_GAP; whatever ended the loop.
        """
        return await (await self.enqueue(item, position))

    async def enqueue(self, item: Input, position: Position | None = None) -> Done:
        """Wait for room in the queue, not for the commit; the future resolves like `submit`."""
        while len(self._queue) >= QUEUE_MAX and self._end is None:
            self._room.clear()
            await self._room.wait()
        return self.offer(item, position)

    def offer(self, item: Input, position: Position | None = None) -> Done:
        """Queue an input at once, whatever the queue's length (for prices, which never pile up)."""
        if self._end is not None:
            raise GridkeeperError("SERVICE_SILENT", detail="The service is stopping.") from self._end
        if isinstance(item, Command) and not self.ready:
            raise GridkeeperError("STORE_LOST", detail=self.not_ready_reason)
        done: Done = asyncio.get_running_loop().create_future()
        if position is not None and not self.inbox.admit(position.app, position.id, position.previous):
            done.set_result([])
            return done
        queued = Queued(item, position, done)
        if isinstance(item, PriceTick):
            self._pass_over_older(item, queued)
        self._queue.append(queued)
        self._signal.set()
        return done

    def clock_moved(self) -> None:
        """Look at the clock: on a tape it was just told a new time."""
        self._signal.set()

    def stop(self) -> None:
        """End `run` after the commit under way. What is still queued comes again after the restart."""
        self._end = self._end or asyncio.CancelledError("stopped")
        self._signal.set()
        self._room.set()

    async def run(self) -> None:
        """Decide and commit until `stop`. Raises when the service must end: GridkeeperError FENCED, STORE_LOST, a
        poisonous input's own exception, or what `on_committed` raised. State in memory is void then.
        """
        try:
            while self._end is None:
                await self._wait_for_work()
                self._is_busy = True
                await self._turn()
                self._is_busy = False
        except BaseException as e:
            self._end = e
            self.journal.rollback()
            raise
        finally:
            self._is_busy = False
            self._abandon_queue()

    async def _wait_for_work(self) -> None:
        while not self._queue and not self._is_wake_due() and self._end is None:
            self._signal.clear()
            try:
                async with asyncio.timeout(self._seconds_to_wake()):
                    await self._signal.wait()
            except TimeoutError:
                continue

    async def _turn(self) -> None:
        turn = Turn()
        try:
            self._decide_group(turn)
            if turn.stamped or turn.steps():
                began_s = asyncio.get_running_loop().time()
                await self._commit([s.new_event for s in turn.stamped], turn.steps())
                self._watcher.committed(len(turn.stamped), asyncio.get_running_loop().time() - began_s)
            recorded = [s.recorded for s in turn.stamped]
            if recorded:
                self._on_committed(recorded)
            await self._answer_repeats(turn)
        except BaseException as e:
            turn.fail(e)
            raise
        turn.resolve()
        if turn.failure is not None:
            raise turn.failure

    def _decide_group(self, turn: Turn) -> None:
        if not self._queue:
            self._deliver_wakes(self._clock(), turn)
        loop = asyncio.get_running_loop()
        end_s = loop.time() + GROUP_S_MAX
        for _ in range(GROUP_INPUTS_MAX):
            if not self._queue or loop.time() > end_s:
                break
            queued = self._queue.popleft()
            if queued.is_passed_over:
                continue
            try:
                self._decide(queued, turn)
            except Exception as error:  # raised again once what came before it is committed
                # Were the group to fall with it, a restart would group them anew, and it would never be tried alone.
                turn.end_before(queued, error)
                break
        self._room.set()

    def _decide(self, queued: Queued, turn: Turn) -> None:
        item = queued.item
        turn.take(queued)
        if isinstance(item, PriceTick):
            del self._newest_price[item.price.market]
        # The host's clock may step back, and inputs of several tasks may cross; for a machine time never does.
        self._now_ns = max(self._now_ns, item.now_ns)
        if item.now_ns < self._now_ns:
            item = msgspec.structs.replace(item, now_ns=self._now_ns)
        self._deliver_wakes(item.now_ns, turn)
        if isinstance(item, Command) and (answer := self.journal.answer(item.target, item.key)) is not None:
            turn.repeats.append((queued, answer))
            return
        try:
            drafts = self._accept(item)
        except GridkeeperError as refusal:
            if not isinstance(item, Command):
                raise
            turn.refused.append((queued, refusal))
            self._watcher.refused(refusal)
            return
        turn.add(queued, self.journal.stamp(drafts))

    def _accept(self, item: Input) -> list[Draft]:
        began_s = asyncio.get_running_loop().time()
        try:
            drafts = self.machine.accept(item)
            self._watcher.decided(item, asyncio.get_running_loop().time() - began_s)
            return drafts
        except Exception as error:
            if isinstance(error, GridkeeperError) and isinstance(item, Command):
                raise
            self._watcher.faulted(item)
            rescued = self._on_poison(item, error)
            if rescued is None:
                raise
            return rescued

    def _deliver_wakes(self, now_ns: int, turn: Turn) -> None:
        before, times = None, 0
        while (deadline := self.machine.next_wake_ns()) is not None and deadline <= now_ns:
            times = times + 1 if deadline == before else 1
            if times > WAKES_PER_DEADLINE_MAX:
                raise RuntimeError(f"the machine asks for the deadline {deadline} again and again")
            before = deadline
            turn.add(None, self.journal.stamp(self._accept(Wake(now_ns=deadline))))

    async def _commit(self, events: list[NewEvent], steps: list[Position]) -> None:
        await self._patiently(lambda: self.store.append(events, steps))
        self.journal.settle()

    async def _patiently(self, call: Callable[[], object]) -> None:
        """Run a call that may be repeated; while PostgreSQL is lost, try again and take no input."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._store_patience_s
        before = self.not_ready_reason
        while True:
            try:
                await self._thread.run(call)
            except STORE_LOST as e:
                self.not_ready_reason = f"PostgreSQL cannot be reached: {e}"
                if loop.time() > deadline_s:
                    raise GridkeeperError("STORE_LOST", field="PostgreSQL", detail=self.not_ready_reason) from e
                await self._thread.run(self.store.close)
                await asyncio.sleep(RETRY_S)
            else:
                self.not_ready_reason = before
                return

    async def _answer_repeats(self, turn: Turn) -> None:
        for queued, answer in turn.repeats:
            assert isinstance(queued.item, Command)
            rows: list[StoredRow] = []
            await self._patiently(lambda a=answer, r=rows: r.extend(self._rows_of(a)))  # type: ignore[misc]
            events = [decode(row.state) for row in rows]
            cause = f"cmd:{queued.item.key}"
            turn.outcomes.append((queued, [event for event in events if event.cause == cause]))

    def _rows_of(self, answer: Answer) -> list[StoredRow]:
        return self.store.stream(answer.stream, answer.first - 1, answer.last - answer.first + 1)

    def _pass_over_older(self, item: PriceTick, queued: Queued) -> None:
        market = item.price.market
        older = self._newest_price.get(market)
        if older is not None:
            older.pass_over()
            self.passed_over[market] += 1
        self._newest_price[market] = queued

    def _fold(self, page: Sequence[StoredRow]) -> None:
        for row in page:
            event = decode(row.state)
            self.journal.fold(event, row.state)
            self.machine.restore(event)
            self._now_ns = max(self._now_ns, event.ts_ns)

    def _is_wake_due(self) -> bool:
        deadline = self.machine.next_wake_ns()
        return deadline is not None and deadline <= self._clock()

    def _seconds_to_wake(self) -> float | None:
        deadline = self.machine.next_wake_ns()
        if deadline is None or self._is_tape:
            return None
        return min(TIMER_S_MAX, max(0.0, (deadline - self._clock()) / NS_PER_S))

    def _abandon_queue(self) -> None:
        error = GridkeeperError("SERVICE_SILENT", detail=f"The service stopped: {self._end}")
        for queued in self._queue:
            queued.fail(error)
        self._queue.clear()
        self._room.set()
