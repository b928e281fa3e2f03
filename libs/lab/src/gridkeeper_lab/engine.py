"""The simple engine: the pure machines and the venue model in one process, in memory, on a simulated clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_EVEN, Decimal

from gridkeeper_core import events as e
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.inputs import (
    AccountBooted,
    AccountRead,
    Command,
    CommandBody,
    EventSeen,
    Input,
    MarketRead,
    PriceTick,
    TransactionSeen,
    Wake,
)
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.machine import Draft, Machine
from gridkeeper_core.names import split_stream
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import PRICE_MAX_E6
from gridkeeper_core.record import GENESIS, Recorded
from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.records import Roll, SeenTransaction, Signed, VenueRecord
from gridkeeper_core.venue.state import FillBatch, FillRules, MarketRules

ACCOUNT = "main"
_STRATEGY_READS = frozenset({"execution"})
_EXECUTION_READS = frozenset({"strategy"})
_LEDGER_READS = frozenset({"strategy", "execution"})
_PASSED_OVER: dict[str, frozenset[type[e.Fact]]] = {
    "strategy": frozenset(
        (
            e.OrderAccepted, e.OrderResting, e.OrdersQueued, e.TransactionMet, e.TransactionSigned,
            e.TransactionLanded,
        )
    ),
    "execution": frozenset((e.CellChanged, e.OrderGone)),
    "ledger": frozenset(
        (
            e.PriceSeen, e.CellChanged, e.OrdersWanted, e.OrderGone, e.OrderAccepted, e.OrderResting, e.OrderClosed,
            e.TransactionMet, e.TransactionSigned, e.TransactionLanded,
        )
    ),
}  # fmt: skip
"""The frequent facts that a reader does nothing about: most of all events, and handing them over takes time."""


_UNKNOWN_NS = -1
"""In place of a deadline that has to be asked for."""


class Lab:
    """One account on a simulated venue, with every grid that is proposed.

    `log` holds all events in the order in which they were decided, without hashes (`prev` is empty): encoding is the
    event store's business. Services on the same tape in lockstep record the same events, stream by stream. A signed
    transaction lands `latency_ns` later, and is seen at once when it does. Without `restates` execution leaves out of
    its `tx:` stream what it met: nothing follows from it, and whoever has the tape can have it again. Of facts that are
    not `kept` (None: all are) only the number is; they are decided and handed over like all others.
    """

    def __init__(
        self,
        markets: Iterable[MarketRules],
        *,
        fills: FillRules | None = None,
        deposit_e6: int = 1_000_000 * 10**6,
        enforce_margin: bool = True,
        latency_ns: int = 0,
        account: str = ACCOUNT,
        now_ns: int = 0,
        on_event: Callable[[Recorded], None] | None = None,
        restates: bool = True,
        kept: frozenset[type[e.Fact]] | None = None,
    ) -> None:
        self.now_ns = now_ns
        self.log: list[Recorded] = []
        self.venue = VenueModel(markets, fills, enforce_margin=enforce_margin)
        self.strategy = StrategyMachine()
        self.execution = ExecutionMachine(self._sign, restates=restates)
        self.ledger = LedgerMachine()
        self._machines: tuple[tuple[str, Machine, frozenset[str]], ...] = (
            ("strategy", self.strategy, _STRATEGY_READS),
            ("execution", self.execution, _EXECUTION_READS),
            ("ledger", self.ledger, _LEDGER_READS),
        )
        self._on_event = on_event
        self._kept = kept
        self._wakes: dict[str, int | None] = {name: _UNKNOWN_NS for name, _, _ in self._machines}
        self._account = account
        self._latency_ns = latency_ns
        self._versions: dict[str, int] = {}
        self._pending: deque[tuple[str, Recorded]] = deque()
        self._readers: dict[tuple[str, type[e.Fact]], tuple[tuple[str, Machine], ...]] = {}
        self._signed: deque[tuple[int, str, Roll]] = deque()
        self._signatures = 0
        self._commands = 0
        self._deposit_e6 = deposit_e6
        self._boot()

    # ------------------------------------------------------------ driving

    def row(self, price: Price) -> None:
        """One row of the tape: deadlines up to it, then what it fills, then its price."""
        self.advance(price.ts_ns)
        self._keepers(self.venue.apply_row(price))
        self._drain()
        item = PriceTick(now_ns=self.now_ns, price=price)
        for name, machine, _ in self._machines:
            self._accept(name, machine, item)
        self._drain()

    def calm_row(self, price: Price) -> None:
        """The last of a run of rows inside of every band and before every deadline: it becomes the newest price."""
        self.now_ns = price.ts_ns
        self.venue.apply_row(price)
        item = PriceTick(now_ns=self.now_ns, price=price)
        for _, machine, _ in self._machines:
            drafts = machine.accept(item)
            assert not drafts, drafts
        self._wakes["strategy"] = _UNKNOWN_NS

    def band(self, market: str) -> tuple[int, int]:
        """Prices strictly inside lead to nothing, on this market, as long as no deadline passes and no input comes."""
        if any(state.has_work for state in self.execution.accounts()):
            return (1, 0)
        low_e6, high_e6 = self.strategy.bands().get(market, (0, PRICE_MAX_E6))
        nearest = self.venue.nearest(market)
        return (low_e6, high_e6) if nearest is None else (max(low_e6, nearest[0]), min(high_e6, nearest[1]))

    def next_timer_ns(self) -> int | None:
        """The first moment at which something is due, but for the age of the newest price and for the ledger."""
        moments = (
            self.strategy.next_timer_ns(),
            self._wake_of("execution", self.execution),
            self.venue.next_deadline_ns(),
            self._signed[0][0] if self._signed else None,
        )
        return min((m for m in moments if m is not None), default=None)

    def next_mark_ns(self) -> int | None:
        """When the ledger is due. Nobody reads what it writes, so that its deadlines stop nobody else."""
        return self._wake_of("ledger", self.ledger)

    def mark(self, price: Price) -> None:
        """The ledger's deadline passes, with this as the newest price."""
        due_ns = self.next_mark_ns()
        assert due_ns is not None
        self.now_ns = max(self.now_ns, due_ns)
        drafts = self.ledger.accept(PriceTick(now_ns=self.now_ns, price=price))
        assert not drafts, drafts
        self._wakes["ledger"] = _UNKNOWN_NS
        for draft in self.ledger.accept(Wake(now_ns=due_ns)):
            self._record(draft)

    def pay_funding(self, now_ns: int, symbol: str, rate_e12: int) -> None:
        """A funding payment of this share of the notional (1e-12; positive: longs pay) at the oracle price."""
        self.advance(now_ns)
        price_e6 = self.venue.market_named(symbol).oracle_e6
        rate_e9 = (Decimal(rate_e12 * price_e6) / 10**9).to_integral_value(rounding=ROUND_HALF_EVEN)
        self._keepers(self.venue.pay_funding(symbol, int(rate_e9)))
        self._drain()

    def advance(self, now_ns: int) -> None:
        """Move the clock, stopping at every deadline on the way."""
        while (deadline := self._next_wake_ns()) is not None and deadline <= now_ns:
            self.now_ns = max(self.now_ns, deadline)
            self._move_venue()
            for name, machine, _ in self._machines:
                due = self._wake_of(name, machine)
                if due is not None and due <= deadline:
                    self._accept(name, machine, Wake(now_ns=due))
            self._drain()
        self.now_ns = now_ns
        self._move_venue()
        self._drain()

    def command(self, target: str, body: CommandBody, *, author: str = "lab", reason: str = "", key: str = "") -> None:
        """Give a command, as the `gridkeeper` command does. Raises GridkeeperError when it is refused."""
        self._commands += 1
        item = Command(
            now_ns=self.now_ns,
            key=key or f"lab-{self._commands}",
            author=author,
            reason=reason,
            target=target,
            body=body,
        )
        name = "execution" if split_stream(target)[0] == "account" else "strategy"
        self._accept(name, self.execution if name == "execution" else self.strategy, item)
        self._drain()

    def deposit(self, quote_e6: int) -> None:
        """The owner pays collateral in."""
        self._signatures += 1
        self._seen(f"lab-{self._signatures}", self.venue.deposit(self._account, quote_e6), ours=False)
        self._drain()

    def reconcile(self) -> None:
        """Read the account from the venue, as execution does every minute."""
        self._read_account()
        self._drain()

    # ------------------------------------------------------------ inside

    def _boot(self) -> None:
        self.venue.open_account(self._account)
        self.venue.deposit(self._account, self._deposit_e6)
        self._accept("execution", self.execution, AccountBooted(now_ns=self.now_ns, alias=self._account))
        for market in self.venue.markets.values():
            self._accept("execution", self.execution, MarketRead(now_ns=self.now_ns, spec=market.spec))
        self._read_account()
        self._drain()

    def _read_account(self) -> None:
        account = self.venue.read(self._account, self._account)
        cursor = f"lab-{self._signatures}"
        item = AccountRead(now_ns=self.now_ns, account=account, cursor=cursor, cursor_slot=self.venue.slot)
        self._accept("execution", self.execution, item)

    def _accept(self, name: str, machine: Machine, item: Input) -> None:
        self._wakes[name] = _UNKNOWN_NS
        drafts = machine.accept(item)
        if drafts:
            self._pending += [(name, self._record(draft)) for draft in drafts]

    def _record(self, draft: Draft) -> Recorded:
        version = self._versions.get(draft.stream, 0) + 1
        self._versions[draft.stream] = version
        event = Recorded(
            stream=draft.stream,
            version=version,
            ts_ns=draft.ts_ns,
            cause=draft.cause,
            thread=draft.thread,
            prev=GENESIS,
            fact=draft.fact,
        )
        if self._kept is None or type(draft.fact) in self._kept:
            self.log.append(event)
        if self._on_event is not None:
            self._on_event(event)
        return event

    def _drain(self) -> None:
        """Until nothing moves: every event to its readers; only then what the chain did with signed transactions."""
        while self._pending or self._signed:
            while self._pending:
                writer, event = self._pending.popleft()
                readers = self._readers_of(writer, type(event.fact))
                if readers:
                    item = EventSeen(now_ns=self.now_ns, event=event)
                    for name, machine in readers:
                        self._accept(name, machine, item)
            if not self._signed or self._signed[0][0] > self.now_ns:
                return
            self._execute(*self._signed.popleft()[1:])

    def _readers_of(self, writer: str, kind: type[e.Fact]) -> tuple[tuple[str, Machine], ...]:
        readers = self._readers.get((writer, kind))
        if readers is None:
            machines = ((name, machine) for name, machine, reads in self._machines if writer in reads)
            readers = tuple((name, machine) for name, machine in machines if kind not in _PASSED_OVER[name])
            self._readers[writer, kind] = readers
        return readers

    def _execute(self, signature: str, roll: Roll) -> None:
        error_code, error, records = None, "", ()
        try:
            records = self.venue.execute(roll.alias, roll)  # type: ignore[assignment]
        except VenueError as refusal:
            error_code, error = int(refusal.code), str(refusal)
        self._seen(signature, records, ours=True, error_code=error_code, error=error)
        self._keepers(self.venue.run_keepers())

    def _move_venue(self) -> None:
        deadline = self.venue.next_deadline_ns()
        self.venue.advance(self.now_ns)
        if deadline is not None and deadline <= self.now_ns:
            self._keepers(self.venue.run_keepers())

    def _keepers(self, batches: Iterable[FillBatch]) -> None:
        """What keepers did, each in a transaction of its own."""
        for batch in batches:
            self._signatures += 1
            self._seen(f"lab-{self._signatures}", batch.records, ours=False)

    def _seen(
        self,
        signature: str,
        records: tuple[VenueRecord, ...],
        *,
        ours: bool,
        error_code: int | None = None,
        error: str = "",
    ) -> None:
        transaction = SeenTransaction(
            signature=signature,
            slot=self.venue.slot,
            block_time_s=self.now_ns // 10**9,
            finalized=True,
            error_code=error_code,
            error=error,
            fee_lamports=0,
            ours=ours,
            records=records,
        )
        item = TransactionSeen(now_ns=self.now_ns, alias=self._account, transaction=transaction)
        self._accept("execution", self.execution, item)

    def _sign(self, roll: Roll) -> Signed:
        self._signatures += 1
        signature = f"lab-{self._signatures}"
        self._signed.append((self.now_ns + self._latency_ns, signature, roll))
        return Signed(signature=signature, bytes_base64="", blockhash="", last_valid_block_height=0)

    def _next_wake_ns(self) -> int | None:
        wakes = [self._wake_of(name, machine) for name, machine, _ in self._machines]
        wakes += [self.venue.next_deadline_ns(), self._signed[0][0] if self._signed else None]
        return min([w for w in wakes if w is not None], default=None)

    def _wake_of(self, name: str, machine: Machine) -> int | None:
        """A machine's next deadline, asked for once after each of its inputs."""
        due_ns = self._wakes[name]
        if due_ns == _UNKNOWN_NS:
            due_ns = self._wakes[name] = machine.next_wake_ns()
        return due_ns
