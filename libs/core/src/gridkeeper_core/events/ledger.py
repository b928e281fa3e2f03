"""Facts of the books, written by ledger."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.events.base import Fact, Side
from gridkeeper_core.events.grid_settings import CellMove
from gridkeeper_core.venue.words import SolKind


class BooksOpened(Fact, frozen=True, kw_only=True, tag_field="topic", tag="ledger.opened.v1"):
    """The grid's books begin. What the cells hold at the start counts as bought at the start price.

    A position that was adopted stands at the venue's own `start_quote_entry_e6`. The cells of a grid that `enters` hold
    nothing until `BooksAllotted`. `capital_e6` is what yearly rates are measured by, 0 where it was not recorded.
    `adopted_from` is the account whose position it begins with ("": it begins with nothing, or it was not recorded).
    """

    market: str
    market_index: int
    sizes_e9: tuple[int, ...]
    held_e9: tuple[int, ...]
    start_price_e6: int
    start_position_e9: int
    start_quote_entry_e6: int | None = None
    enters: bool = False
    capital_e6: int = 0
    adopted_from: str = ""


class CellLot(msgspec.Struct, frozen=True):
    """What one cell starts with: signed base (1e-9) and the signed quote (1e-6) it was bought or sold for."""

    cell: int
    base_e9: int
    quote_e6: int


class BooksAllotted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="ledger.allotted.v1"):
    """The position that a grid entered or adopted is spread over its cells, at its own cost; no amount changes.

    `sizes_e9` are the cells' sizes from now on. `start_quote_e6` (signed) is how much of the lots' quote the position
    at the start brought in; the rest is of the entry's fills.
    """

    sizes_e9: tuple[int, ...]
    lots: tuple[CellLot, ...]
    start_quote_e6: int


class CellSize(msgspec.Struct, frozen=True):
    """A cell by its name and its size (1e-9 base)."""

    cell: int
    size_e9: int


class BooksRearranged(Fact, frozen=True, kw_only=True, tag_field="topic", tag="ledger.rearranged.v1"):
    """The grid's cells were edited or moved: sizes of cells that are new or changed, then who takes over from whom.

    What a given-up cell holds goes to its successor at its cost; the position and all sums but grid profit stay.
    """

    sizes: tuple[CellSize, ...]
    moves: tuple[CellMove, ...] = ()


class BooksClosed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="ledger.closed.v1"):
    """The grid was stopped: its totals stand, its cells and recent fills are let go."""

    position_e9: int
    fills: int
    turns: int


class FillBooked(Fact, frozen=True, kw_only=True, tag_field="topic", tag="ledger.fill_booked.v1"):
    """A fill in the grid's books: weighted average after it, realised PnL of it (before fees).

    `grid_quote_e6` is this fill's part of completed turns (grid profit before fees), matched within its cell. A fill
    that was not in the chain's order changes what later fills realised: then both are the change of the sums. A
    reverted fill is booked again with base, quote and fee negated. `fill_record_id` -1: no record (proven, liquidated).
    """

    intent_id: str
    market: str
    side: Side
    cell: int
    price_e6: int
    base_e9: int
    quote_e6: int
    fee_e6: int
    position_e9: int
    quote_entry_e6: int
    realized_pnl_e6: int
    grid_quote_e6: int
    fill_record_id: int
    market_index: int
    signature: str
    account: str = ""
    slot: int = 0


class CycleClosed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="ledger.cycle_closed.v1"):
    """One turn of a cell is complete: what was bought for `buy_quote_e6` was sold for `sell_quote_e6`."""

    cell: int
    cycle: int
    base_e9: int
    buy_quote_e6: int
    sell_quote_e6: int
    fee_e6: int
    profit_e6: int
    opened_ns: int


class FundingBooked(Fact, frozen=True, kw_only=True, tag_field="topic", tag="ledger.funding_booked.v1"):
    """Funding in the grid's books; positive was received."""

    market: str
    quote_e6: int
    signature: str
    index: int
    slot: int = 0


class Marked(Fact, frozen=True, kw_only=True, tag_field="topic", tag="ledger.marked.v1"):
    """The grid's result at one oracle price: grid profit, total PnL and what explains the difference."""

    price_e6: int
    position_e9: int
    grid_profit_e6: int
    realized_pnl_e6: int
    unrealized_pnl_e6: int
    fees_e6: int
    funding_e6: int
    total_pnl_e6: int


class Posted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="books.posted.v1"):
    """One account-level amount: what a fact added to a position (base, quote) and to the quote deposit.

    `kind`: opening, trade, fee, funding, settlement, transfer, interest, keeper_fee, liquidation, adoption,
    reversal.
    `fill_record_id` is set for what a fill record caused; `market_index` -1: no market is concerned.
    """

    kind: str
    market: str
    base_e9: int
    quote_e6: int
    deposit_e6: int
    signature: str
    index: int
    market_index: int = -1
    fill_record_id: int | None = None
    slot: int = 0


class ProofChecked(Fact, frozen=True, kw_only=True, tag_field="topic", tag="books.proof_checked.v1"):
    """Equity by the venue against equity from events alone; `residual_e6` = left - right and must be 0.

    Up to `final_slot` nothing can be taken back any more (null: not recorded).
    """

    slot: int
    left_e6: int
    right_e6: int
    residual_e6: int
    final_slot: int | None = None


class SolPosted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="sol.posted.v1"):
    """One transaction in the books of a wallet: the fees it cost, and what else it moved (signed, by `kind`).

    The first posting is of kind "opening".
    """

    kind: SolKind | Literal["opening"]
    moved_lamports: int
    fee_lamports: int
    priority_lamports: int
    signature: str
    slot: int


class SolChecked(Fact, frozen=True, kw_only=True, tag_field="topic", tag="sol.checked.v1"):
    """A wallet's balance by the chain against what its postings add up to: the residual must be 0.

    `grown_lamports` is by how much the residual differs from that of the proof before.
    """

    slot: int
    left_lamports: int
    right_lamports: int
    residual_lamports: int
    grown_lamports: int
