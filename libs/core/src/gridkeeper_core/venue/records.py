"""What crosses the narrow port to a venue: orders as asked for, the account as read, transactions as seen.

No type of a venue's SDK crosses it. Units as everywhere: price and quote 1e-6, base 1e-9, chain time in seconds.
"""

from __future__ import annotations

import msgspec

from gridkeeper_core.venue.words import OrderType, PositionState, PostOnly, Side

NO_TRIGGER = 0
_MARGIN_MISSING = "InsufficientFreeCollateral"
WHOLE_POSITION_E9 = 2**64 - 1
"""Base amount of a reduce-only stop: u64::MAX, which the venue caps to the position when it fills."""


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order of a transaction. `max_ts` 0 = rests until cancelled; `trigger_e6` 0 = no trigger."""

    user_order_id: int
    market_index: int
    side: Side
    price_e6: int
    size_e9: int
    post_only: PostOnly
    reduce_only: bool = False
    max_ts: int = 0
    order_type: OrderType = "limit"
    trigger_e6: int = NO_TRIGGER
    trigger_above: bool = False
    immediate_or_cancel: bool = False


class Roll(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction does, in this order: settle these markets, cancel these order ids, place these orders."""

    alias: str
    purpose: str
    cancel_order_ids: tuple[int, ...]
    places: tuple[PlaceOrder, ...]
    settle_markets: tuple[int, ...] = ()


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A signed transaction, ready to be recorded and then sent."""

    signature: str
    bytes_base64: str
    blockhash: str
    last_valid_block_height: int


class PlacedRecord(msgspec.Struct, frozen=True, kw_only=True, tag="placed"):
    """The venue took an order and gave it `order_id`. `index` is the record's place in its transaction."""

    index: int
    order_id: int
    user_order_id: int
    market_index: int
    side: Side
    price_e6: int
    size_e9: int
    reduce_only: bool
    max_ts: int


class FillRecord(msgspec.Struct, frozen=True, kw_only=True, tag="fill"):
    """Our part of one fill. `fee_e6` is what we paid; negative is a rebate."""

    index: int
    market_index: int
    fill_record_id: int
    order_id: int
    side: Side
    base_e9: int
    quote_e6: int
    fee_e6: int
    maker: bool
    cumulative_e9: int
    order_size_e9: int
    oracle_e6: int


class CancelRecord(msgspec.Struct, frozen=True, kw_only=True, tag="cancel"):
    """An order was cancelled; `keeper_fee_e6` (not negative) is what a keeper charged us for it."""

    index: int
    order_id: int
    market_index: int
    explanation: str
    keeper_fee_e6: int
    expired: bool = False

    @property
    def fee_from_deposit(self) -> bool:
        """Whether the deposit paid the keeper, not the position.

        It does for orders that are taken away because the margin is missing (controller/orders.rs
        `force_cancel_orders`).
        """
        return self.explanation == _MARGIN_MISSING


class TriggerRecord(msgspec.Struct, frozen=True, kw_only=True, tag="trigger"):
    """A trigger order became a live one; `keeper_fee_e6` (not negative) is what a keeper charged us for it."""

    index: int
    order_id: int
    market_index: int
    keeper_fee_e6: int = 0


class FundingRecord(msgspec.Struct, frozen=True, kw_only=True, tag="funding"):
    """A funding payment; positive was received."""

    index: int
    market_index: int
    quote_e6: int
    base_e9: int


class SettleRecord(msgspec.Struct, frozen=True, kw_only=True, tag="settle"):
    """PnL moved from the position into the deposit (negative: out of it)."""

    index: int
    market_index: int
    quote_e6: int


class TransferRecord(msgspec.Struct, frozen=True, kw_only=True, tag="transfer"):
    """A deposit (positive) or withdrawal (negative) of the quote asset."""

    index: int
    quote_e6: int


class LiquidationRecord(msgspec.Struct, frozen=True, kw_only=True, tag="liquidation"):
    """Part of a position was liquidated: signed changes of base and quote, and the fee paid.

    `fill_record_id` is that of the fill by which a liquidator took it over, 0 where there was none.
    """

    index: int
    market_index: int
    base_e9: int
    quote_e6: int
    fee_e6: int
    fill_record_id: int = 0


VenueRecord = (
    PlacedRecord
    | FillRecord
    | CancelRecord
    | TriggerRecord
    | FundingRecord
    | SettleRecord
    | TransferRecord
    | LiquidationRecord
)


class SeenTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction that names our account, landed with or without an error, with every record that concerns us.

    `fee_lamports` is what the fee payer paid (priority included); `ours` says that our signer paid it.
    `logs_truncated` says that records may be missing.
    """

    signature: str
    slot: int
    block_time_s: int
    finalized: bool
    error_code: int | None
    error: str
    fee_lamports: int
    ours: bool
    records: tuple[VenueRecord, ...]
    logs_truncated: bool = False

    @property
    def failed(self) -> bool:
        """Whether it landed with an error, so that nothing in it was done."""
        return bool(self.error)


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An open order as the account holds it."""

    order_id: int
    user_order_id: int
    market_index: int
    side: Side
    price_e6: int
    size_e9: int
    filled_e9: int
    reduce_only: bool
    max_ts: int
    order_type: OrderType = "limit"
    trigger_e6: int = NO_TRIGGER


class VenueAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A sub-account as read at one slot. `lamports` is the balance of `signer` (base58, "" where it is not known)."""

    alias: str
    slot: int
    deposit_e6: int
    orders: tuple[VenueOrder, ...]
    positions: tuple[PositionState, ...]
    next_order_id: int
    being_liquidated: bool
    lamports: int
    signer_may_trade: bool = True
    signer: str = ""
