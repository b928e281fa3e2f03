"""Every fact Gridkeeper ever records, its stored name, and the envelope it is stored in.

Stored bytes are for ever: fields are only added, with defaults; a new meaning is a new class with a new tag. Units
are in the names: `_e6` price or quote 1e-6, `_e9` base 1e-9, `_e4` ratio 1e-4, `_ns` UTC or duration, lamports.
Quote amounts are signed from the account's view: positive is received.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price

Side = Literal["buy", "sell"]
PostOnly = Literal["must", "try", "none"]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """The root of all facts; carries nothing."""


# ---------------------------------------------------------------- prices:<market>, written by price-feed


class FeedStarted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="feed.started.v1"):
    """A source of prices began at `first_seq`."""

    market: str
    source: str
    first_seq: int


class FeedLost(Fact, frozen=True, kw_only=True, tag_field="topic", tag="feed.lost.v1"):
    """A source of prices ended or fell silent; no prices until the next FeedStarted."""

    market: str
    source: str
    reason: str
    last_seq: int


class PriceSegmentClosed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="prices.segment_closed.v1"):
    """A file holds the prices `first_seq` to `last_seq`, none missing; `sha256` is over the file's bytes."""

    market: str
    file: str
    first_seq: int
    last_seq: int
    count: int
    sha256: str


# ---------------------------------------------------------------- grid:<id>, written by strategy


class GridProposed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.proposed.v1"):
    """A user asked for a grid whose settings are sound in themselves. `source` is the text of the grid file."""

    config: GridConfig
    source: str
    author: str
    reason: str
    accepted: tuple[str, ...] = ()


class GridOpened(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.opened.v1"):
    """The grid trades from now on. Levels p_0..p_N, one size and one held amount per cell (N of each)."""

    levels_e6: tuple[int, ...]
    sizes_e9: tuple[int, ...]
    held_e9: tuple[int, ...]
    start_price_e6: int
    start_position_e9: int
    spec: MarketSpec


class GridRejected(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.rejected.v1"):
    """The grid cannot be opened; `code` is of the error catalogue."""

    code: str
    detail: str


class PriceSeen(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.price_seen.v1"):
    """The whole price that led to the facts after it, so that a replay needs no price stream.

    `passed_over` counts prices of this market that led to nothing since the last one recorded here.
    """

    price: Price
    passed_over: int


class WantedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order the grid wants to rest on the venue. `lasts_ns` is its life (0 = until cancelled)."""

    intent_id: str
    kind: str
    cell: int
    side: Side
    price_e6: int
    size_e9: int
    post_only: PostOnly = "try"
    reduce_only: bool = False
    lasts_ns: int = 0


class UnwantedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order the grid wants gone. `why`: window, resize, renew, pause, stop, risk, halt."""

    intent_id: str
    why: str


class OrdersWanted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.orders_wanted.v1"):
    """All order changes of one decision: first these are to go, then these are to be placed, nearest first.

    One fact, so that execution never acts on half a decision. `rolled` says that the live window was brought back to
    the nearest eligible orders. `reference_e6` is the price it was decided at, `price_seq` its place in its feed.
    """

    account: str
    market: str
    unwanted: tuple[UnwantedOrder, ...]
    wanted: tuple[WantedOrder, ...]
    rolled: bool
    reference_e6: int
    price_seq: int


class OrderGone(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.order_gone.v1"):
    """The grid took note that an order it wanted is not open any more, and not because it was filled.

    `not_before_ns` is when the same order may be wanted again at the latest; 0 = at once. `tries` counts rejections,
    `reference_e6` is where the market was: the order may be wanted again before that time once it has moved by a tick.
    """

    intent_id: str
    why: str
    not_before_ns: int
    tries: int
    reference_e6: int


class CellChanged(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.cell_changed.v1"):
    """A fill moved a cell: `held_e9` is its new content, `cycle` the number of completed turns."""

    cell: int
    held_e9: int
    cycle: int
    side: Side
    filled_e9: int
    price_e6: int
    quote_e6: int
    fee_e6: int
    intent_id: str


class PositionReduced(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.position_reduced.v1"):
    """A fill that belongs to no cell (closing the position) changed what the grid holds."""

    intent_id: str
    side: Side
    filled_e9: int
    price_e6: int
    quote_e6: int
    fee_e6: int


class RangeLeft(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.range_left.v1"):
    """The price left the grid's range. `where`: low or high."""

    where: Literal["low", "high"]
    price_e6: int


class RangeReturned(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.range_returned.v1"):
    """The price is back inside by at least one interval."""

    where: Literal["low", "high"]
    price_e6: int


class RiskTripped(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.risk_tripped.v1"):
    """A risk limit was reached. `tier`: yellow, orange, red; `limit` names the rule, values in its unit."""

    tier: Literal["yellow", "orange", "red"]
    limit: str
    value: int
    allowed: int


class RiskReset(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.risk_reset.v1"):
    """Risk is back to normal, by itself (yellow) or by command; losses count from `base_e6` (total PnL) from now on."""

    base_e6: int
    author: str
    reason: str


class GridPaused(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.paused.v1"):
    """No new orders from now on, for the reason `code` (PAUSED, STALE_PRICE, RISK, …)."""

    code: str
    author: str
    reason: str
    keep_orders: bool = False


class GridResumed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.resumed.v1"):
    """The pause for `code` is over."""

    code: str
    author: str
    reason: str


class GridEdited(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.edited.v1"):
    """New settings replace the old ones; cells keep their content and cost."""

    config: GridConfig
    source: str
    levels_e6: tuple[int, ...]
    sizes_e9: tuple[int, ...]
    held_e9: tuple[int, ...]
    author: str
    reason: str


class GridStopping(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.stopping.v1"):
    """A user stopped the grid: its orders are cancelled, then its position is kept or closed."""

    close: bool
    author: str
    reason: str


class GridStopped(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.stopped.v1"):
    """No order of the grid is left. The position it leaves behind is stated."""

    position_e9: int
    quote_e6: int
    fills: int


class GridFaulted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.faulted.v1"):
    """An input could not be taken (`at_cause`); the grid's orders are cancelled until a person resumes it."""

    at_cause: str
    detail: str


# ---------------------------------------------------------------- market:<venue>:<index>, written by execution


class MarketSeen(Fact, frozen=True, kw_only=True, tag_field="topic", tag="market.seen.v1"):
    """A market as the venue describes it, when first met."""

    spec: MarketSpec


class MarketChanged(Fact, frozen=True, kw_only=True, tag_field="topic", tag="market.changed.v1"):
    """The venue changed a market; the whole new description."""

    spec: MarketSpec
    changed: tuple[str, ...]


# ---------------------------------------------------------------- account:<alias>, written by execution


class AccountRecovering(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.recovering.v1"):
    """Nothing is placed until venue and record agree again. `why`: boot, reconnect, differs."""

    why: str


class AccountLive(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.live.v1"):
    """Venue and record agree at `slot`: what the reconciliation found while nobody looked."""

    slot: int
    open_orders: int
    fills_found: int
    orders_closed: int
    foreign_orders: int


class AccountHalted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.halted.v1"):
    """Placing is refused for every grid of the account, by a person or a rule."""

    author: str
    reason: str


class AccountResumed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.resumed.v1"):
    """The halt is over."""

    author: str
    reason: str


class SlotsReserved(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.slots_reserved.v1"):
    """The account can carry the grid: market known, order slots free, margin enough."""

    grid_id: str
    slots: int
    spec: MarketSpec
    position_e9: int
    collateral_e6: int


class GridRefused(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.grid_refused.v1"):
    """The account cannot carry the grid; `code` is of the error catalogue."""

    grid_id: str
    code: str
    detail: str


class SlotsReleased(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.slots_released.v1"):
    """A grid that ended gave its order slots back."""

    grid_id: str


class OrdersQueued(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.orders_queued.v1"):
    """Wants that cannot be acted on yet (a transaction is under way, or the account is not live) wait here."""

    market: str
    unwanted: tuple[UnwantedOrder, ...]
    wanted: tuple[WantedOrder, ...]
    reference_e6: int
    price_seq: int


class OrderAccepted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="order.accepted.v1"):
    """An attempt at an intent was decided; the signed transaction that places it is recorded in the same commit.

    `user_order_id` (1..255) is held by this attempt until its order is proven closed. `max_ts` is chain time in
    seconds, 0 for none.
    """

    intent_id: str
    attempt: int
    user_order_id: int
    market: str
    market_index: int
    cell: int
    side: Side
    price_e6: int
    size_e9: int
    post_only: PostOnly
    reduce_only: bool
    max_ts: int
    signature: str


class OrderRefused(Fact, frozen=True, kw_only=True, tag_field="topic", tag="order.refused.v1"):
    """An intent was not placed. `code` is a reason code (POST_ONLY_CROSS, RISK, MARGIN, STALE_PRICE, …)."""

    intent_id: str
    attempt: int
    code: str
    detail: str


class OrderResting(Fact, frozen=True, kw_only=True, tag_field="topic", tag="order.resting.v1"):
    """The venue holds the order under `order_id`. `matched_by`: user_order_id, or fallback."""

    intent_id: str
    attempt: int
    order_id: int
    user_order_id: int
    side: Side
    price_e6: int
    size_e9: int
    filled_e9: int
    matched_by: Literal["user_order_id", "fallback"]
    signature: str


class OrderFilled(Fact, frozen=True, kw_only=True, tag_field="topic", tag="order.filled.v1"):
    """One fill record of the venue. `fee_e6` is what the account paid (negative: a rebate).

    `(market_index, fill_record_id)` is unique for ever. `cumulative_e9` is what this order filled up to here.
    """

    intent_id: str
    attempt: int
    order_id: int
    market: str
    market_index: int
    fill_record_id: int
    cell: int
    side: Side
    price_e6: int
    base_e9: int
    quote_e6: int
    fee_e6: int
    maker: bool
    cumulative_e9: int
    size_e9: int
    oracle_e6: int
    slot: int
    signature: str
    index: int


class FillProven(Fact, frozen=True, kw_only=True, tag_field="topic", tag="order.fill_proven.v1"):
    """A fill whose record is lost, proven from the account's exact counters."""

    intent_id: str
    attempt: int
    order_id: int
    market: str
    market_index: int
    cell: int
    side: Side
    base_e9: int
    quote_e6: int
    fee_e6: int
    slot: int
    proof: str


class FillReverted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="order.fill_reverted.v1"):
    """A fill seen at `confirmed` is not part of the finalized chain."""

    intent_id: str
    market_index: int
    fill_record_id: int
    signature: str


class OrderClosed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="order.closed.v1"):
    """An attempt is over and its slot free again.

    `reason`: filled, cancelled, lapsed (max_ts), expired (its transaction can never land), failed (its transaction
    landed with an error), not_placed (post-only would have crossed), venue (cancelled by the venue).
    """

    intent_id: str
    attempt: int
    order_id: int | None
    user_order_id: int
    reason: Literal["filled", "cancelled", "lapsed", "expired", "failed", "not_placed", "venue"]
    filled_e9: int
    size_e9: int


class FundingPaid(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.funding_paid.v1"):
    """A funding payment; positive `quote_e6` was received."""

    market: str
    market_index: int
    quote_e6: int
    base_e9: int
    slot: int
    signature: str
    index: int


class PnlSettled(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.pnl_settled.v1"):
    """PnL moved between the perp position and the quote deposit; positive into the deposit."""

    market: str
    market_index: int
    quote_e6: int
    slot: int
    signature: str
    index: int


class Transferred(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.transferred.v1"):
    """A deposit (positive) or withdrawal (negative) of the quote asset."""

    quote_e6: int
    slot: int
    signature: str
    index: int


class InterestPaid(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.interest_paid.v1"):
    """Interest on the quote deposit between two snapshots; positive was received."""

    quote_e6: int
    slot: int


class KeeperFeeCharged(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.keeper_fee_charged.v1"):
    """A keeper was paid for cancelling or expiring an order; `quote_e6` is negative."""

    order_id: int
    quote_e6: int
    market_index: int
    slot: int
    signature: str
    index: int


class Liquidated(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.liquidated.v1"):
    """The venue liquidated part of a position."""

    market: str
    market_index: int
    base_e9: int
    quote_e6: int
    fee_e6: int
    slot: int
    signature: str
    index: int


class PositionState(msgspec.Struct, frozen=True, kw_only=True):
    """A perp position in the venue's own integers (signed, base 1e-9, quote 1e-6)."""

    market: str
    market_index: int
    base_e9: int
    quote_asset_e6: int
    quote_entry_e6: int
    quote_break_even_e6: int
    oracle_e6: int
    unsettled_funding_e6: int = 0


class AccountSnapshot(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.snapshot.v1"):
    """The venue's account at one slot, exact. `cursor`: the newest finalized signature whose records are all taken."""

    slot: int
    cursor_slot: int
    deposit_e6: int
    positions: tuple[PositionState, ...]
    open_orders: int
    cursor: str
    lamports: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity that venue and record state differently."""

    what: str
    venue: int
    ours: int


class VenueDiffers(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.venue_differs.v1"):
    """Venue and record disagree and no explanation is under way: no new risk until it is settled."""

    slot: int
    differences: tuple[Difference, ...]


class ForeignOrderSeen(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.foreign_order_seen.v1"):
    """An order on the account that no intent explains."""

    order_id: int
    market_index: int
    side: Side
    price_e6: int
    size_e9: int
    slot: int


# ---------------------------------------------------------------- tx:<alias>, written by execution


class CancelRef(msgspec.Struct, frozen=True, kw_only=True):
    """A cancel always names its order completely; one without identity cannot be built."""

    intent_id: str
    attempt: int
    user_order_id: int
    order_id: int


class TransactionSigned(Fact, frozen=True, kw_only=True, tag_field="topic", tag="tx.signed.v1"):
    """These bytes will be sent, again and again and never others, until they landed or can never land.

    `places` are intent ids with their attempt as `intent#attempt`. `reference_e6` is the price it was checked against,
    `price_seq` that price's place in its feed.
    """

    signature: str
    bytes_base64: str
    blockhash: str
    last_valid_block_height: int
    purpose: str
    places: tuple[str, ...]
    cancels: tuple[CancelRef, ...]
    reference_e6: int
    price_seq: int


class TransactionLanded(Fact, frozen=True, kw_only=True, tag_field="topic", tag="tx.landed.v1"):
    """The transaction is on the chain and succeeded."""

    signature: str
    slot: int
    fee_lamports: int


class TransactionFailed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="tx.failed.v1"):
    """The transaction is on the chain with an error: nothing it asked for was done."""

    signature: str
    slot: int
    fee_lamports: int
    error_code: int | None
    error: str


class TransactionExpired(Fact, frozen=True, kw_only=True, tag_field="topic", tag="tx.expired.v1"):
    """The transaction is proven never to land: its block height has passed and the chain does not know it."""

    signature: str
    block_height: int


# ---------------------------------------------------------------- wallet:<pubkey>, written by execution


class SolLow(Fact, frozen=True, kw_only=True, tag_field="topic", tag="wallet.sol_low.v1"):
    """The wallet pays fees and is short. `level`: warn, stop_placing."""

    account: str
    lamports: int
    level: Literal["warn", "stop_placing"]


class SolEnough(Fact, frozen=True, kw_only=True, tag_field="topic", tag="wallet.sol_enough.v1"):
    """The wallet can pay fees again."""

    account: str
    lamports: int


# ---------------------------------------------------------------- ledger:<grid> and books:<alias>, written by ledger


class BooksOpened(Fact, frozen=True, kw_only=True, tag_field="topic", tag="ledger.opened.v1"):
    """The grid's books begin. What the cells hold at the start counts as bought at the start price."""

    market: str
    market_index: int
    sizes_e9: tuple[int, ...]
    held_e9: tuple[int, ...]
    start_price_e6: int
    start_position_e9: int


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

    `kind`: opening, trade, fee, funding, settlement, transfer, interest, keeper_fee, liquidation, reversal.
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
    """Equity by the venue against equity from events alone; `residual_e6` = left - right and must be 0."""

    slot: int
    left_e6: int
    right_e6: int
    residual_e6: int


# ---------------------------------------------------------------- alert:<target>, written by notifier


class Sent(Fact, frozen=True, kw_only=True, tag_field="topic", tag="alert.sent.v1"):
    """A message went out on `channel`. `about` are the identities of the events it tells of."""

    severity: Literal["info", "warning", "critical"]
    channel: str
    key: str
    text: str
    about: tuple[str, ...]


class HeldBack(Fact, frozen=True, kw_only=True, tag_field="topic", tag="alert.held_back.v1"):
    """A message waits for the next digest, because too many of its kind went out.

    `amounts` are what the digest adds up, by name.
    """

    severity: Literal["info", "warning", "critical"]
    key: str
    text: str
    about: tuple[str, ...]
    amounts: tuple[tuple[str, int], ...] = ()


class Digested(Fact, frozen=True, kw_only=True, tag_field="topic", tag="alert.digested.v1"):
    """What was held back went out as one message. `about` are the first and the last of the events it tells of."""

    channel: str
    key: str
    text: str
    count: int
    about: tuple[str, ...]


FACTS: dict[str, tuple[type[Fact], ...]] = {
    "prices": (FeedStarted, FeedLost, PriceSegmentClosed),
    "grid": (
        GridProposed, GridOpened, GridRejected, PriceSeen, OrdersWanted, OrderGone, CellChanged, PositionReduced,
        RangeLeft, RangeReturned, RiskTripped, RiskReset, GridPaused, GridResumed, GridEdited, GridStopping,
        GridStopped, GridFaulted,
    ),
    "market": (MarketSeen, MarketChanged),
    "account": (
        AccountRecovering, AccountLive, AccountHalted, AccountResumed, SlotsReserved, GridRefused, SlotsReleased,
        OrdersQueued, OrderAccepted, OrderRefused, OrderResting, OrderFilled, FillProven, FillReverted, OrderClosed,
        FundingPaid, PnlSettled, Transferred, InterestPaid, KeeperFeeCharged, Liquidated, AccountSnapshot, VenueDiffers,
        ForeignOrderSeen,
    ),
    "tx": (TransactionSigned, TransactionLanded, TransactionFailed, TransactionExpired),
    "wallet": (SolLow, SolEnough),
    "ledger": (BooksOpened, BooksClosed, FillBooked, CycleClosed, FundingBooked, Marked),
    "books": (Posted, ProofChecked),
    "alert": (Sent, HeldBack, Digested),
}  # fmt: skip
"""Which facts each kind of stream holds."""

WRITERS: dict[str, str] = {
    "prices": "price_feed",
    "grid": "strategy",
    "market": "execution",
    "account": "execution",
    "tx": "execution",
    "wallet": "execution",
    "ledger": "ledger",
    "books": "ledger",
    "alert": "notifier",
}
"""The one service that writes each kind of stream."""
