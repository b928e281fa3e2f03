"""Cost basis of fills from anywhere: rows of text in, realised PnL and running position per row out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, DecimalException
from typing import Literal

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import Side
from gridkeeper_core.ledger.cost_basis import BasisBook, BasisRow, Method, Trade, basis_book
from gridkeeper_core.times import parse_time_ns
from gridkeeper_core.units import E6, E9

Column = Literal["time", "market", "side", "price", "size", "quote", "fee"]
COLUMNS: tuple[Column, ...] = ("time", "market", "side", "price", "size", "quote", "fee")
"""What a fill can state. Side and size are needed, and a price or a quote amount."""
Fees = Literal["apart", "in-cost"]
FEES: tuple[Fees, ...] = ("apart", "in-cost")

_SIDES: Mapping[str, Side] = {
    **dict.fromkeys(("buy", "b", "bid", "bought", "1", "+1"), "buy"),
    **dict.fromkeys(("sell", "s", "ask", "sold", "-1"), "sell"),
}
_EXACT = Context(prec=80)
_AMOUNT_MAX = Decimal(10**15)


class ForeignFill(msgspec.Struct, frozen=True, kw_only=True):
    """A fill somebody else recorded. `line` is its place in the file; `fee_e6` was paid (negative: a rebate)."""

    line: int
    ts_ns: int
    market: str
    side: Side
    size_e9: int
    quote_e6: int
    fee_e6: int


class FillRow(msgspec.Struct, frozen=True, kw_only=True):
    """A fill and what it did to its market's position."""

    fill: ForeignFill
    basis: BasisRow


class MarketTotal(msgspec.Struct, frozen=True, kw_only=True):
    """One market after its last fill; fees are not inside `realized_pnl_e6` unless they were asked into the cost."""

    market: str
    fills: int
    realized_pnl_e6: int
    fees_e6: int
    position_e9: int
    cost_e6: int
    average_price_e6: int | None


def read_fill(cells: Mapping[Column, str], line: int) -> ForeignFill:
    """A fill from the text of its cells.

    Sizes are rounded half-even to 1e-9, quote amounts (price x size, in full precision) and fees to 1e-6. Raises
    GridkeeperError BAD_DATA, naming line and column.
    """
    size = _amount(cells, "size", line)
    if size <= 0:
        raise _bad("size", cells["size"], line, "a size above zero; the side says its direction")
    side = _SIDES.get(cells["side"].strip().lower())
    if side is None:
        raise _bad("side", cells["side"], line, "buy, sell, 1 or -1")
    quote = _amount(cells, "quote", line) if cells.get("quote", "").strip() else _amount(cells, "price", line) * size
    size_e9 = _rounded(size, E9)
    if size_e9 == 0:
        raise _bad("size", cells["size"], line, "at least 0.000000001")
    return ForeignFill(
        line=line,
        ts_ns=_time_ns(cells.get("time", ""), line),
        market=cells.get("market", "").strip(),
        side=side,
        size_e9=size_e9,
        quote_e6=abs(_rounded(quote, E6)),
        fee_e6=_rounded(_amount(cells, "fee", line), E6) if cells.get("fee", "").strip() else 0,
    )


def in_time_order(fills: list[ForeignFill]) -> list[ForeignFill]:
    """Oldest first. Exports that begin with the newest are turned round, so that equal times keep their order."""
    newest_first = len(fills) > 1 and fills[0].ts_ns > fills[-1].ts_ns
    return sorted(reversed(fills) if newest_first else fills, key=lambda fill: fill.ts_ns)


def fill_rows(method: Method, fills: Iterable[ForeignFill], fees: Fees = "apart") -> list[FillRow]:
    """One row per fill, in the order given; each market is a position of its own."""
    books: dict[str, BasisBook] = {}
    rows = []
    for fill in fills:
        book = books.setdefault(fill.market, basis_book(method))
        rows.append(FillRow(fill=fill, basis=book.take(_trade(fill, fees))))
    return rows


def market_totals(rows: Iterable[FillRow]) -> tuple[MarketTotal, ...]:
    """Each market's sums, by name."""
    by_market: dict[str, list[FillRow]] = {}
    for row in rows:
        by_market.setdefault(row.fill.market, []).append(row)
    return tuple(
        MarketTotal(
            market=market,
            fills=len(of),
            realized_pnl_e6=sum(row.basis.realized_pnl_e6 for row in of),
            fees_e6=sum(row.fill.fee_e6 for row in of),
            position_e9=of[-1].basis.position_e9,
            cost_e6=of[-1].basis.cost_e6,
            average_price_e6=of[-1].basis.average_price_e6,
        )
        for market, of in sorted(by_market.items())
    )


def _trade(fill: ForeignFill, fees: Fees) -> Trade:
    paid = fill.fee_e6 if fees == "in-cost" else 0
    quote = fill.quote_e6 + paid if fill.side == "buy" else fill.quote_e6 - paid
    return Trade(side=fill.side, base_e9=fill.size_e9, quote_e6=quote)


def _time_ns(text: str, line: int) -> int:
    if not text.strip():
        return 0
    try:
        return parse_time_ns(text, "time")
    except GridkeeperError as error:
        raise _bad("time", text, line, error.expected) from error


def _amount(cells: Mapping[Column, str], column: Column, line: int) -> Decimal:
    text = cells.get(column, "")
    try:
        amount = Decimal(text.strip().replace(",", "")) if text.isascii() and "_" not in text else None
    except DecimalException:
        amount = None
    if amount is None or not amount.is_finite() or abs(amount) > _AMOUNT_MAX:
        raise _bad(column, text, line, "a decimal number")
    return amount


def _rounded(amount: Decimal, scale: int) -> int:
    scaled = _EXACT.multiply(amount, Decimal(scale))
    return int(scaled.to_integral_value(rounding=ROUND_HALF_EVEN, context=_EXACT))


def _bad(column: str, value: str, line: int, expected: str) -> GridkeeperError:
    return GridkeeperError("BAD_DATA", field=f"line {line}, {column}", value=value[:80], expected=expected)
