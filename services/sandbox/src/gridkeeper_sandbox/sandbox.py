"""The sandbox itself: a chain with the Drift program on it, driven by transactions, rows of prices and time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import PRICE_MAX_E6, Band, MarketTaken, Quiet
from gridkeeper_core.units import NS_PER_MS
from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_sandbox import execution
from gridkeeper_sandbox.accounts_view import AccountsView, market_oracle
from gridkeeper_sandbox.administering import MarketChange, changed
from gridkeeper_sandbox.chain import Chain, Commitment, Landed
from gridkeeper_sandbox.coming import Coming, ForkSwitch, LateLanding
from gridkeeper_sandbox.config import SERVICE, SandboxSettings
from gridkeeper_sandbox.execution import Loaded, NotRunError, Ran
from gridkeeper_sandbox.faults import CHAIN_KINDS, KEEPERS, FaultKind, Faults, Scenario, read_scenario
from gridkeeper_sandbox.history import History, Step
from gridkeeper_sandbox.journal import (
    Deed,
    Entry,
    Fork,
    Fund,
    Keepers,
    LastPrices,
    PayFunding,
    Row,
    Rules,
    SetExchange,
    SetMarket,
    Submit,
    open_journal,
)
from gridkeeper_sandbox.landing import Landing
from gridkeeper_sandbox.world import Mark, World

_SEND = "sendTransaction"
_FATES: tuple[FaultKind, ...] = ("lost-transaction", "late-transaction")


class Change(NamedTuple):
    """What listeners are told: transactions that landed, and accounts that may have changed."""

    landed: tuple[Landed, ...]
    keys: frozenset[Pubkey]


class Sandbox:
    """One chain. `clock` is the host's (UTC, ns); on a tape it is not asked. Use from one thread.

    What a method has answered is on disk; `listeners` are told after that.
    """

    def __init__(self, settings: SandboxSettings, clock: Callable[[], int]) -> None:
        rules = Rules(
            markets=tuple(settings.market_rules()), fills=settings.fills, enforce_margin=settings.enforce_margin
        )
        depth = (0, 0) if settings.lockstep else (settings.confirmed_slots, settings.finalized_slots)
        self.settings = settings
        self._clock = clock
        venue = VenueModel(rules.markets, rules.fills, enforce_margin=rules.enforce_margin)
        self.world = World(venue, settings.max_sub_accounts)
        self.chain = Chain(
            confirmed_slots=depth[0],
            finalized_slots=depth[1],
            own_slots=not settings.lockstep,
            skips_empty_slots=settings.lockstep,
        )
        self.view = AccountsView(self.world)
        self._landing = Landing(self.world, self.chain, self.view)
        self.faults = Faults()
        self._history = History(keeps=depth[1] > 0)
        self._coming = Coming()
        self.listeners: list[Callable[[Change], None]] = []
        self._calm_prices: dict[str, Price] = {}
        self._last_prices: dict[str, Price] = {}
        self._journal, entries = open_journal(settings.state_dir, rules, sync=settings.sync)
        self._replay(entries)
        self.tick()
        if settings.scenario:
            self.set_faults(read_scenario(settings.scenario), at_once=bool(self._last_prices))

    # ------------------------------------------------------------ time

    @property
    def now_ns(self) -> int:
        """The chain's time."""
        return self.world.venue.now_ns

    def slot(self, commitment: Commitment = "processed") -> int:
        """The newest slot at a commitment."""
        return self.chain.slot(self.now_ns, commitment)

    def tick(self) -> None:
        """Lets the chain's time follow the host's clock; on a tape it stands until it is moved."""
        if not self.settings.follows_tape:
            self.move_clock(self._clock())

    def move_clock(self, now_ns: int) -> None:
        """Moves the chain's time forward: what was put off happens when it is due, keepers remove what lapses."""
        while due := self._coming.next_due(now_ns):
            self._move_to(max(self.now_ns, due[0]))
            match due[1]:
                case LateLanding(data=data):
                    self._land_late(VersionedTransaction.from_bytes(data))
                case ForkSwitch(signature=signature, relands=relands):
                    self.fork(signature, relands=relands)
        self._move_to(now_ns)

    def _move_to(self, now_ns: int) -> None:
        deadline_ns = self.world.venue.next_deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            self.world.venue.advance(now_ns)
            self._do(Keepers())
        else:
            self.world.venue.advance(now_ns)

    # ------------------------------------------------------------ transactions

    def submit(self, transaction: VersionedTransaction, *, preflight: bool) -> tuple[Ran | None, NotRunError | None]:
        """Lands a transaction whose signatures are good. (None, None): landed, before or now.

        With `preflight` one that would fail does not land, and what a run of it led to is the answer. One that cannot
        land at all is answered with why. Raises NotRunError where it names a lookup table that cannot be used.
        """
        loaded = execution.load(transaction, dict(self.view.tables))
        if self.chain.find(loaded.signature) is not None:
            return None, NotRunError("AlreadyProcessed")
        try:
            execution.check(loaded, self.chain, self.world)
        except NotRunError as reason:
            return None, reason
        if preflight:
            ran = self.try_out(loaded)
            if ran.error is not None:
                return ran, None
        fault = self.faults.strike(_FATES, (_SEND,), self.now_ns, key=loaded.signature)
        if fault is None:
            self._do(Submit(bytes(transaction)))
            self._meet_fork(loaded.signature, _SEND)
        elif fault.kind == "late-transaction":
            self._coming.add(self.now_ns + fault.delay_ms * NS_PER_MS, LateLanding(bytes(transaction)))
        return None, None

    def try_out(self, loaded: Loaded) -> Ran:
        """What running it now would lead to; nothing changes."""
        mark = self.world.mark()
        ran = execution.run(loaded, self.world)
        self.world.rewind(mark)
        return ran

    def fund(self, wallet: Pubkey, lamports: int, quote_e6: int) -> str:
        """The faucet; the signature of what it gave, "" for nothing. Raises GridkeeperError where there is none."""
        if not self.settings.faucet:
            raise GridkeeperError("BAD_VALUE", field="faucet", value="off")
        landed = self._do(Fund(str(wallet), lamports, quote_e6))
        return landed[0].signature if landed else ""

    def pay_funding(self, symbol: str, rate_e9: int) -> None:
        """Every position of a market pays or receives funding. Raises GridkeeperError MARKET_UNKNOWN."""
        self._check_market(symbol)
        self._do(PayFunding(symbol, rate_e9))

    def set_market(self, symbol: str, change: MarketChange) -> None:
        """The admin changes a market. Raises GridkeeperError MARKET_UNKNOWN."""
        self._check_market(symbol)
        self._do(SetMarket(symbol, change))

    def set_exchange(self, status: int) -> None:
        """The admin pauses operations of the whole exchange: bits of `State.exchange_status`, 0 lets all go on."""
        self._do(SetExchange(status))

    # ------------------------------------------------------------ faults and forks

    def set_faults(self, scenario: Scenario, *, at_once: bool = True) -> None:
        """Begins a scenario, now or with the first price. Raises GridkeeperError for faults that lockstep forbids."""
        forbidden = {fault.kind for fault in scenario.fault}.intersection(CHAIN_KINDS)
        if self.settings.lockstep and forbidden:
            raise GridkeeperError(
                "BAD_VALUE",
                field="scenario",
                value=", ".join(sorted(forbidden)),
                expected="faults that need no time to pass, as the chain runs in lockstep",
            )
        self._coming.forget()
        self.faults.set(scenario, self.now_ns if at_once else None)

    def fork(self, signature: str, *, relands: bool) -> bool:
        """Leaves the fork that holds a transaction, if it is not final: it and all that came after it are undone."""
        place = self.chain.place_of(signature)
        steps = [] if place is None else self._history.back_to(place, self.slot("finalized"))
        if not steps:
            return False
        self._do(Fork(len(steps)))
        for step in steps:
            if relands and step.submitted is not None:
                self._land_late(VersionedTransaction.from_bytes(step.submitted))
        return True

    @contextmanager
    def seen_at(self, commitment: Commitment) -> Iterator[None]:
        """Inside, the accounts are as of that commitment; nothing may be changed."""
        mark = self._history.at(self.slot(commitment))
        if mark is None:
            yield
            return
        now = self.world.mark()
        self.world.rewind(mark)
        try:
            yield
        finally:
            self.world.rewind(now)

    # ------------------------------------------------------------ the market

    def take_rows(self, symbol: str, now_ns: int, rows: Iterable[Price]) -> MarketTaken:
        """Trades the rows of one market that were not taken before. Raises GridkeeperError MARKET_UNKNOWN."""
        self._check_market(symbol)
        records, landed = 0, list[Landed]()
        for row in rows:
            if row.market == symbol and self._is_new(row):
                landed_now, count = self._take_row(row)
                landed += landed_now
                records += count
        if self.settings.follows_tape:
            self.move_clock(now_ns)
        self._journal.settle()
        self._journal.keep_prices(LastPrices(now_ns=self.now_ns, prices=tuple(self._last_prices.values())))
        market = self.world.venue.market_named(symbol)
        self._tell(Change(tuple(landed), _keys(landed) | {market_oracle(market.spec)}))
        return MarketTaken(last_seq=market.source_seq, records=records)

    def take_price(self, price: Price) -> None:
        """A price of a running feed; one of a market that is not here is passed over."""
        if any(market.spec.symbol == price.market for market in self.world.venue.markets.values()):
            self.tick()
            self.take_rows(price.market, self.now_ns, (price,))

    def quiet(self) -> Quiet:
        """Where the sandbox is; it never has anything on its way."""
        venue = self.world.venue
        bands = {}
        for market in venue.markets.values():
            nearest = venue.nearest(market.spec.symbol)
            bands[market.spec.symbol] = Band(0, PRICE_MAX_E6) if nearest is None else Band(*nearest)
        return Quiet(
            service=SERVICE,
            now_ns=self.now_ns,
            price_seq={m.spec.symbol: m.source_seq for m in venue.markets.values() if m.source_seq},
            next_wake_ns=venue.next_deadline_ns(),
            band=bands,
        )

    def close(self) -> None:
        """Ends in order."""
        self._journal.close()

    # ------------------------------------------------------------ inside

    def _take_row(self, row: Price) -> tuple[list[Landed], int]:
        """One row: the transactions it led to, and how many records are in them."""
        self._last_prices[row.market] = row
        self.faults.begin(self.now_ns)
        mark = self.world.mark() if self._history.keeps else None
        before = dict(self.world.venue.accounts)
        batches = self.world.venue.apply_row(row)
        now_after = self.world.venue.accounts
        if all(now_after[name] is account for name, account in before.items()):
            self._calm_prices[row.market] = row
        else:
            self._calm_prices.pop(row.market, None)
            self._note(Row(row))
        landed = self._landing.land_batches(batches, before)
        self._remember(mark, landed, None)
        if landed:
            self._meet_fork(landed[0].signature, KEEPERS)
        return landed, sum(len(batch.records) for batch in batches)

    def _meet_fork(self, signature: str, method: str) -> None:
        fault = self.faults.strike(("fork",), (method,), self.now_ns)
        if fault is not None:
            self._coming.add(self.now_ns + fault.delay_ms * NS_PER_MS, ForkSwitch(signature, fault.relands))

    def _land_late(self, transaction: VersionedTransaction) -> None:
        """Lands it if it still can; if not, it is never heard of again."""
        loaded = execution.load(transaction, dict(self.view.tables))
        if self.chain.find(loaded.signature) is not None:
            return
        try:
            execution.check(loaded, self.chain, self.world)
        except NotRunError:
            return
        self._do(Submit(bytes(transaction)))

    def _do(self, deed: Deed) -> list[Landed]:
        self._note(deed)
        landed = self._apply(deed)
        self._journal.settle()
        # What a fork gives are the transactions that are gone: their accounts changed, but nothing landed.
        self._tell(Change(() if isinstance(deed, Fork) else tuple(landed), _keys(landed)))
        return landed

    def _note(self, deed: Deed) -> None:
        self._journal.append(Entry(now_ns=self.now_ns, prices=tuple(self._calm_prices.values()), deed=deed))
        self._calm_prices.clear()

    def _apply(self, deed: Deed) -> list[Landed]:
        """Does a deed, for the first time or again after a restart, and remembers what was before it."""
        mark = self.world.mark() if self._history.keeps else None
        landed = self._act(deed)
        if isinstance(deed, Fund | SetMarket | SetExchange):
            self._history.forget()
            self.chain.finalize()
        elif not isinstance(deed, Fork):
            self._remember(mark, landed, deed.data if isinstance(deed, Submit) else None)
        return landed

    def _remember(self, mark: Mark | None, landed: Sequence[Landed], submitted: bytes | None) -> None:
        if mark is not None and landed:
            first = len(self.chain.landed) - len(landed)
            self._history.add(Step(mark, first, landed[0].slot, submitted), self.slot("finalized"))

    def _act(self, deed: Deed) -> list[Landed]:
        venue = self.world.venue
        before = dict(venue.accounts)
        match deed:
            case Submit():
                return self._landing.land(VersionedTransaction.from_bytes(deed.data))
            case Row():
                return self._landing.land_batches(venue.apply_row(deed.row), before)
            case Keepers():
                return self._landing.land_batches(venue.run_keepers(), before)
            case PayFunding():
                return self._landing.land_batches(venue.pay_funding(deed.symbol, deed.rate_e9), before)
            case Fund():
                return self._landing.land_gift(Pubkey.from_string(deed.wallet), deed.lamports, deed.quote_e6)
            case SetMarket():
                venue.set_market(changed(venue.market_named(deed.symbol), deed.change))
                return []
            case SetExchange():
                venue.exchange_status = deed.status
                return []
            case Fork():
                return self._leave_fork(deed.steps)

    def _leave_fork(self, count: int) -> list[Landed]:
        """Undoes the last steps; the market's prices stay, as they come from outside the chain."""
        first = self._history.undo(count)[0]
        venue = self.world.venue
        prices = dict(venue.markets)
        now_ns = venue.now_ns
        self.world.rewind(first.mark)
        venue.take_prices(prices, now_ns)
        return self.chain.drop_from(first.first, now_ns)

    def _replay(self, entries: Iterable[Entry]) -> None:
        venue = self.world.venue
        for entry in entries:
            for price in entry.prices:
                venue.apply_row(price)
                self._last_prices[price.market] = price
            venue.advance(entry.now_ns)
            if isinstance(entry.deed, Row):
                self._last_prices[entry.deed.row.market] = entry.deed.row
            self._apply(entry.deed)
        last = self._journal.last_prices()
        if last is None:
            return
        for price in last.prices:
            if self._is_new(price):
                venue.apply_row(price)
                self._last_prices[price.market] = self._calm_prices[price.market] = price
        venue.advance(last.now_ns)

    def _is_new(self, row: Price) -> bool:
        """Whether it was not taken before; a feed that began to count anew is told by its time."""
        market = self.world.venue.market_named(row.market)
        return row.source_seq > market.source_seq or row.ts_ns > market.price_ns

    def _check_market(self, symbol: str) -> None:
        try:
            self.world.venue.market_named(symbol)
        except VenueError as error:
            raise GridkeeperError("MARKET_UNKNOWN", field="market", value=symbol) from error

    def _tell(self, change: Change) -> None:
        for listener in self.listeners:
            listener(change)


def _keys(landed: Sequence[Landed]) -> frozenset[Pubkey]:
    return frozenset(Pubkey.from_string(key) for transaction in landed for key in transaction.keys)
