"""Completed turns of one cell: what was bought in it matched with what was sold in it, first in, first out.

What a cell really holds when the grid starts counts as bought at the start price, without a fee; a cell that sells
before it ever bought opens a short lot, which its next buy closes. Splits are rounded towards zero and the rest stays
with the lot, or with the last part of the fill: the sums of all parts are those of the fills.
"""

from __future__ import annotations

import msgspec

from gridkeeper_core.events import Side
from gridkeeper_core.ledger.position import value_e6
from gridkeeper_core.units import div_trunc


class CellFill(msgspec.Struct, frozen=True, kw_only=True):
    """A fill of a cell's order: base, quote not negative; `fee_e6` paid (negative: a rebate)."""

    side: Side
    base_e9: int
    quote_e6: int
    fee_e6: int
    ts_ns: int


class Lot(msgspec.Struct, frozen=True):
    """An unmatched part, signed: bought (base > 0, quote < 0), or sold before it was bought (base < 0, quote > 0)."""

    base_e9: int
    quote_e6: int
    fee_e6: int
    opened_ns: int


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Matched parts that do not yet make up the whole size of the cell, or just did. Quote amounts not negative."""

    base_e9: int = 0
    buy_quote_e6: int = 0
    sell_quote_e6: int = 0
    fee_e6: int = 0
    opened_ns: int = 0

    @property
    def profit_e6(self) -> int:
        """What the turn earned after its fees."""
        return self.sell_quote_e6 - self.buy_quote_e6 - self.fee_e6


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell's lots, oldest first, and the turn under way; `closed` counts the turns before it."""

    size_e9: int
    lots: tuple[Lot, ...] = ()
    turn: Turn = Turn()
    closed: int = 0

    @property
    def held_e9(self) -> int:
        """What is bought and not yet sold."""
        return sum(lot.base_e9 for lot in self.lots)

    @property
    def quote_e6(self) -> int:
        """The signed quote of what is held: negative is its cost."""
        return sum(lot.quote_e6 for lot in self.lots)


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """A cell after a fill: `grid_quote_e6` is what the matched parts earned before fees."""

    cell: Cell
    grid_quote_e6: int
    closed: tuple[Turn, ...]


def opened_cell(size_e9: int, held_e9: int, start_price_e6: int, opened_ns: int) -> Cell:
    """A cell as the grid starts: what it holds counts as bought at the start price."""
    assert size_e9 > 0
    if held_e9 == 0:
        return Cell(size_e9=size_e9)
    return Cell(size_e9=size_e9, lots=(Lot(held_e9, -value_e6(held_e9, start_price_e6), 0, opened_ns),))


def match_fill(cell: Cell, fill: CellFill) -> Matched:
    """The cell after a fill. A sale beyond what is held stays open until it is bought back."""
    sign = 1 if fill.side == "buy" else -1
    rest = Lot(sign * fill.base_e9, -sign * fill.quote_e6, fill.fee_e6, fill.ts_ns)
    lots = list(cell.lots)
    turn, earned_e6, closed = cell.turn, 0, []
    while rest.base_e9 and lots and (lots[0].base_e9 > 0) != (rest.base_e9 > 0):
        size = min(abs(rest.base_e9), abs(lots[0].base_e9), cell.size_e9 - turn.base_e9)
        lot_part, lot_rest = _split(lots[0], size)
        fill_part, rest = _split(rest, size)
        lots[0:1] = [lot_rest] if lot_rest.base_e9 else []
        earned_e6 += lot_part.quote_e6 + fill_part.quote_e6
        turn = _turned(turn, lot_part, fill_part)
        if turn.base_e9 == cell.size_e9:
            closed.append(turn)
            turn = Turn()
    if rest.base_e9:
        lots.append(rest)
    after = Cell(size_e9=cell.size_e9, lots=tuple(lots), turn=turn, closed=cell.closed + len(closed))
    return Matched(cell=after, grid_quote_e6=earned_e6, closed=tuple(closed))


def resized(cell: Cell, size_e9: int) -> Cell:
    """The cell with another size; a turn that already is as large begins anew, its result stays in the sums."""
    turn = cell.turn if cell.turn.base_e9 < size_e9 else Turn()
    return msgspec.structs.replace(cell, size_e9=size_e9, turn=turn)


def take_over(cell: Cell, lots: tuple[Lot, ...]) -> Matched:
    """The cell after it took over another one's lots at their cost; opposite lots close each other, without a turn."""
    after, earned_e6 = cell, 0
    for lot in lots:
        side: Side = "buy" if lot.base_e9 > 0 else "sell"
        fill = CellFill(
            side=side, base_e9=abs(lot.base_e9), quote_e6=abs(lot.quote_e6), fee_e6=lot.fee_e6, ts_ns=lot.opened_ns
        )
        matched = match_fill(after, fill)
        after, earned_e6 = matched.cell, earned_e6 + matched.grid_quote_e6
    return Matched(
        cell=msgspec.structs.replace(after, turn=cell.turn, closed=cell.closed), grid_quote_e6=earned_e6, closed=()
    )


def _split(lot: Lot, size_e9: int) -> tuple[Lot, Lot]:
    whole = abs(lot.base_e9)
    base = size_e9 if lot.base_e9 > 0 else -size_e9
    quote, fee = div_trunc(lot.quote_e6 * size_e9, whole), div_trunc(lot.fee_e6 * size_e9, whole)
    part = Lot(base, quote, fee, lot.opened_ns)
    return part, Lot(lot.base_e9 - base, lot.quote_e6 - quote, lot.fee_e6 - fee, lot.opened_ns)


def _turned(turn: Turn, opening: Lot, closing: Lot) -> Turn:
    bought, sold = (opening, closing) if opening.base_e9 > 0 else (closing, opening)
    return Turn(
        base_e9=turn.base_e9 + abs(opening.base_e9),
        buy_quote_e6=turn.buy_quote_e6 - bought.quote_e6,
        sell_quote_e6=turn.sell_quote_e6 + sold.quote_e6,
        fee_e6=turn.fee_e6 + opening.fee_e6 + closing.fee_e6,
        opened_ns=opening.opened_ns if turn.base_e9 == 0 else turn.opened_ns,
    )
