"""The venue as execution knows it: Drift behind one endpoint, for several sub-accounts, in Gridkeeper's own terms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import NamedTuple, Self

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.venue.records import Roll, SeenTransaction, Signed, VenueAccount
from gridkeeper_drift.codecs import addresses, instructions
from gridkeeper_drift.codecs.accounts import OraclePrice, decode_account, market_spec, market_symbol, venue_account
from gridkeeper_drift.codecs.addresses import decode_lookup_table
from gridkeeper_drift.codecs.instructions import MarketAccounts, Trader
from gridkeeper_drift.failure import RpcUnreachableError
from gridkeeper_drift.keys import Signer
from gridkeeper_drift.poller import AccountPoller, Poll, WatchedAccount
from gridkeeper_drift.rpc import MAX_KEYS, RpcClient
from gridkeeper_drift.schedule import Priority
from gridkeeper_drift.sender import Gone, Landed, Outcome, TransactionSender
from gridkeeper_drift.walker import LogWalker, Walk

_STILL_ATTEMPTS = 20
_UNITS_BASE = 60_000
_UNITS_PER_PLACE = 20_000
_UNITS_PER_CANCEL = 6_000
_UNITS_MAX = 1_400_000
_UNITS_OF_SETTING_UP = 200_000
"""Compute units, above those measured of the program: 28,000 for 1 order, 280,000 for 20, 95,000 to cancel 24."""


class Account(NamedTuple):
    """A sub-account we trade: whose it is, which one, and who signs (the authority or the sub-account's delegate)."""

    alias: str
    authority: Pubkey
    sub_account_id: int
    signer: Signer

    @property
    def trader(self) -> Trader:
        """The account as instructions name it."""
        return Trader(self.authority, self.sub_account_id, self.signer.public_key)


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
        priority_fee_micro_lamports: int = 0,
        lookup_tables: Sequence[str] = (),
        ages_by_slot: bool = True,
    ) -> None:
        self._rpc = rpc
        self._stack = AsyncExitStack()
        self._accounts = {account.alias: account for account in accounts}
        watched = [WatchedAccount(a.alias, a.authority, a.sub_account_id, a.signer.public_key)
                   for a in self._accounts.values()]  # fmt: skip
        self._poller = AccountPoller(rpc, watched, market_indexes)
        self._sender = TransactionSender(
            rpc, priority_fee_micro_lamports=priority_fee_micro_lamports, ages_by_slot=ages_by_slot
        )
        self._walkers = {
            account.alias: LogWalker(rpc, account.trader.user, account.signer.public_key)
            for account in self._accounts.values()
        }
        self._indexes: dict[str, int] = {}
        self._table_keys = tuple(lookup_tables)
        self._tables: tuple[AddressLookupTableAccount, ...] = ()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._rpc)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

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
        return venue_account(
            alias,
            found.slot,
            found.users[alias],
            found.quote_market,
            found.markets,
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
        return market_spec(found.markets[index].account, found.state, found.user_stats.get(alias))

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
        """Cancels and places as one transaction, signed without asking anyone. `prepare` comes first.

        Raises BlockhashStaleError, TransactionTooLargeError, MARKET_UNKNOWN for a market that is not polled.
        """
        account = self._accounts[roll.alias]
        markets, quote_oracle = self._named_accounts(roll)
        parts: list[Instruction] = []
        if roll.cancel_order_ids:
            parts.append(
                instructions.cancel_orders_by_ids(account.trader, roll.cancel_order_ids, markets, quote_oracle)
            )
        if roll.places:
            parts.append(instructions.place_orders(account.trader, roll.places, markets, quote_oracle))
        units = _UNITS_BASE + _UNITS_PER_PLACE * len(roll.places) + _UNITS_PER_CANCEL * len(roll.cancel_order_ids)
        return self._sender.sign(
            account.signer, parts, compute_units=min(_UNITS_MAX, units), lookup_tables=self._tables
        )

    async def send(self, signed: Signed, *, places: bool = True) -> None:
        """Sends the bytes once more; what only cancels goes before what places."""
        await self._sender.send(signed, Priority.PLACE if places else Priority.CANCEL)

    async def outcome(self, signature: str, last_valid_block_height: int) -> Outcome:
        """What is proven of a transaction now: Landed, Gone or StillUnknown."""
        return await self._sender.outcome(signature, last_valid_block_height)

    async def walk(self, alias: str, cursor: str) -> Walk:
        """The account's transactions after `cursor` ("" for all), oldest first, and the new cursor."""
        self._poller.walked(alias)
        try:
            return await self._walkers[alias].walk(cursor)
        except BaseException:
            self._poller.not_walked(alias)
            raise

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

    async def set_up_account(self, alias: str, name: str, deposit_e6: int, *, token_account: str = "") -> Landed | Gone:
        """Creates the sub-account (and the authority's UserStats with its first one) and deposits; the owner signs.

        Raises BAD_VALUE where the account's signer is not its owner.
        `token_account` is where the deposit comes from, the owner's associated one by default.
        """
        found = await self.poll()
        account = self._accounts[alias]
        trader = account.trader
        parts: list[Instruction] = []
        if alias not in found.user_stats:
            parts.append(instructions.initialize_user_stats(account.authority))
        if alias not in found.users:
            parts.append(instructions.initialize_user(account.authority, account.sub_account_id, name))
        source = addresses.token_account_address(account.authority, found.quote_market["mint"])
        if token_account:
            source = Pubkey.from_string(token_account)
        if deposit_e6:
            parts.append(instructions.deposit(trader, deposit_e6, source, (), found.quote_market["oracle"]))
        return await self._owner_sends(account, parts)

    async def set_delegate(self, alias: str, delegate: str) -> Landed | Gone:
        """Lets `delegate` trade for the sub-account, but not withdraw from it; the owner signs."""
        account = self._accounts[alias]
        part = instructions.update_user_delegate(
            account.authority, account.sub_account_id, Pubkey.from_string(delegate)
        )
        return await self._owner_sends(account, [part])

    async def _owner_sends(self, account: Account, parts: Sequence[Instruction]) -> Landed | Gone:
        if account.signer.public_key != account.authority:
            raise GridkeeperError(
                "BAD_VALUE", field="signer", value=account.signer.public_key, expected=f"the owner {account.authority}"
            )
        await self._sender.prepare()
        signed = self._sender.sign(account.signer, parts, compute_units=_UNITS_OF_SETTING_UP)
        return await self._sender.deliver(signed)

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

    def _named_accounts(self, roll: Roll) -> tuple[list[MarketAccounts], Pubkey]:
        """The markets of the orders and of everything the account holds: the program checks its margin with them."""
        found = self._poller.last
        assert found is not None, "prepare() comes before sign()"
        user = found.users.get(roll.alias)
        held = [slot.market_index for slot in user.perp_positions if not slot.is_empty] if user else []
        indexes = dict.fromkeys([*held, *(place.market_index for place in roll.places)])
        for index in indexes:
            if index not in found.markets:
                raise GridkeeperError("MARKET_UNKNOWN", field="market_index", value=index)
        markets = [MarketAccounts(index, found.markets[index].account["amm"]["oracle"]) for index in indexes]
        return markets, found.quote_market["oracle"]
