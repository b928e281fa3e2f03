"""What accounts hold in lamports, for the balances before and after each transaction."""

from __future__ import annotations

from collections.abc import Iterable

from solders.pubkey import Pubkey

from gridkeeper_drift.codecs import addresses
from gridkeeper_sandbox.accounts_view import AccountsView
from gridkeeper_sandbox.program import USER_RENT_LAMPORTS, USER_STATS_RENT_LAMPORTS
from gridkeeper_sandbox.world import World


class Balances:
    """Cheaper than reading the accounts: what a transaction cannot change is read once."""

    def __init__(self, world: World, view: AccountsView) -> None:
        self._world = world
        self._view = view
        self._rents: dict[Pubkey, int] = {}

    def of(self, keys: Iterable[Pubkey]) -> list[int]:
        """Lamports of each account now, 0 where there is none."""
        stats = {addresses.user_stats_address(owner) for owner in self._world.created}
        return [self._lamports(key, stats) for key in keys]

    def _lamports(self, key: Pubkey, stats: set[Pubkey]) -> int:
        if key in self._world.lamports:
            return self._world.lamports[key]
        if key in self._world.users:
            return USER_RENT_LAMPORTS
        if key in stats:
            return USER_STATS_RENT_LAMPORTS
        if key not in self._rents:
            held = self._view.read(key)
            if held is None:
                return 0
            self._rents[key] = held.lamports
        return self._rents[key]
