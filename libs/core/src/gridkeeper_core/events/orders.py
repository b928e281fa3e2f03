"""Facts about the orders of an account, written by execution."""

from __future__ import annotations

from typing import Literal

from gridkeeper_core.events.base import Fact, OrderType, PostOnly, Side


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
    order_type: OrderType = "limit"
    trigger_e6: int = 0
    trigger_above: bool = False
    immediate_or_cancel: bool = False


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

    `(market_index, fill_record_id)` is unique for ever. `cumulative_e9` is what this order filled up to here. A `late`
    one is of an order that was recorded as over: its end was undone.
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
    late: bool = False


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
    """A fill seen at `confirmed` is not part of the finalized chain. The amounts are those of the fill taken back."""

    intent_id: str
    market_index: int
    fill_record_id: int
    signature: str
    attempt: int = 0
    order_id: int = 0
    cell: int = -1
    side: Side = "buy"
    base_e9: int = 0
    quote_e6: int = 0
    fee_e6: int = 0


class OrderClosed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="order.closed.v1"):
    """An attempt is over and its slot free again.

    `reason`: filled, cancelled, lapsed (max_ts), expired (its transaction can never land), failed (its transaction
    landed with an error), not_placed (post-only would have crossed), venue (cancelled by the venue), adopted (a person
    took the venue's word). `signature` names the transaction that closed it while that one could still be undone.
    """

    intent_id: str
    attempt: int
    order_id: int | None
    user_order_id: int
    reason: Literal["filled", "cancelled", "lapsed", "expired", "failed", "not_placed", "venue", "adopted"]
    filled_e9: int
    size_e9: int
    signature: str = ""
    slot: int = 0


class OrderOrphaned(Fact, frozen=True, kw_only=True, tag_field="topic", tag="order.orphaned.v1"):
    """An order that was recorded as closed is open on the venue (its end was undone): it is cancelled at once."""

    intent_id: str
    attempt: int
    order_id: int
    user_order_id: int
    market_index: int
    slot: int


class OrphanGone(Fact, frozen=True, kw_only=True, tag_field="topic", tag="order.orphan_gone.v1"):
    """An orphan is not open any more."""

    intent_id: str
    attempt: int
    order_id: int
    slot: int


class OrderTriggered(Fact, frozen=True, kw_only=True, tag_field="topic", tag="order.triggered.v1"):
    """A sleeping stop or take profit woke up on the venue and is being filled."""

    intent_id: str
    attempt: int
    order_id: int
    market: str
    market_index: int
    slot: int
    signature: str
    index: int
