"""Everything the ledger knows: the books of grids and accounts, when each grid was last marked, the newest prices."""

from __future__ import annotations

import msgspec

from gridkeeper_core.ledger.account import AccountBooks
from gridkeeper_core.ledger.books import GridBooks, Sums
from gridkeeper_core.ledger.performance import Performance
from gridkeeper_core.ledger.wallet_books import WalletBooks
from gridkeeper_core.units import NS_PER_S

MARK_EVERY_NS = 300 * NS_PER_S


class MarkClock:
    """When a grid is looked at for a mark: at every full five minutes (UTC), whatever prices came in between.

    A moment that hung on the first change of the price would depend on which prices of a burst were passed over.
    `price_e6` is the price of the last mark.
    """

    def __init__(self, opened_ns: int) -> None:
        self._looked_ns = opened_ns
        self._books_changed = False
        self.price_e6: int | None = None

    @property
    def looked_ns(self) -> int:
        """When it was looked at last."""
        return self._looked_ns

    @property
    def due_ns(self) -> int:
        """The next moment to look."""
        return (self._looked_ns // MARK_EVERY_NS + 1) * MARK_EVERY_NS

    def looked(self, now_ns: int) -> None:
        """It was looked at, whether or not there was anything to mark."""
        self._looked_ns = max(self._looked_ns, now_ns)

    def has_news(self, price_e6: int) -> bool:
        """Whether books or price changed since the last mark."""
        return self._books_changed or price_e6 != self.price_e6

    def books_changed(self) -> None:
        """Something was booked."""
        self._books_changed = True

    def marked(self, price_e6: int, now_ns: int) -> None:
        """Fold a mark."""
        self.looked(now_ns)
        self.price_e6 = price_e6
        self._books_changed = False

    def facts(self) -> tuple[int, bool]:
        """What of the clock is proven by a digest; when to look follows from the time alone."""
        return (-1 if self.price_e6 is None else self.price_e6, self._books_changed)


class StoppedGrid(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a stopped grid: its market, the price of its last mark and its sums, without cells."""

    market: str
    price_e6: int
    sums: Sums
    closed_ns: int = 0


class LedgerState:
    """The ledger's whole state."""

    def __init__(self) -> None:
        self.grids: dict[str, GridBooks] = {}
        self.clocks: dict[str, MarkClock] = {}
        self.stopped: dict[str, StoppedGrid] = {}
        self.performance: dict[str, Performance] = {}
        self.accounts: dict[str, AccountBooks] = {}
        self.wallets: dict[str, WalletBooks] = {}
        self.prices_e6: dict[str, int] = {}
        # Which grid the funding and the liquidations of a market on an account belong to: the one that filled last,
        # or the one that took the position over.
        self.owners: dict[tuple[str, int], str] = {}

    def account(self, alias: str) -> AccountBooks:
        """The books of an account, begun when first asked for."""
        return self.accounts.setdefault(alias, AccountBooks())

    def wallet(self, key: str) -> WalletBooks:
        """The books of a wallet, which may not be open yet."""
        return self.wallets.get(key, WalletBooks())

    def price_of(self, grid_id: str) -> int | None:
        """The newest oracle price of an open grid's market."""
        return self.prices_e6.get(self.grids[grid_id].opening.market)
