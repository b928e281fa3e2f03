"""Everything the ledger knows: the books of grids and accounts, when each grid was last marked, the newest prices."""

from __future__ import annotations

import msgspec

from gridkeeper_core.ledger.account import AccountBooks
from gridkeeper_core.ledger.books import GridBooks, Sums
from gridkeeper_core.units import NS_PER_S

MARK_EVERY_NS = 300 * NS_PER_S


class MarkClock:
    """When a grid is to be marked: some time after the last mark, once price or books have changed.

    `price_e6` is the price of the last mark.
    """

    def __init__(self, opened_ns: int) -> None:
        self._last_ns = opened_ns
        self._books_changed = False
        self.price_e6: int | None = None
        self.due_ns: int | None = None

    def books_changed(self, now_ns: int) -> None:
        """A booking makes a mark due."""
        self._books_changed = True
        self._set_due(now_ns)

    def price_changed(self, price_e6: int, now_ns: int) -> None:
        """A price other than that of the last mark makes a mark due; the first price at all never one in the past."""
        if price_e6 != self.price_e6:
            self._set_due(now_ns)
        elif not self._books_changed:
            self.due_ns = None
        if self.due_ns is not None:
            self.due_ns = max(self.due_ns, now_ns)

    def marked(self, price_e6: int, now_ns: int) -> None:
        """Fold a mark."""
        self._last_ns = now_ns
        self.price_e6 = price_e6
        self._books_changed = False
        self.due_ns = None

    def facts(self) -> tuple[int, int, bool]:
        """What of the clock is proven by a digest; the due time follows from it and from the clock."""
        return (self._last_ns, -1 if self.price_e6 is None else self.price_e6, self._books_changed)

    def _set_due(self, now_ns: int) -> None:
        if self.due_ns is None:
            self.due_ns = max(self._last_ns + MARK_EVERY_NS, now_ns)


class StoppedGrid(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a stopped grid: its market, the price of its last mark and its sums, without cells."""

    market: str
    price_e6: int
    sums: Sums


class LedgerState:
    """The ledger's whole state."""

    def __init__(self) -> None:
        self.grids: dict[str, GridBooks] = {}
        self.clocks: dict[str, MarkClock] = {}
        self.stopped: dict[str, StoppedGrid] = {}
        self.accounts: dict[str, AccountBooks] = {}
        self.prices_e6: dict[str, int] = {}
        # Which grid the funding and the liquidations of a market on an account belong to: the one that filled last.
        self.owners: dict[tuple[str, int], str] = {}

    def account(self, alias: str) -> AccountBooks:
        """The books of an account, begun when first asked for."""
        return self.accounts.setdefault(alias, AccountBooks())

    def price_of(self, grid_id: str) -> int | None:
        """The newest oracle price of an open grid's market."""
        return self.prices_e6.get(self.grids[grid_id].opening.market)

    def grids_of(self, market: str) -> list[str]:
        """The open grids of a market."""
        return [grid_id for grid_id, books in self.grids.items() if books.opening.market == market]
