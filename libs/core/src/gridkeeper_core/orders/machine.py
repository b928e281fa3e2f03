"""The execution service's pure part: routes inputs to accounts and keeps their states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.digest import digest_of
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import (
    AccountBooted,
    AccountRead,
    AdoptAccount,
    Command,
    EndpointMoved,
    EventSeen,
    HaltAccount,
    Input,
    MarketRead,
    PriceTick,
    RejectForeign,
    ResumeAccount,
    SettleAccount,
    TransactionGone,
    TransactionSeen,
    TransactionVanished,
    Wake,
    WalletRead,
    cause_of,
)
from gridkeeper_core.machine import Draft
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.names import split_stream, stream
from gridkeeper_core.orders import account, chain, decide, foreign, guards, settlement
from gridkeeper_core.orders.decide import AccountDecision, Signer
from gridkeeper_core.orders.evolve import evolve
from gridkeeper_core.orders.lifecycle import Attempt
from gridkeeper_core.orders.plan import Markets
from gridkeeper_core.orders.reading import account_read
from gridkeeper_core.orders.restating import RESTATED, KnownPrices, input_fact
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.orders.state import AccountState
from gridkeeper_core.orders.wallet import WalletState, fold_wallet, wallet_digest, wallet_read
from gridkeeper_core.record import Recorded
from gridkeeper_core.venue.records import Roll, Signed

_TX_FACTS = (
    e.TransactionSigned,
    e.TransactionLanded,
    e.TransactionFailed,
    e.TransactionExpired,
    e.TransactionReverted,
    *RESTATED,
)
_WALLET_FACTS = (e.SolLow, e.SolEnough)
_ELSEWHERE = frozenset((*_TX_FACTS, *_WALLET_FACTS))


class ExecutionMachine:
    """All accounts of one shard. See `gridkeeper_core.machine.Machine`.

    `sign` turns a roll into signed bytes, see `Signer`. `rules` are the settings of each account. Without `restates`
    no input is restated: a backtest, which nobody decides again from its log, does without.
    """

    def __init__(self, sign: Signer, rules: Mapping[str, AccountRules] | None = None, *, restates: bool = True) -> None:
        self._sign = sign
        self._restates = restates
        self._rules = dict(rules or {})
        self._accounts: dict[str, AccountState] = {}
        self._wallets: dict[str, WalletState] = {}
        self._specs: dict[str, MarketSpec] = {}
        self._prices = KnownPrices()
        self._booted: set[str] = set()
        self._lapses: dict[str, tuple[Mapping[str, Attempt], int | None]] = {}

    # ------------------------------------------------------------ Machine

    def accept(self, item: Input) -> list[Draft]:
        """Decide on one input; see `Machine.accept`."""
        match item:
            case PriceTick():
                return self._price(item)
            case EventSeen():
                return self._event(item)
            case TransactionSeen():
                return self._decide(item.alias, item, lambda d: chain.transaction_seen(d, item.transaction))
            case TransactionGone():
                return self._decide(
                    item.alias, item, lambda d: chain.transaction_gone(d, item.signature, item.block_height)
                )
            case TransactionVanished():
                return self._decide(item.alias, item, lambda d: chain.transaction_vanished(d, item.signature))
            case AccountBooted():
                self._accounts.setdefault(item.alias, AccountState(alias=item.alias))
                self._booted.add(item.alias)
                return self._decide(item.alias, item, lambda d: account.booted(d, self._rules.get(item.alias)))
            case AccountRead(account=read):
                rules = self._rules.get(read.alias, AccountRules())
                return self._decide(read.alias, item, lambda d: account_read(d, item, rules))
            case EndpointMoved():
                moved = e.EndpointChanged(endpoint=item.endpoint, state=item.state, detail=item.detail)
                return self._decide(item.alias, item, lambda d: d.add(moved))
            case MarketRead() | WalletRead():
                return self._market(item) if isinstance(item, MarketRead) else self._wallet(item)
            case Wake():
                return [draft for alias in self._accounts for draft in self._decide(alias, item, account.lapse)]
            case Command():
                return self._command(item)
            case _:
                return []

    def restore(self, event: Recorded) -> None:
        """Fold one stored event of an `account:`, `tx:` or `market:` stream."""
        kind, name = split_stream(event.stream)
        if kind == "market":
            self._specs[event.fact.spec.symbol] = event.fact.spec
        elif kind in ("account", "tx"):
            self._fold(name, event.fact, event.ts_ns)
        elif isinstance(event.fact, e.SolMoved | e.SolCounted):
            self._wallets[name] = fold_wallet(self.wallet(name), event.fact)
        elif kind == "wallet":
            self._fold(event.fact.account, event.fact, event.ts_ns)

    def replaying(self, alias: str, rules: AccountRules) -> None:
        """For a replay: the settings an account had, as the record tells them; it was taken care of."""
        self._rules[alias] = rules
        self._booted.add(alias)

    @property
    def prices(self) -> KnownPrices:
        """What is known of prices; a replay learns them from the record."""
        return self._prices

    def next_wake_ns(self) -> int | None:
        """When the first order's life is over. An account that was only restored has no deadlines before its boot."""
        lives = [self._lapse_ns(state) for state in self._live()]
        return min((at for at in lives if at is not None), default=None)

    def digests(self) -> dict[str, str]:
        """One digest per account, which covers its `tx:` stream as well, and one per wallet that was counted."""
        accounts = {stream("account", alias): _digest(state) for alias, state in self._accounts.items()}
        return accounts | {stream("wallet", key): wallet_digest(state) for key, state in self._wallets.items()}

    # ------------------------------------------------------------ views

    def accounts(self) -> Iterator[AccountState]:
        """All accounts."""
        yield from self._accounts.values()

    def account(self, alias: str) -> AccountState:
        """One account. Raises GridkeeperError ACCOUNT_UNKNOWN."""
        if alias not in self._accounts:
            raise GridkeeperError("ACCOUNT_UNKNOWN", field="account", value=alias)
        return self._accounts[alias]

    def wallet(self, signer: str) -> WalletState:
        """What was recorded of a signer's SOL, which may be nothing yet."""
        return self._wallets.get(signer, WalletState())

    def specs(self) -> dict[str, MarketSpec]:
        """The markets the venue was seen to have, by symbol."""
        return dict(self._specs)

    def newest_price_e6(self, market: str) -> int | None:
        """The newest oracle price of a market (1e-6), None where none is known."""
        price = self._prices.newest.get(market)
        return price.oracle_e6 if price is not None else None

    # ------------------------------------------------------------ inputs

    def _price(self, item: PriceTick) -> list[Draft]:
        """A price decides nothing here, except that what waits is tried again."""
        if not self._prices.is_news(item.price):
            return []
        waiting = [alias for alias, state in self._accounts.items() if state.has_work]
        return [draft for alias in waiting for draft in self._decide(alias, item, lambda _: None)]

    def _event(self, item: EventSeen) -> list[Draft]:
        fact = item.event.fact
        match fact:
            case e.PriceSeen():
                # The price a grid decided on may overtake the same price on its own way here.
                self._prices.overhear(fact.price)
                return []
            case e.OrdersWanted():
                # Of a shadow decision nothing is placed; what was live before it still has to go.
                sent = replace(fact, wanted=()) if fact.shadow else fact
                return self._decide(fact.account, item, lambda d: decide.wanted(d, sent))
            case e.GridProposed():
                grid_id = split_stream(item.event.stream)[1]
                if fact.config.account not in self._accounts:
                    unknown = e.GridRefused(grid_id=grid_id, code="ACCOUNT_UNKNOWN", detail=fact.config.account)
                    return self._drafts(fact.config.account, item, [unknown])
                return self._decide(fact.config.account, item, lambda d: account.reserve(d, grid_id, fact))
            case e.EditProposed():
                return self._reserved(item, lambda d, grid_id: account.grow(d, grid_id, fact))
            case e.SlotsNeeded():
                return self._reserved(item, lambda d, grid_id: account.shrink(d, grid_id, fact))
            case e.GridEdited():
                return self._reserved(item, lambda d, grid_id: account.edited(d, grid_id, fact))
            case e.GridStopped() | e.GridRejected():
                return self._reserved(item, _release)
            case _:
                return []

    def _reserved(self, item: EventSeen, act: Callable[[AccountDecision, str], None]) -> list[Draft]:
        """Decide for the account that keeps order slots for the grid of an event."""
        grid_id = split_stream(item.event.stream)[1]
        holders = [alias for alias, state in self._accounts.items() if grid_id in state.reservations]
        return [draft for alias in holders for draft in self._decide(alias, item, lambda d: act(d, grid_id))]

    def _market(self, item: MarketRead) -> list[Draft]:
        """What is new about a market, and what that means to the accounts that trade there."""
        spec = item.spec
        known = self._specs.get(spec.symbol)
        drafts: list[Draft] = []
        if known != spec:
            self._specs[spec.symbol] = spec
            fact: e.Fact = e.MarketSeen(spec=spec)
            if known is not None:
                changed = tuple(f for f in spec.__struct_fields__ if getattr(spec, f) != getattr(known, f))
                fact = e.MarketChanged(spec=spec, changed=changed)
            name = stream("market", f"{spec.venue}:{spec.index}")
            drafts.append(Draft(stream=name, ts_ns=item.now_ns, cause=cause_of(item), thread="", fact=fact))
        for alias, state in list(self._accounts.items()):
            if any(r.market == spec.symbol for r in state.reservations.values()):
                drafts += self._decide(alias, item, lambda d: guards.market_guards(d, item))
        return drafts

    def _wallet(self, item: WalletRead) -> list[Draft]:
        facts = wallet_read(self.wallet(item.signer), item)
        for fact in facts:
            self._wallets[item.signer] = fold_wallet(self.wallet(item.signer), fact)
        name, cause = stream("wallet", item.signer), cause_of(item)
        return [Draft(stream=name, ts_ns=item.now_ns, cause=cause, thread="", fact=fact) for fact in facts]

    def _command(self, item: Command) -> list[Draft]:
        alias = split_stream(item.target)[1]
        state = self.account(alias)
        who = (item.author, item.reason)
        match item.body:
            case HaltAccount():
                if state.halted:
                    return []
                halted = e.AccountHalted(author=item.author, reason=item.reason)
                return self._decide(alias, item, lambda d: d.add(halted))
            case ResumeAccount():
                if not state.halted:
                    return []
                resumed = e.AccountResumed(author=item.author, reason=item.reason)
                return self._decide(alias, item, lambda d: d.add(resumed))
            case SettleAccount(market=market):
                return self._decide(alias, item, lambda d: settlement.by_command(d, market, *who))
            case AdoptAccount():
                wanted = e.AdoptionWanted(author=item.author, reason=item.reason)
                return self._decide(alias, item, lambda d: d.add(wanted))
            case RejectForeign():
                return self._decide(alias, item, lambda d: foreign.reject(d, *who))
            case _:
                raise GridkeeperError("BAD_USAGE", field="command", value=type(item.body).__name__)

    # ------------------------------------------------------------ deciding and folding

    def _decide(self, alias: str, item: Input, act: Callable[[AccountDecision], None]) -> list[Draft]:
        # An account that is only remembered (it was taken out of the settings) must not act on its old state.
        sign = self._sign if alias in self._booted else _cannot_sign
        d = AccountDecision(self.account(alias), Markets(self._specs, self._prices.newest), sign, item.now_ns)
        act(d)
        decide.advance(d)
        self._accounts[alias] = d.state
        return self._drafts(alias, item, [*self._met(d, item), *d.facts] if d.facts and self._restates else d.facts)

    def _met(self, d: AccountDecision, item: Input) -> Iterator[e.Fact]:
        """What a decision was made on."""
        met = input_fact(item, self._rules.get(d.state.alias, AccountRules()))
        if met is not None:
            yield met
        yield from self._prices.untold(item, d.state, d.facts)

    def _drafts(self, alias: str, item: Input, facts: Sequence[e.Fact]) -> list[Draft]:
        if not facts:
            return []
        cause, key = cause_of(item), item.key if isinstance(item, Command) else ""
        is_chain, now_ns, name = isinstance(item, TransactionSeen), item.now_ns, stream("account", alias)
        return [
            Draft(
                stream=name if type(fact) not in _ELSEWHERE else _stream(alias, item, fact),
                ts_ns=now_ns,
                # Facts of one record name the record: `sig:<signature>:<index>`.
                cause=f"{cause}:{index}" if is_chain and (index := getattr(fact, "index", None)) is not None else cause,
                thread=getattr(fact, "intent_id", "") or key,
                fact=fact,
            )
            for fact in facts
        ]

    def _fold(self, alias: str, fact: e.Fact, ts_ns: int) -> None:
        if isinstance(fact, RESTATED):
            return
        state = self._accounts.get(alias)
        if state is None:
            if not isinstance(fact, e.AccountRecovering):
                return  # a refusal for an account that does not exist leaves no state
            state = AccountState(alias=alias)
        self._accounts[alias] = evolve(state, fact, ts_ns)  # type: ignore[arg-type]

    def _lapse_ns(self, state: AccountState) -> int | None:
        """When the account's first order's life is over; looked for again only when its orders changed."""
        known = self._lapses.get(state.alias)
        if known is None or known[0] is not state.attempts:
            lives = [at for a in state.attempts.values() if a.max_ts and (at := account.lapse_ns(a)) is not None]
            known = self._lapses[state.alias] = (state.attempts, min(lives, default=None))
        return known[1]

    def _live(self) -> Iterator[AccountState]:
        return (self._accounts[alias] for alias in self._booted if self._accounts[alias].phase == "live")


def _release(d: AccountDecision, grid_id: str) -> None:
    market = d.state.reservations[grid_id].market
    d.add(e.SlotsReleased(grid_id=grid_id))
    guards.release(d, market)


def _cannot_sign(_roll: Roll) -> Signed | None:
    return None


def _stream(alias: str, item: Input, fact: e.Fact) -> str:
    """Where a fact goes that is not of the account's own stream."""
    if isinstance(fact, _TX_FACTS):
        return stream("tx", alias)
    signer = item.account.signer if isinstance(item, AccountRead) else ""
    return stream("wallet", signer or alias)


def _digest(state: AccountState) -> str:
    """`digest_v1` of an account: phase, open attempts, what is in flight, reservations, positions, deposit."""
    return digest_of(
        1,
        {
            "phase": state.phase,
            "differs": state.differs,
            "halted": state.halted,
            "attempts": tuple(
                (a.intent_id, a.attempt, a.user_order_id, a.order_id or 0, a.side, a.price_e6, a.size_e9, a.filled_e9)
                for _, a in sorted(state.attempts.items())
            ),
            "queued": tuple(sorted(state.queued)),
            "in_flight": state.in_flight.signature if state.in_flight else "",
            "reservations": tuple((grid, r.slots, r.market) for grid, r in sorted(state.reservations.items())),
            "positions": tuple(
                (index, p.base_e9, p.quote_asset_e6, p.quote_entry_e6, p.quote_break_even_e6)
                for index, p in sorted(state.positions.items())
            ),
            "deposit_e6": state.deposit_e6,
            "cursor": state.cursor,
        },
    )
