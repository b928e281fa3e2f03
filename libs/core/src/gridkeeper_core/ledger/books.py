"""One grid's books: what its fills and its funding did to position, cells and sums, taken in the chain's order.

The sums depend on the order of the fills, and fills may arrive out of it. So the books keep the newest entries beside a
checkpoint of the state before them; an entry that belongs between them is put there and the sums are made anew.
"""

from __future__ import annotations

import bisect
import copy
from typing import Literal

import msgspec

from gridkeeper_core.events import BooksAllotted, BooksOpened, BooksRearranged, Side
from gridkeeper_core.ledger.cycles import Cell, CellFill, Lot, Turn, match_fill, opened_cell, resized, take_over
from gridkeeper_core.ledger.position import LedgerPosition, held_at_price
from gridkeeper_core.venue.chain_position import apply_fee, apply_fill, apply_quote

ENTRIES_KEPT = 512
"""How many of the newest entries can still be reordered; twice as many are held before the older half is folded."""
NO_RECORD = -1
NO_CELL = -1

_FUNDING, _FILL, _UNRECORDED = 0, 1, 2


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A fill (base not negative) or a funding payment (`kind` funding, only `quote_e6`, positive is received).

    `fee_e6` was paid. `cell` is NO_CELL for a fill of no cell; `fill_record_id` is NO_RECORD where there is none.
    `serial` tells entries apart that the chain's order does not.
    """

    kind: Literal["fill", "funding"]
    serial: str
    slot: int
    ts_ns: int
    quote_e6: int
    side: Side = "buy"
    cell: int = NO_CELL
    base_e9: int = 0
    fee_e6: int = 0
    fill_record_id: int = NO_RECORD

    @property
    def order(self) -> tuple[int, int, int, str]:
        """The chain's order: by slot, in it the venue pays funding before it fills, then by record."""
        if self.kind == "funding":
            return (self.slot, _FUNDING, 0, self.serial)
        rank = _UNRECORDED if self.fill_record_id == NO_RECORD else _FILL
        return (self.slot, rank, self.fill_record_id, self.serial)


class ClosedTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that an entry completed; `cycle` counts the cell's turns from 0."""

    cell: int
    cycle: int
    turn: Turn


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """How an entry changed the sums."""

    realized_e6: int
    grid_quote_e6: int
    closed: tuple[ClosedTurn, ...]


class Sums(msgspec.Struct, kw_only=True):
    """The books' state after some entries; quote amounts in the account's view, `fees_e6` paid.

    `other_*` are base and quote of fills that belong to no cell.
    """

    position: LedgerPosition
    cells: dict[int, Cell]
    realized_e6: int = 0
    grid_quote_e6: int = 0
    fees_e6: int = 0
    funding_e6: int = 0
    other_base_e9: int = 0
    other_quote_e6: int = 0
    fills: int = 0
    turns: int = 0
    heirs: dict[int, int] = {}
    seeded_quote_e6: int = 0

    def allot(self, fact: BooksAllotted, opened_ns: int) -> None:
        """The cells take over the position that was entered or adopted, at what it cost."""
        lots = {lot.cell: Lot(lot.base_e9, lot.quote_e6, 0, opened_ns) for lot in fact.lots}
        self.cells = {
            cell: Cell(size_e9=size, lots=(lots[cell],) if cell in lots else ())
            for cell, size in enumerate(fact.sizes_e9)
        }
        self.other_base_e9 = 0
        self.other_quote_e6 += fact.start_quote_e6 - sum(lot.quote_e6 for lot in fact.lots)
        self.seeded_quote_e6 = fact.start_quote_e6

    def rearrange(self, fact: BooksRearranged) -> None:
        """Cells get their new sizes; what a given-up cell holds goes to its heir, as do fills of it that come late."""
        cells = dict(self.cells)
        for sized in fact.sizes:
            cells[sized.cell] = resized(cells.get(sized.cell, Cell(size_e9=sized.size_e9)), sized.size_e9)
        moves = {move.source: move.target for move in fact.moves}
        for source, target in moves.items():
            given_up = cells.pop(source, None)
            if given_up is not None:
                taken = take_over(cells[target], given_up.lots)
                cells[target] = taken.cell
                self.grid_quote_e6 += taken.grid_quote_e6
        self.cells = cells
        self.heirs = {cell: moves.get(heir, heir) for cell, heir in self.heirs.items()} | moves

    def take(self, entry: Entry) -> tuple[ClosedTurn, ...]:
        """Fold the next entry in the chain's order; the turns it completed."""
        if entry.kind == "funding":
            self.position = apply_quote(self.position, entry.quote_e6)
            self.funding_e6 += entry.quote_e6
            return ()
        sign = 1 if entry.side == "buy" else -1
        base, quote = sign * entry.base_e9, -sign * entry.quote_e6
        position, realized = apply_fill(self.position, base, quote)
        self.position = apply_fee(position, entry.fee_e6)
        self.realized_e6 += realized
        self.fees_e6 += entry.fee_e6
        self.fills += 1
        number = self.heirs.get(entry.cell, entry.cell)
        cell = self.cells.get(number)
        if cell is None:
            self.other_base_e9 += base
            self.other_quote_e6 += quote
            return ()
        return self._match(entry, number, cell)

    def _match(self, entry: Entry, number: int, cell: Cell) -> tuple[ClosedTurn, ...]:
        matched = match_fill(
            cell,
            CellFill(
                side=entry.side,
                base_e9=entry.base_e9,
                quote_e6=entry.quote_e6,
                fee_e6=entry.fee_e6,
                ts_ns=entry.ts_ns,
            ),
        )
        self.cells[number] = matched.cell
        self.grid_quote_e6 += matched.grid_quote_e6
        self.turns += len(matched.closed)
        return tuple(
            ClosedTurn(cell=number, cycle=cell.closed + place, turn=turn) for place, turn in enumerate(matched.closed)
        )


class GridBooks:
    """The books of one grid, from its opening on."""

    def __init__(self, opening: BooksOpened, opened_ns: int) -> None:
        self.opening = opening
        self.opened_ns = opened_ns
        self.sums = opened_sums(opening, opened_ns)
        self._checkpoint = _copied(self.sums)
        self._entries: list[Entry] = []
        self._settled: dict[int, Entry] = {}

    def book(self, entry: Entry) -> Booked:
        """Take an entry, in whatever order it arrives."""
        if self._entries and entry.order < self._entries[-1].order:
            entries = list(self._entries)
            bisect.insort(entries, entry, key=_order)
            return self._remake(entries)
        realized, grid_quote = self.sums.realized_e6, self.sums.grid_quote_e6
        closed = self.sums.take(entry)
        self._entries.append(entry)
        self._fold_old()
        return Booked(
            realized_e6=self.sums.realized_e6 - realized,
            grid_quote_e6=self.sums.grid_quote_e6 - grid_quote,
            closed=closed,
        )

    def allot(self, fact: BooksAllotted, opened_ns: int) -> None:
        """The levels go live: what the entry booked cannot be reordered any more, only be taken back."""
        self.sums.allot(fact, opened_ns)
        self._settle()

    def rearrange(self, fact: BooksRearranged) -> None:
        """The cells change: what was booked before cannot be reordered any more, only be taken back."""
        self.sums.rearrange(fact)
        self._settle()

    def _settle(self) -> None:
        settled = {entry.fill_record_id: entry for entry in self._entries if entry.fill_record_id != NO_RECORD}
        self._settled = dict([*self._settled.items(), *settled.items()][-ENTRIES_KEPT:])
        self._checkpoint = _copied(self.sums)
        self._entries = []

    def recorded(self, fill_record_id: int) -> Entry | None:
        """The fill with this record, while it can still be taken back."""
        found = next((entry for entry in reversed(self._entries) if entry.fill_record_id == fill_record_id), None)
        return found or self._settled.get(fill_record_id)

    def take_back(self, entry: Entry) -> Booked:
        """Remove a fill that turned out not to be part of the chain.

        One from before the cells were rearranged, or from very long ago, is undone by its opposite, at its own price
        and with its fee back.
        """
        if entry not in self._entries:
            self._settled.pop(entry.fill_record_id, None)
            side: Side = "sell" if entry.side == "buy" else "buy"
            serial = f"{entry.serial}:reverted"
            return self.book(
                msgspec.structs.replace(entry, side=side, fee_e6=-entry.fee_e6, serial=serial, fill_record_id=NO_RECORD)
            )
        return self._remake([kept for kept in self._entries if kept != entry])

    def _remake(self, entries: list[Entry]) -> Booked:
        before = self.sums
        self.sums = _copied(self._checkpoint)
        closed = [turn for entry in entries for turn in self.sums.take(entry)]
        self._entries = entries
        self._fold_old()
        return Booked(
            realized_e6=self.sums.realized_e6 - before.realized_e6,
            grid_quote_e6=self.sums.grid_quote_e6 - before.grid_quote_e6,
            closed=tuple(turn for turn in closed if turn.cycle >= before.cells[turn.cell].closed),
        )

    def _fold_old(self) -> None:
        if len(self._entries) < 2 * ENTRIES_KEPT:
            return
        for entry in self._entries[:ENTRIES_KEPT]:
            self._checkpoint.take(entry)
        del self._entries[:ENTRIES_KEPT]


def opened_sums(opening: BooksOpened, opened_ns: int) -> Sums:
    """The state before the first entry: position and really held cells at the start price."""
    return Sums(
        position=position_at_start(opening),
        cells={
            cell: opened_cell(size, held, opening.start_price_e6, opened_ns)
            for cell, (size, held) in enumerate(zip(opening.sizes_e9, really_held_e9(opening), strict=True))
        },
    )


def position_at_start(opening: BooksOpened) -> LedgerPosition:
    """What the grid began with: at the venue's own entry where it is known, else at the start price."""
    entry_e6 = opening.start_quote_entry_e6
    if entry_e6 is None:
        return held_at_price(opening.start_position_e9, opening.start_price_e6)
    return LedgerPosition(
        base_e9=opening.start_position_e9,
        quote_asset_e6=entry_e6,
        quote_entry_e6=entry_e6,
        quote_break_even_e6=entry_e6,
    )


def really_held_e9(opening: BooksOpened) -> tuple[int, ...]:
    """What the cells hold in fact when the grid starts (base 1e-9).

    A neutral grid starts without a position: its upper cells are "held" only in that they sell first. Such a sale opens
    a short lot, which the buy below it closes; that pair is the turn, and only then is there a grid profit.
    """
    if not opening.enters and opening.start_position_e9 >= sum(opening.held_e9):
        return opening.held_e9
    return (0,) * len(opening.held_e9)


def _order(entry: Entry) -> tuple[int, int, int, str]:
    return entry.order


def _copied(sums: Sums) -> Sums:
    copied = copy.copy(sums)
    copied.cells = dict(sums.cells)
    return copied
