"""Reads every account that matters in one call, so that all of it is of one slot, and tells what changed."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_drift.codecs import addresses
from gridkeeper_drift.codecs.accounts import PerpMarketRead, decode_account, oracle_price
from gridkeeper_drift.codecs.addresses import QUOTE_SPOT_MARKET
from gridkeeper_drift.codecs.user import User, decode_user
from gridkeeper_drift.rpc import MAX_KEYS, AccountData, RpcClient


class WatchedAccount(NamedTuple):
    """A sub-account to poll."""

    alias: str
    authority: Pubkey
    sub_account_id: int
    signer: Pubkey

    @property
    def user(self) -> Pubkey:
        """The User account."""
        return addresses.user_address(self.authority, self.sub_account_id)


class Surroundings(NamedTuple):
    """What an account was read together with, in one call and so at one slot."""

    slot: int
    quote_market: Mapping[str, Any]
    markets: Mapping[int, PerpMarketRead]


class Poll(NamedTuple):
    """All watched accounts at `slot`. `changed` are the aliases whose User account changed since they were walked.

    `users` and `user_stats` lack accounts that do not exist; `lamports` are the signers' balances. More accounts than
    one call can read come in several: `slot` is then the oldest of theirs, and `around` tells of each account what it
    was read with.
    """

    slot: int
    changed: frozenset[str]
    users: Mapping[str, User]
    user_stats: Mapping[str, Mapping[str, Any]]
    lamports: Mapping[str, int]
    quote_market: Mapping[str, Any]
    state: Mapping[str, Any]
    markets: Mapping[int, PerpMarketRead]
    around: Mapping[str, Surroundings]


class AccountPoller:
    """Polls some sub-accounts and the perp markets they need; a market a position is found in is added by itself.

    Raises BAD_VALUE where there are more markets than one call can read.
    """

    def __init__(self, rpc: RpcClient, watched: Iterable[WatchedAccount], market_indexes: Iterable[int] = ()) -> None:
        self._rpc = rpc
        self._watched = tuple(watched)
        self._markets = set(market_indexes)
        self._oracles: dict[int, Pubkey] = {}
        self._decoded: dict[tuple[str, str], tuple[bytes, dict[str, Any]]] = {}
        self._last: Poll | None = None
        self._changed: frozenset[str] = frozenset()

    @property
    def last(self) -> Poll | None:
        """The newest poll, None before the first."""
        return self._last

    def watch_market(self, index: int) -> None:
        """Includes a perp market in every poll from now on."""
        self._markets.add(index)

    async def poll(self) -> Poll:
        """Reads all at one slot. An answer older than the last one is asked for again (RpcUnreachableError if away).

        Raises MARKET_UNKNOWN where a watched market does not exist, and watches it no longer.
        """
        while True:
            read = await self._read()
            needed = {slot.market_index for user in read.users.values() for slot in user.perp_positions
                      if not slot.is_empty}  # fmt: skip
            oracles = {index: market.account["amm"]["oracle"] for index, market in read.markets.items()}
            if needed <= self._markets and oracles == self._oracles:
                break
            self._markets |= needed
            self._oracles = oracles
        if self._last is not None and read.slot < self._last.slot:
            # The endpoint is a pool and this node lags: what we know already is newer.
            return self._last._replace(changed=self._changed)
        self._changed |= self._differing(read.users)
        self._last = read._replace(changed=self._changed)
        return self._last

    def walked(self, alias: str) -> None:
        """Says that the account's transactions are being walked: only what changes from now on counts as changed."""
        self._changed -= {alias}

    def not_walked(self, alias: str) -> None:
        """Takes `walked` back: the walk could not be finished."""
        self._changed |= {alias}

    async def _read(self) -> Poll:
        parts = [await self._read_group(group) for group in self._groups()]
        newest = max(parts, key=lambda part: part.slot)
        return newest._replace(
            slot=min(part.slot for part in parts),
            users=dict(ChainMap(*(dict(part.users) for part in parts))),
            user_stats=dict(ChainMap(*(dict(part.user_stats) for part in parts))),
            lamports=dict(ChainMap(*(dict(part.lamports) for part in parts))),
            around=dict(ChainMap(*(dict(part.around) for part in parts))),
        )

    async def _read_group(self, group: Sequence[WatchedAccount]) -> Poll:
        keys = self._keys(group)
        answer = await self._rpc.multiple_accounts(keys)
        found = dict(zip(keys, answer.accounts, strict=True))
        quote_market = self._required(found, "SpotMarket", addresses.spot_market_address(QUOTE_SPOT_MARKET))
        markets = {index: self._market(found, index) for index in sorted(self._markets)}
        return Poll(
            slot=answer.slot,
            changed=frozenset(),
            users={
                account.alias: decode_user(data.data)
                for account in group
                if (data := found[str(account.user)]) is not None
            },
            user_stats=self._stats(group, found),
            lamports={account.alias: _lamports(found[str(account.signer)]) for account in group},
            quote_market=quote_market,
            state=self._required(found, "State", addresses.state_address()),
            markets=markets,
            around={account.alias: Surroundings(answer.slot, quote_market, markets) for account in group},
        )

    def _groups(self) -> list[Sequence[WatchedAccount]]:
        """The accounts, as many together as one call can read."""
        groups: list[list[WatchedAccount]] = [[]]
        for account in self._watched:
            if len(self._keys([*groups[-1], account])) > MAX_KEYS and groups[-1]:
                groups.append([])
            groups[-1].append(account)
        if any(len(self._keys(group)) > MAX_KEYS for group in groups):
            raise GridkeeperError(
                "BAD_VALUE", field="markets", value=len(self._markets), expected=f"at most {MAX_KEYS} keys in one call"
            )
        return list(groups)

    def _keys(self, group: Sequence[WatchedAccount]) -> list[str]:
        keys = [addresses.state_address(), addresses.spot_market_address(QUOTE_SPOT_MARKET)]
        for account in group:
            keys += [account.user, account.signer, addresses.user_stats_address(account.authority)]
        keys += [addresses.perp_market_address(index) for index in sorted(self._markets)]
        keys += [oracle for oracle in self._oracles.values() if oracle != Pubkey.default()]
        return list(dict.fromkeys(str(key) for key in keys))

    def _differing(self, users: Mapping[str, User]) -> frozenset[str]:
        # A decoded User holds every byte of its account, so it differs exactly where the bytes do.
        before = self._last.users if self._last is not None else {}
        return frozenset(a.alias for a in self._watched if before.get(a.alias) != users.get(a.alias))

    def _stats(
        self, group: Sequence[WatchedAccount], found: Mapping[str, AccountData | None]
    ) -> dict[str, Mapping[str, Any]]:
        keys = {account.alias: addresses.user_stats_address(account.authority) for account in group}
        return {
            alias: self._required(found, "UserStats", key) for alias, key in keys.items() if found[str(key)] is not None
        }

    def _market(self, found: Mapping[str, AccountData | None], index: int) -> PerpMarketRead:
        address = addresses.perp_market_address(index)
        if found.get(str(address)) is None:
            self._markets.discard(index)
            raise GridkeeperError("MARKET_UNKNOWN", field="market_index", value=index)
        market = self._required(found, "PerpMarket", address)
        oracle = found.get(str(market["amm"]["oracle"]))
        return PerpMarketRead(market, oracle_price(market, None if oracle is None else oracle.data))

    def _required(self, found: Mapping[str, AccountData | None], name: str, address: Pubkey) -> dict[str, Any]:
        """An account of the program, decoded again only when its bytes changed."""
        read = found[str(address)]
        if read is None:
            raise GridkeeperError(
                "RPC_FAILED", field=name, value=address, detail="The endpoint's cluster has no such Drift account."
            )
        kept = self._decoded.get((name, str(address)))
        if kept is not None and kept[0] == read.data:
            return kept[1]
        value = decode_account(name, read.data)
        self._decoded[name, str(address)] = (read.data, value)
        return value


def _lamports(account: AccountData | None) -> int:
    return 0 if account is None else account.lamports
