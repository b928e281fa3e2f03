"""A grid's result at a price, and the way from its grid profit to its total PnL in lines that add up exactly."""

from __future__ import annotations

import msgspec

from gridkeeper_core.ledger.books import GridBooks, Sums, position_at_start, really_held_e9
from gridkeeper_core.ledger.position import average_entry_e6, break_even_e6, value_e6


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the grid earned, valued at `price_e6`. Fees are what was paid (negative: rebates).

    `total_pnl_e6 == realized_pnl_e6 + unrealized_pnl_e6 - fees_e6 + funding_e6`, exactly.
    """

    price_e6: int
    position_e9: int
    average_entry_e6: int | None
    break_even_e6: int | None
    grid_profit_e6: int
    realized_pnl_e6: int
    unrealized_pnl_e6: int
    fees_e6: int
    funding_e6: int
    total_pnl_e6: int
    fills: int
    turns: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why total PnL is not grid profit."""

    name: str
    quote_e6: int


def result_at(sums: Sums, price_e6: int) -> Result:
    """The result at one oracle price."""
    position = sums.position
    value = value_e6(position.base_e9, price_e6)
    return Result(
        price_e6=price_e6,
        position_e9=position.base_e9,
        average_entry_e6=average_entry_e6(position),
        break_even_e6=break_even_e6(position),
        grid_profit_e6=sums.grid_quote_e6,
        realized_pnl_e6=sums.realized_e6,
        unrealized_pnl_e6=value + position.quote_entry_e6,
        fees_e6=sums.fees_e6,
        funding_e6=sums.funding_e6,
        total_pnl_e6=value + position.quote_asset_e6,
        fills=sums.fills,
        turns=sums.turns,
    )


def lines_at(books: GridBooks, price_e6: int) -> tuple[Line, ...]:
    """Grid profit first, then what has to be added to it; the sum of all lines is the total PnL.

    Each line is a difference of two values rounded alike, so the roundings cancel out over the lines.
    """
    sums, opening = books.sums, books.opening
    held = sum(cell.held_e9 for cell in sums.cells.values())
    held_quote = sum(cell.quote_e6 for cell in sums.cells.values())
    seeds = sum(value_e6(part, opening.start_price_e6) for part in really_held_e9(opening))
    seeds -= sums.seeded_quote_e6
    start_quote = position_at_start(opening).quote_asset_e6
    held_value = value_e6(held, price_e6)
    with_other = value_e6(held + sums.other_base_e9, price_e6)
    whole = value_e6(sums.position.base_e9, price_e6)
    at_start = whole - with_other + seeds + start_quote
    return (
        Line(name="grid profit", quote_e6=sums.grid_quote_e6),
        Line(name="held in cells, against its cost", quote_e6=held_value + held_quote),
        Line(name="fills outside of cells", quote_e6=with_other - held_value + sums.other_quote_e6),
        Line(name="position at the start, against what the cells held", quote_e6=at_start),
        Line(name="fees", quote_e6=-sums.fees_e6),
        Line(name="funding", quote_e6=sums.funding_e6),
    )
