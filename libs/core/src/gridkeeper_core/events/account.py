"""Facts about markets and accounts as the venue holds them, written by execution."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.events.base import Fact, Side
from gridkeeper_core.events.grid import UnwantedOrder, WantedOrder
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.venue.words import PositionState

# ---- market


class MarketSeen(Fact, frozen=True, kw_only=True, tag_field="topic", tag="market.seen.v1"):
    """A market as the venue describes it, when first met."""

    spec: MarketSpec


class MarketChanged(Fact, frozen=True, kw_only=True, tag_field="topic", tag="market.changed.v1"):
    """The venue changed a market; the whole new description."""

    spec: MarketSpec
    changed: tuple[str, ...]


# ---- account


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
    quote_entry_e6: int = 0
    leverage_e4: int = 0


class LimitsSet(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.limits_set.v1"):
    """What the owner allows the account to come to from now on (quote 1e-6, share 1e-4 of its equity); null: no limit.

    The largest position is measured over all markets, in one market, and by the collateral its margin binds.
    """

    max_gross_e6: int | None = None
    max_per_market_e6: int | None = None
    max_collateral_share_e4: int | None = None


class GridRefused(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.grid_refused.v1"):
    """The account cannot carry the grid; `code` is of the error catalogue."""

    grid_id: str
    code: str
    detail: str


class SlotsReleased(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.slots_released.v1"):
    """A grid that ended gave its order slots back."""

    grid_id: str


class SlotsChanged(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.slots_changed.v1"):
    """A running grid has so many order slots from now on, and is allowed this leverage: its settings changed."""

    grid_id: str
    slots: int
    leverage_e4: int


class SlotsDenied(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.slots_denied.v1"):
    """A running grid does not get the order slots that an edit needs; `code` is of the error catalogue."""

    grid_id: str
    code: str
    detail: str


class OrdersQueued(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.orders_queued.v1"):
    """Wants that cannot be acted on yet (a transaction is under way, or the account is not live) wait here."""

    market: str
    unwanted: tuple[UnwantedOrder, ...]
    wanted: tuple[WantedOrder, ...]
    reference_e6: int
    price_seq: int


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
    """A keeper was paid for cancelling, expiring or triggering an order; `quote_e6` is negative.

    The position pays, or the deposit where `from_deposit` is set.
    """

    order_id: int
    quote_e6: int
    market_index: int
    slot: int
    signature: str
    index: int
    from_deposit: bool = False


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


class EndpointChanged(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.endpoint_changed.v1"):
    """The breaker of an endpoint (rpc, rpc2) or of the venue moved: closed, open or half-open."""

    endpoint: str
    state: str
    detail: str


class ForeignOrderSeen(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.foreign_order_seen.v1"):
    """An order on the account that no intent explains."""

    order_id: int
    market_index: int
    side: Side
    price_e6: int
    size_e9: int
    slot: int
    user_order_id: int = 0


class ForeignOrderGone(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.foreign_order_gone.v1"):
    """An order that no intent explains is not open any more."""

    order_id: int
    slot: int


class ForeignRejected(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.foreign_rejected.v1"):
    """A person asked for orders that no intent explains to be cancelled."""

    author: str
    reason: str
    order_ids: tuple[int, ...]


class ForeignFilled(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.foreign_filled.v1"):
    """A fill of an order that no intent explains: it moved the account's position, and belongs to no grid."""

    order_id: int
    market: str
    market_index: int
    fill_record_id: int
    side: Side
    base_e9: int
    quote_e6: int
    fee_e6: int
    maker: bool
    oracle_e6: int
    slot: int
    signature: str
    index: int


class DifferenceSuspected(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.difference_suspected.v1"):
    """Venue and record disagreed once, which timing may explain: no new risk until a later slot has been read."""

    slot: int
    differences: tuple[Difference, ...]


class DifferenceExplained(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.difference_explained.v1"):
    """What was suspected is gone: venue and record agree at `slot`."""

    slot: int


class AdoptionWanted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.adoption_wanted.v1"):
    """A person decided that the venue's numbers count; the next reading is taken for the truth."""

    author: str
    reason: str


class PositionChange(msgspec.Struct, frozen=True, kw_only=True):
    """What an adoption changed in one position: signed base 1e-9 and quote 1e-6."""

    market: str
    market_index: int
    base_e9: int
    quote_e6: int


class AdoptedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue says an order of ours has filled."""

    intent_id: str
    order_id: int
    filled_e9: int


class AccountAdopted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.adopted.v1"):
    """The venue's numbers replaced the record's by a person's word: what they are now, and by how much that differs.

    `changes` and `deposit_change_e6` are what books have to post under adoption.
    """

    author: str
    reason: str
    slot: int
    differences: tuple[Difference, ...]
    deposit_e6: int
    deposit_change_e6: int
    positions: tuple[PositionState, ...]
    changes: tuple[PositionChange, ...]
    orders: tuple[AdoptedOrder, ...]


class RecordReverted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.record_reverted.v1"):
    """A record seen at `confirmed` (funding, a fee, a foreign fill, …) is not part of the finalized chain."""

    signature: str
    index: int


class SettlementWanted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.settlement_wanted.v1"):
    """PnL is to be settled in these markets. `why`: command, above, margin. Others join the one under way.

    `asked_market` is the market that a person named, "" for all.
    """

    why: Literal["command", "above", "margin"]
    markets: tuple[int, ...]
    author: str = ""
    reason: str = ""
    asked_market: str = ""


class SettlementEnded(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.settlement_ended.v1"):
    """Everyone who waits for the settlement has this result; best effort: `error_code` (6260, …) is a normal one."""

    markets: tuple[int, ...]
    quote_e6: int
    error_code: int | None
    error: str


class GuardTripped(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.guard_tripped.v1"):
    """A standing check of the account or a market failed; `code` is a reason code, and its grids pause with it.

    `market` "" concerns the whole account. What does not pause is a warning.
    """

    code: str
    market: str
    detail: str
    pauses: bool = True


class GuardCleared(Fact, frozen=True, kw_only=True, tag_field="topic", tag="account.guard_cleared.v1"):
    """What tripped the guard `code` is gone; grids that paused for it alone trade again."""

    code: str
    market: str
    detail: str
