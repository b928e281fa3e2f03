"""The sandbox itself: a chain with the Drift program on it, driven by transactions, rows of prices and time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import PRICE_MAX_E6, Band, MarketTaken, Quiet
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.state import Account, FillBatch
from gridkeeper_drift.codecs.events import program_logs
from gridkeeper_sandbox import execution
from gridkeeper_sandbox.accounts_view import AccountsView, market_oracle
from gridkeeper_sandbox.chain import Chain, Commitment, Landed
from gridkeeper_sandbox.config import SERVICE, SandboxSettings
from gridkeeper_sandbox.event_lines import Happened, lines
from gridkeeper_sandbox.execution import Loaded, NotRunError, Ran
from gridkeeper_sandbox.journal import (
    Deed,
    Entry,
    Fund,
    Keepers,
    LastPrices,
    PayFunding,
    Row,
    Rules,
    Submit,
    open_journal,
)
from gridkeeper_sandbox.keeper_transactions import filler, keeper_transaction
from gridkeeper_sandbox.world import World


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
        self._settings = settings
        self._clock = clock
        self.world = World(VenueModel(rules.markets, rules.fills, enforce_margin=rules.enforce_margin))
        self.chain = Chain(
            confirmed_slots=depth[0],
            finalized_slots=depth[1],
            own_slots=not settings.lockstep,
            skips_empty_slots=settings.lockstep,
        )
        self.view = AccountsView(self.world)
        self.listeners: list[Callable[[Change], None]] = []
        self._calm_prices: dict[str, Price] = {}
        self._last_prices: dict[str, Price] = {}
        self._journal, entries = open_journal(settings.state_dir, rules, sync=settings.sync)
        self._replay(entries)
        self.tick()

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
        if not self._settings.follows_tape:
            self.move_clock(self._clock())

    def move_clock(self, now_ns: int) -> None:
        """Moves the chain's time forward; keepers remove what has lapsed by then."""
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
        self._do(Submit(bytes(transaction)))
        return None, None

    def try_out(self, loaded: Loaded) -> Ran:
        """What running it now would lead to; nothing changes."""
        mark = self.world.mark()
        ran = execution.run(loaded, self.world)
        self.world.rewind(mark)
        return ran

    def fund(self, wallet: Pubkey, lamports: int, quote_e6: int) -> None:
        """The faucet. Raises GridkeeperError where there is none."""
        if not self._settings.faucet:
            raise GridkeeperError("BAD_VALUE", field="faucet", value="off")
        self._do(Fund(str(wallet), lamports, quote_e6))

    def pay_funding(self, symbol: str, rate_e9: int) -> None:
        """Every position of a market pays or receives funding. Raises GridkeeperError MARKET_UNKNOWN."""
        self._check_market(symbol)
        self._do(PayFunding(symbol, rate_e9))

    # ------------------------------------------------------------ the market

    def take_rows(self, symbol: str, now_ns: int, rows: Iterable[Price]) -> MarketTaken:
        """Trades the rows of one market that were not taken before. Raises GridkeeperError MARKET_UNKNOWN."""
        self._check_market(symbol)
        records, landed = 0, list[Landed]()
        for row in rows:
            if row.market == symbol and self._is_new(row):
                batches, before = self._take_row(row)
                landed += self._land_batches(batches, before)
                records += sum(len(batch.records) for batch in batches)
        if self._settings.follows_tape:
            self.move_clock(now_ns)
        self._journal.settle()
        self._journal.keep_prices(LastPrices(now_ns=self.now_ns, prices=tuple(self._last_prices.values())))
        oracle = market_oracle(self.world.venue.market_named(symbol).spec)
        self._tell(Change(tuple(landed), _keys(landed) | {oracle}))
        return MarketTaken(last_seq=self.world.venue.market_named(symbol).source_seq, records=records)

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

    def _take_row(self, row: Price) -> tuple[list[FillBatch], dict[str, Account]]:
        """One row: what it led to, and the accounts before it."""
        self._last_prices[row.market] = row
        before = dict(self.world.venue.accounts)
        batches = self.world.venue.apply_row(row)
        now_after = self.world.venue.accounts
        if all(now_after[name] is account for name, account in before.items()):
            self._calm_prices[row.market] = row
        else:
            self._calm_prices.pop(row.market, None)
            self._note(Row(row))
        return batches, before

    def _do(self, deed: Deed) -> None:
        self._note(deed)
        landed = self._apply(deed)
        self._journal.settle()
        self._tell(Change(tuple(landed), _keys(landed)))

    def _note(self, deed: Deed) -> None:
        self._journal.append(Entry(now_ns=self.now_ns, prices=tuple(self._calm_prices.values()), deed=deed))
        self._calm_prices.clear()

    def _apply(self, deed: Deed) -> list[Landed]:
        """Does a deed, for the first time or again after a restart."""
        venue = self.world.venue
        before = dict(venue.accounts)
        match deed:
            case Submit():
                return self._land(VersionedTransaction.from_bytes(deed.data))
            case Row():
                return self._land_batches(venue.apply_row(deed.row), before)
            case Keepers():
                return self._land_batches(venue.run_keepers(), before)
            case PayFunding():
                return self._land_batches(venue.pay_funding(deed.symbol, deed.rate_e9), before)
            case Fund():
                self.world.fund(Pubkey.from_string(deed.wallet), deed.lamports, deed.quote_e6)
                return []

    def _land(self, transaction: VersionedTransaction) -> list[Landed]:
        loaded = execution.load(transaction, dict(self.view.tables))
        fee = execution.fee_lamports(transaction)
        self.world.add_lamports(loaded.fee_payer, -fee)
        slot = self.chain.landing_slot(self.now_ns)
        landed = self._record(loaded, execution.run(loaded, self.world), fee, slot)
        # What it placed may be a taker's, which keepers fill at once.
        before = dict(self.world.venue.accounts)
        return [landed, *self._land_batches(self.world.venue.run_keepers(), before)]

    def _land_batches(self, batches: Sequence[FillBatch], before: dict[str, Account]) -> list[Landed]:
        slot = self.chain.landing_slot(self.now_ns)
        return [self._land_batch(batch, before[batch.account], slot) for batch in batches]

    def _land_batch(self, batch: FillBatch, before: Account, slot: int) -> Landed:
        user = Pubkey.from_string(batch.account)
        authority = self.world.users[user].authority
        happened = Happened(self.world.venue, user, authority, before, filler())
        blockhash, _ = self.chain.blockhash(self.now_ns)
        transaction = keeper_transaction(user, authority, batch.records, blockhash)
        logs = program_logs(lines(happened, batch.records))
        ran = Ran(None, execution.truncated(logs), 0)
        return self._record(execution.load(transaction, {}), ran, execution.LAMPORTS_PER_SIGNATURE, slot)

    def _record(self, loaded: Loaded, ran: Ran, fee_lamports: int, slot: int) -> Landed:
        landed = Landed(
            signature=loaded.signature,
            slot=slot,
            block_time_s=self.now_ns // NS_PER_S,
            data=bytes(loaded.transaction),
            keys=tuple(str(key) for key in loaded.keys),
            loaded_writable=loaded.loaded_writable,
            loaded_readonly=loaded.loaded_readonly,
            error=ran.error,
            logs=ran.logs,
            fee_lamports=fee_lamports,
            units=ran.units,
        )
        self.chain.land(landed)
        return landed

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
