"""The venue as execution knows it: Drift behind one endpoint, for several sub-accounts, in Gridkeeper's own terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import NamedTuple, Self

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.venue.records import Roll, SeenTransaction, Signed, VenueAccount
from gridkeeper_drift.agent_client import AnySigner
from gridkeeper_drift.codecs import addresses, instructions
from gridkeeper_drift.codecs.accounts import decode_account, market_spec, market_symbol, referrer_of, venue_account
from gridkeeper_drift.codecs.addresses import decode_lookup_table
from gridkeeper_drift.codecs.instructions import MarketAccounts, Trader
from gridkeeper_drift.codecs.oracles import OraclePrice
from gridkeeper_drift.endpoint import EndpointChange
from gridkeeper_drift.failure import RpcRefusedError, RpcUnreachableError
from gridkeeper_drift.hints import AccountHints
from gridkeeper_drift.patience import Patience
from gridkeeper_drift.poller import AccountPoller, Poll, WatchedAccount
from gridkeeper_drift.rpc import MAX_KEYS, RpcClient
from gridkeeper_drift.schedule import Priority
from gridkeeper_drift.sender import NO_PRIORITY_FEE, Outcome, PriorityFee, TransactionSender
from gridkeeper_drift.walker import LogWalker, Walk
from gridkeeper_drift.wallet_walker import WalletReading, WalletWalker

_STILL_ATTEMPTS = 20
_UNITS_BASE = 60_000
_UNITS_PER_PLACE = 20_000
_UNITS_PER_CANCEL = 6_000
_UNITS_PER_TAKE = 200_000
_UNITS_PER_SETTLE = 150_000
_UNITS_MAX = 1_400_000
"""Compute units, above those measured of the program: 28,000 for 1 order, 280,000 for 20, 95,000 to cancel 24."""


class Account(NamedTuple):
    """A sub-account we trade: whose it is, which one, and who signs (the authority or the sub-account's delegate)."""

    alias: str
    authority: Pubkey
    sub_account_id: int
    signer: AnySigner

    @property
    def trader(self) -> Trader:
        """The account as instructions name it."""
        return Trader(self.authority, self.sub_account_id, self.signer.public_key)


class MarketState(NamedTuple):
    """A market, the price of its oracle and how many slots old that is."""

    spec: MarketSpec
    price: OraclePrice
    age_slots: int


class DriftVenue:
    """One endpoint and the sub-accounts traded through it. To be used as an async context manager.

    Every method that asks the endpoint raises RpcUnreachableError where it is away: the answer is then unknown.
    """

    def __init__(
        self,
        rpc: RpcClient,
        accounts: Iterable[Account],
        *,
        market_indexes: Iterable[int] = (),
        priority_fee: PriorityFee = NO_PRIORITY_FEE,
        lookup_tables: Sequence[str] = (),
        ages_by_slot: bool = True,
    ) -> None:
        self._rpc = rpc
        self._stack = AsyncExitStack()
        self._accounts = {account.alias: account for account in accounts}
        watched = [WatchedAccount(a.alias, a.authority, a.sub_account_id, a.signer.public_key)
                   for a in self._accounts.values()]  # fmt: skip
        self._poller = AccountPoller(rpc, watched, market_indexes)
        self._sender = TransactionSender(rpc, priority_fee=priority_fee, ages_by_slot=ages_by_slot)
        self._sender.pays_for([str(account.trader.user) for account in self._accounts.values()])
        self._wallets = {key: WalletWalker(rpc, key) for key in {a.signer.public_key for a in self._accounts.values()}}
        self._walkers = {
            a.alias: LogWalker(rpc, a.trader.user, a.signer.public_key, self._wallets[a.signer.public_key].remember)
            for a in self._accounts.values()
        }
        self._indexes: dict[str, int] = {}
        self._table_keys = tuple(lookup_tables)
        self._tables: tuple[AddressLookupTableAccount, ...] = ()
        self._second = rpc.only("rpc2")
        self._changes: list[EndpointChange] = []
        for endpoint in rpc.endpoints:
            endpoint.on_change = self._changes.append
        # On a tape in lockstep nothing may depend on how long something took.
        self._patience = Patience() if ages_by_slot else None

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._rpc)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The sub-accounts by alias."""
        return self._accounts

    @property
    def rpc(self) -> RpcClient:
        """The client everything is asked through."""
        return self._rpc

    @property
    def has_second_endpoint(self) -> bool:
        """Whether another endpoint can be asked before a difference is believed."""
        return self._second is not None

    def hints(self, on_hint: Callable[[], None]) -> AccountHints:
        """Calls `on_hint` whenever the websocket says that one of the accounts changed; its `run` is for a task."""
        users = [str(account.trader.user) for account in self._accounts.values()]
        return AccountHints(self._rpc.url, users, on_hint)

    def endpoint_changes(self) -> list[EndpointChange]:
        """What the breakers of endpoints and of the venue did since this was last called."""
        changes = [*self._changes, *(self._patience.changes() if self._patience else ())]
        self._changes.clear()
        return changes

    async def second_opinion(self, alias: str) -> VenueAccount | None:
        """One sub-account as the second endpoint has it now; None where there is none, or it is away."""
        if self._second is None:
            return None
        account = self._accounts[alias]
        watched = WatchedAccount(alias, account.authority, account.sub_account_id, account.signer.public_key)
        with suppress(RpcUnreachableError, RpcRefusedError):
            found = await AccountPoller(self._second, [watched]).poll()
            return self.account_of(found, alias) if alias in found.users else None
        return None

    @property
    def sender(self) -> TransactionSender:
        """Signs and sends; `keep_ready` of it may be run as a task."""
        return self._sender

    async def poll(self) -> Poll:
        """One read of everything; `changed` names the accounts that must be walked."""
        found = await self._poller.poll()
        self._sender.note_slot(found.slot)
        return found

    async def read_accounts(self) -> dict[str, VenueAccount]:
        """Every sub-account that exists, by alias, all at one slot."""
        found = await self.poll()
        return {alias: self.account_of(found, alias) for alias in found.users}

    def account_of(self, found: Poll, alias: str) -> VenueAccount:
        """One sub-account of a poll. Raises ACCOUNT_UNKNOWN where the chain has none."""
        if alias not in found.users:
            raise GridkeeperError("ACCOUNT_UNKNOWN", field="account", value=alias)
        around = found.around[alias]
        return venue_account(
            alias,
            around.slot,
            found.users[alias],
            around.quote_market,
            around.markets,
            self._accounts[alias].signer.public_key,
            found.lamports[alias],
        )

    async def read_market(self, market: str | int, alias: str = "") -> MarketSpec:
        """A perp market by symbol or index, with the fees of `alias` there; it is polled from now on.

        Raises MARKET_UNKNOWN.
        """
        index = market if isinstance(market, int) else await self._index_of(market)
        self._poller.watch_market(index)
        found = await self.poll()
        if index not in found.markets:
            raise RpcUnreachableError("getMultipleAccounts", f"The endpoint does not show market {index} now.")
        return market_spec(found.markets[index].account, found.state, found.user_stats.get(alias))

    async def market_state(self, market: str | int, alias: str = "") -> MarketState:
        """A perp market as in `read_market`, with its oracle as read at the same slot."""
        spec = await self.read_market(market, alias)
        found = self._poller.last
        assert found is not None, "read_market polls"
        price = found.markets[spec.index].price
        return MarketState(spec, price, max(0, found.slot - price.slot))

    async def oracle(self, index: int) -> OraclePrice:
        """The price of a perp market's oracle now, with its slot and confidence."""
        self._poller.watch_market(index)
        return (await self.poll()).markets[index].price

    async def prepare(self, *, anew: bool = False) -> None:
        """Makes `sign` possible: a fresh blockhash, the lookup tables, and the accounts an instruction must name."""
        if self._poller.last is None:
            await self.poll()
        if self._table_keys and not self._tables:
            read = await self._rpc.multiple_accounts(self._table_keys)
            self._tables = tuple(
                decode_lookup_table(Pubkey.from_string(key), account.data)
                for key, account in zip(self._table_keys, read.accounts, strict=True)
                if account is not None
            )
        await self._sender.prepare(anew=anew)

    def sign(self, roll: Roll) -> Signed:
        """What a roll says as one transaction, signed without asking the endpoint. `prepare` comes first.

        Raises CannotSignError, TransactionTooLargeError, MARKET_UNKNOWN for a market that is not polled.
        """
        account = self._accounts[roll.alias]
        if self._patience is not None and roll.places:
            self._patience.check(roll.alias)
        parts, units = self._instructions(account.trader, roll)
        return self._sender.sign(account.signer, parts, compute_units=units, lookup_tables=self._tables)

    def _instructions(self, trader: Trader, roll: Roll) -> tuple[list[Instruction], int]:
        """The instructions and the compute units they are given."""
        named = [*roll.settle_markets, *(place.market_index for place in roll.places)]
        markets, quote_oracle = self.named_accounts(roll.alias, named)
        parts = [instructions.settle_pnl(trader, index, markets, quote_oracle) for index in roll.settle_markets]
        if roll.cancel_order_ids:
            parts.append(instructions.cancel_orders_by_ids(trader, roll.cancel_order_ids, markets, quote_oracle))
        taking = [place for place in roll.places if place.immediate_or_cancel]
        resting = [place for place in roll.places if not place.immediate_or_cancel]
        referrer = self.referrer(roll.alias)
        parts += [instructions.place_and_take(trader, place, markets, quote_oracle, referrer) for place in taking]
        if resting:
            parts.append(instructions.place_orders(trader, resting, markets, quote_oracle))
        units = _UNITS_BASE + _UNITS_PER_PLACE * len(resting) + _UNITS_PER_CANCEL * len(roll.cancel_order_ids)
        units += _UNITS_PER_TAKE * len(taking) + _UNITS_PER_SETTLE * len(roll.settle_markets)
        return parts, min(_UNITS_MAX, units)

    def referrer(self, alias: str) -> Pubkey | None:
        """The authority that referred the account's, as read last."""
        return referrer_of(self._poller.last.user_stats.get(alias) if self._poller.last is not None else None)

    async def send(self, signed: Signed, *, places: bool = True) -> None:
        """Sends the bytes once more; what only cancels goes before what places."""
        await self._sender.send(signed, Priority.PLACE if places else Priority.CANCEL)

    async def outcome(self, signature: str, last_valid_block_height: int) -> Outcome:
        """What is proven of a transaction now: Landed, Gone or StillUnknown."""
        return await self._sender.outcome(signature, last_valid_block_height)

    async def outcomes(self, flights: Mapping[str, int]) -> dict[str, Outcome]:
        """As `outcome`, of several at once: signature -> last valid block height."""
        return await self._sender.outcomes(flights)

    async def walk(self, alias: str, cursor: str) -> Walk:
        """The account's transactions after `cursor` ("" for all), oldest first, and the new cursor."""
        self._poller.walked(alias)
        try:
            walk = await self._walkers[alias].walk(cursor)
        except BaseException:
            self._poller.not_walked(alias)
            raise
        if self._patience is not None:
            self._patience.take(alias, walk.transactions)
        return walk

    def wallets(self) -> dict[str, tuple[str, ...]]:
        """Every signer, base58, with the accounts that it signs for: two accounts may share one."""
        signs = [(str(account.signer.public_key), alias) for alias, account in sorted(self._accounts.items())]
        return {wallet: tuple(alias for key, alias in signs if key == wallet) for wallet, _ in signs}

    async def read_wallet(self, signer: str, cursor: str | None, held_lamports: int = 0) -> WalletReading:
        """What happened to a signer's SOL after `cursor`, where it held so much; None: only where it stands now."""
        walker = self._wallets[Pubkey.from_string(signer)]
        return await (walker.first() if cursor is None else walker.read(cursor, held_lamports))

    def remember(self, alias: str, signatures: Mapping[str, int]) -> None:
        """Transactions an earlier life was told of, with their slots; those that are gone will be told as vanished."""
        self._walkers[alias].remember(signatures)

    def waits_for_finality(self, alias: str) -> bool:
        """Whether a walk told of something that is not finalized yet: it must be walked again without a change."""
        return self._walkers[alias].waits_for_finality

    async def read_with_walk(self, alias: str, cursor: str) -> tuple[VenueAccount, Walk]:
        """The account, and a walk that holds every transaction up to it: it did not change while it was walked.

        Raises ACCOUNT_UNKNOWN, and RpcUnreachableError where the account never holds still.
        """
        transactions: list[SeenTransaction] = []
        vanished: list[str] = []
        before = await self.poll()
        for _ in range(_STILL_ATTEMPTS):
            walk = await self.walk(alias, cursor)
            transactions += walk.transactions
            vanished += walk.vanished
            cursor = walk.cursor
            after = await self.poll()
            if after.users.get(alias) == before.users.get(alias):
                whole = walk._replace(transactions=tuple(transactions), vanished=tuple(vanished))
                return self.account_of(after, alias), whole
            before = after
        raise RpcUnreachableError("getMultipleAccounts", f"The account changed {_STILL_ATTEMPTS} times while walked.")

    async def chain_time_s(self) -> int:
        """The chain's clock at the newest confirmed slot, in seconds."""
        return await self._rpc.block_time_s(await self._rpc.slot("confirmed"))

    async def _index_of(self, symbol: str) -> int:
        if symbol not in self._indexes:
            found = await self.poll()
            count = found.state["number_of_markets"]
            for first in range(0, count, MAX_KEYS):
                keys = [str(addresses.perp_market_address(i)) for i in range(first, min(count, first + MAX_KEYS))]
                read = await self._rpc.multiple_accounts(keys)
                markets = [decode_account("PerpMarket", item.data) for item in read.accounts if item is not None]
                self._indexes |= {market_symbol(market): market["market_index"] for market in markets}
        if symbol not in self._indexes:
            raise GridkeeperError(
                "MARKET_UNKNOWN", field="market", value=symbol, expected=", ".join(sorted(self._indexes))
            )
        return self._indexes[symbol]

    def named_accounts(self, alias: str, also: Iterable[int] = ()) -> tuple[list[MarketAccounts], Pubkey]:
        """The markets of everything the account holds, which its margin is checked with, and of these indexes.

        And the oracle of the quote asset. Raises MARKET_UNKNOWN for a market that is not polled; `poll` comes first.
        """
        found = self._poller.last
        assert found is not None, "poll() or prepare() comes before this"
        user = found.users.get(alias)
        held = [slot.market_index for slot in user.perp_positions if not slot.is_empty] if user else []
        indexes = dict.fromkeys([*held, *also])
        for index in indexes:
            if index not in found.markets:
                raise GridkeeperError("MARKET_UNKNOWN", field="market_index", value=index)
        markets = [MarketAccounts(index, found.markets[index].account["amm"]["oracle"]) for index in indexes]
        return markets, found.quote_market["oracle"]
