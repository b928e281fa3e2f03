"""What the model of the venue knows: orders, positions, sub-accounts, markets, and the rules they live by.

All of it is immutable data, so that a refused transaction is undone by keeping the old value.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.events import OrderType, Side
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import BPS, NS_PER_MS
from gridkeeper_core.venue.records import NO_TRIGGER, VenueRecord

MAX_OPEN_ORDERS = 32
FillModel = Literal["touch", "through", "queue"]
OrderStatus = Literal["open", "filled", "cancelled"]
MAX_POSITIONS = 8
_SLOT_NS = 400 * NS_PER_MS
_E4 = 10**4
_CONFIDENCE_MAX_E4 = 200


class FillRules(msgspec.Struct, frozen=True, kw_only=True):
    """When a trade fills a resting order.

    `touch`: a trade at the order's price or better fills it whole. `through`: only a trade beyond its price does.
    `queue`: the trade's size is shared out in price-time order, after the part `queue_ahead_e4` (1e-4) of it has gone
    to others.
    """

    model: FillModel = "through"
    queue_ahead_e4: int = 0


class MarketRules(msgspec.Struct, frozen=True, kw_only=True):
    """One market: what the venue says of it, and how the model trades it.

    The vAMM quotes `spread_bps`/2 (1e-4 of the price) on each side of the oracle; market orders pay `slippage_bps`
    more. A keeper removes a lapsed order `expiry_grace_s` after its `max_ts`; it charges `keeper_fee_e6` for that, for
    firing a trigger and for cancelling what the account can no longer carry.

    A resting order `price_band_e4` (1e-4) or more on the wrong side of the oracle is cancelled, not filled. The oracle
    is stale `stale_after_slots` after its price came. Longs pay `funding_rate_e9` (1e-9 of notional) at each full hour,
    shorts receive it. `pnl_pool_e6` is what gains are settled from. Of what a liquidator takes over,
    `liquidation_fee_e4` is its fee; it goes on until the margin is exceeded by `liquidation_buffer_e4` of notional.
    A 0, or None for the pool, leaves a rule out. Without `rejects_crossing` a post-only order that would cross rests.
    """

    spec: MarketSpec
    spread_bps: int = 0
    keeper_fee_e6: int = 0
    expiry_grace_s: int = 15
    slippage_bps: int = 0
    price_band_e4: int = 0
    stale_after_slots: int = 0
    funding_rate_e9: int = 0
    pnl_pool_e6: int | None = None
    liquidation_fee_e4: int = 100
    liquidation_buffer_e4: int = 200
    rejects_crossing: bool = True


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order in one of the account's 32 slots; it stays readable after it closed, until the slot is used again.

    `sequence` orders placements over all accounts. `taking` says that the order crossed the vAMM when it was placed and
    waits to be filled as a taker.
    """

    order_id: int
    user_order_id: int
    market_index: int
    side: Side
    price_e6: int
    size_e9: int
    post_only: bool
    reduce_only: bool
    max_ts: int
    order_type: OrderType
    sequence: int
    slot: int
    trigger_e6: int = NO_TRIGGER
    trigger_above: bool = False
    triggered: bool = False
    taking: bool = False
    immediate_or_cancel: bool = False
    filled_e9: int = 0
    filled_quote_e6: int = 0
    status: OrderStatus = "open"

    @property
    def is_open(self) -> bool:
        """Whether it can still be filled or cancelled."""
        return self.status == "open"

    @property
    def unfilled_e9(self) -> int:
        """What is left of its size."""
        return self.size_e9 - self.filled_e9

    @property
    def waits_for_trigger(self) -> bool:
        """Whether the oracle has yet to reach its trigger price."""
        return self.trigger_e6 != NO_TRIGGER and not self.triggered

    @property
    def counts_as_exposure(self) -> bool:
        """Whether the margin rules assume that it may be filled."""
        # Written out, because margin asks it of every order again and again.
        return self.status == "open" and not self.reduce_only and (self.triggered or self.trigger_e6 == NO_TRIGGER)

    def has_lapsed(self, now_s: int) -> bool:
        """Whether its `max_ts` has passed; an order that waits for its trigger never lapses."""
        return self.max_ts != 0 and now_s > self.max_ts and self.is_open and not self.waits_for_trigger


class PerpPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the chain keeps it (signed; base 1e-9, quote 1e-6, funding rate 1e-9 quote per base)."""

    market_index: int
    base_e9: int = 0
    quote_asset_e6: int = 0
    quote_entry_e6: int = 0
    quote_break_even_e6: int = 0
    settled_pnl_e6: int = 0
    last_funding_rate_e9: int = 0


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One sub-account: quote deposit, order slots, positions by market index, and lifetime totals."""

    deposit_e6: int = 0
    slots: tuple[Order, ...] = ()
    positions: dict[int, PerpPosition] = {}
    next_order_id: int = 1
    deposited_e6: int = 0
    withdrawn_e6: int = 0
    settled_pnl_e6: int = 0
    funding_e6: int = 0
    is_bankrupt: bool = False

    @property
    def open_orders(self) -> list[Order]:
        """Orders that can still be filled or cancelled, in slot order."""
        return [order for order in self.slots if order.status == "open"]

    def order(self, order_id: int) -> Order | None:
        """The order with this id, open or closed, as long as its slot holds it."""
        for order in self.slots:
            if order.order_id == order_id:
                return order
        return None

    def position(self, market_index: int) -> PerpPosition:
        """The position in a market; empty where there is none."""
        return self.positions.get(market_index) or PerpPosition(market_index=market_index)


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """A market now: its rules, the last row's price, and the counters the program keeps.

    `oracle_e6` 0 says that no price has come yet; `source_seq` is the last row's. `paid_hour` is the hour since 1970
    up to which funding was paid. A frozen oracle keeps its price whatever rows come; `confidence_e6` is how far it may
    be off.
    """

    rules: MarketRules
    oracle_e6: int = 0
    source_seq: int = 0
    price_ns: int = 0
    next_fill_record_id: int = 1
    funding_long_e9: int = 0
    funding_short_e9: int = 0
    paid_hour: int = 0
    pnl_pool_e6: int | None = None
    is_frozen: bool = False
    confidence_e6: int = 0

    @property
    def spec(self) -> MarketSpec:
        """What the venue says of the market."""
        return self.rules.spec

    @property
    def vamm_bid_e6(self) -> int:
        """What the vAMM pays."""
        return self.oracle_e6 - self.oracle_e6 * self.rules.spread_bps // (2 * BPS)

    @property
    def vamm_ask_e6(self) -> int:
        """What the vAMM asks."""
        return self.oracle_e6 + self.oracle_e6 * self.rules.spread_bps // (2 * BPS)

    def oracle_is_valid(self, now_ns: int) -> bool:
        """Whether the program trusts the oracle enough to trade, settle and liquidate by it."""
        stale_after = self.rules.stale_after_slots
        is_stale = stale_after and slot_at(now_ns) - slot_at(self.price_ns) > stale_after
        return not is_stale and self.confidence_e6 * _E4 <= self.oracle_e6 * _CONFIDENCE_MAX_E4

    def taken_at_e6(self, side: Side, *, is_market: bool) -> int:
        """What a taker trades at with the vAMM; a market order moves it."""
        quote_e6 = self.vamm_ask_e6 if side == "buy" else self.vamm_bid_e6
        slippage_e6 = quote_e6 * self.rules.slippage_bps // BPS if is_market else 0
        return quote_e6 + slippage_e6 if side == "buy" else quote_e6 - slippage_e6

    def crosses(self, side: Side, price_e6: int) -> bool:
        """Whether an order at this price would trade with the vAMM at once."""
        return price_e6 >= self.vamm_ask_e6 if side == "buy" else price_e6 <= self.vamm_bid_e6


class FillBatch(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction of a keeper: what it did to one account."""

    account: str
    records: tuple[VenueRecord, ...]


class VenueState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the model must remember over a restart."""

    accounts: dict[str, Account]
    markets: dict[int, Market]
    next_sequence: int
    now_ns: int
    exchange_status: int


def slot_at(now_ns: int) -> int:
    """The slot at a chain time: one per 400 ms since 1970, so that it needs no memory."""
    return now_ns // _SLOT_NS
