"""Realised PnL per trade by weighted average, FIFO, LIFO or HIFO: four projections over the same trades.

Where a lot or a trade is split, the parts are rounded towards zero and the rest stays: with the lot while some of it is
left, with the last part of the trade. So nothing is lost or made, and all methods agree on the total once flat.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from fractions import Fraction
from typing import Literal, Protocol

import msgspec

from gridkeeper_core.events import Side
from gridkeeper_core.ledger.position import LedgerPosition
from gridkeeper_core.units import E9, div_trunc
from gridkeeper_core.venue.chain_position import apply_fill

Method = Literal["wac", "fifo", "lifo", "hifo"]
METHODS: tuple[Method, ...] = ("wac", "fifo", "lifo", "hifo")


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """A trade: base 1e-9 (above zero), quote 1e-6 (not negative), a fee only where `quote_e6` includes it."""

    side: Side
    base_e9: int
    quote_e6: int


class BasisRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a trade realised and what is held after it. `cost_e6` is what the position cost (short: was sold for)."""

    realized_pnl_e6: int
    position_e9: int
    cost_e6: int
    average_price_e6: int | None


def basis_rows(method: Method, trades: Iterable[Trade]) -> list[BasisRow]:
    """One row per trade, in the order given.

    HIFO closes the lot that leaves the least profit first: the dearest of a long position, the cheapest of a short one.
    Among equals the oldest goes first.
    """
    book = basis_book(method)
    return [book.take(trade) for trade in trades]


class BasisBook(Protocol):
    """One position's trades, taken one after another."""

    def take(self, trade: Trade) -> BasisRow:
        """What the next trade realised."""


def basis_book(method: Method) -> BasisBook:
    """An empty book; its memory grows with the open lots alone."""
    return _AverageBook() if method == "wac" else _LotBook(method)


class _AverageBook:
    """The weighted average, by the chain's own rule."""

    def __init__(self) -> None:
        self._position = LedgerPosition()

    def take(self, trade: Trade) -> BasisRow:
        self._position, realized = apply_fill(self._position, *_signed(trade))
        return _row(realized, self._position.base_e9, self._position.quote_entry_e6)


class _Lot(msgspec.Struct, order=True):
    """An open lot; only `rank` and `serial` order lots. Base and quote are signed: a bought lot has negative quote."""

    rank: Fraction | int
    serial: int
    base_e9: int
    quote_e6: int


class _LotBook:
    """Lots in a heap, the next one to close on top; all lots of a book have the same sign."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self._lots: list[_Lot] = []
        self._serial = 0
        self._base_e9 = 0
        self._quote_e6 = 0

    def take(self, trade: Trade) -> BasisRow:
        base, quote = _signed(trade)
        realized = 0
        while base and self._lots and (self._lots[0].base_e9 > 0) != (base > 0):
            lot = self._lots[0]
            size = min(abs(base), abs(lot.base_e9))
            lot_quote = div_trunc(lot.quote_e6 * size, abs(lot.base_e9))
            trade_quote = div_trunc(quote * size, abs(base))
            realized += lot_quote + trade_quote
            self._reduce(lot, size, lot_quote)
            base, quote = base - size if base > 0 else base + size, quote - trade_quote
        if base:
            self._add(base, quote)
        return _row(realized, self._base_e9, self._quote_e6)

    def _reduce(self, lot: _Lot, size_e9: int, quote_e6: int) -> None:
        change = -size_e9 if lot.base_e9 > 0 else size_e9
        lot.base_e9 += change
        lot.quote_e6 -= quote_e6
        self._base_e9 += change
        self._quote_e6 -= quote_e6
        if lot.base_e9 == 0:
            heapq.heappop(self._lots)

    def _add(self, base_e9: int, quote_e6: int) -> None:
        self._serial += 1
        heapq.heappush(self._lots, _Lot(self._rank(base_e9, quote_e6), self._serial, base_e9, quote_e6))
        self._base_e9 += base_e9
        self._quote_e6 += quote_e6

    def _rank(self, base_e9: int, quote_e6: int) -> Fraction | int:
        match self._method:
            case "fifo":
                return 0
            case "lifo":
                return -self._serial
            case _:
                # Bought: quote is negative, so the dearest lot has the lowest rank. Sold: the cheapest has.
                return Fraction(quote_e6, abs(base_e9))


def _signed(trade: Trade) -> tuple[int, int]:
    return (trade.base_e9, -trade.quote_e6) if trade.side == "buy" else (-trade.base_e9, trade.quote_e6)


def _row(realized_e6: int, base_e9: int, quote_e6: int) -> BasisRow:
    return BasisRow(
        realized_pnl_e6=realized_e6,
        position_e9=base_e9,
        cost_e6=abs(quote_e6),
        average_price_e6=div_trunc(-quote_e6 * E9, base_e9) if base_e9 else None,
    )
