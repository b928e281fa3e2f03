"""What a row of the market does to orders: lapsed ones go, triggers fire, takers trade, resting ones are filled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from gridkeeper_core.market import round_down_to
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue.filling import (
    BEYOND_BAND,
    BY_EXPIRY,
    NOT_CARRIED,
    NOTHING_TO_REDUCE,
    Explanation,
    cancel,
    cancel_sleeping_stops,
    fill,
    reducible_e9,
    trigger,
    with_order,
)
from gridkeeper_core.venue.margin import free_collateral_e6, increases_risk
from gridkeeper_core.venue.operations import Exchange, MarketOperation
from gridkeeper_core.venue.records import NO_TRIGGER, LiquidationRecord, PlacedRecord, TriggerRecord, VenueRecord
from gridkeeper_core.venue.state import Account, FillBatch, FillRules, Market, MarketRules, Order

NO_BUY_E6 = 0
NO_SELL_E6 = 2**62
_NEVER_S = 2**62
_RECORDS_PER_BATCH = 16  # what the chain's log limit of 10,000 bytes holds with room to spare
_E4 = 10**4
_WITH_VAMM = MarketOperation.FILL | MarketOperation.AMM_FILL
_SECOND_OF_TWO = (PlacedRecord, LiquidationRecord)


class Reach(NamedTuple):
    """The prices between which, and the second up to which, a row changes nothing on a market."""

    buy_e6: int
    sell_e6: int
    until_s: int

    def holds(self, price_e6: int, now_s: int) -> bool:
        """Whether a row at this price and time reaches no order."""
        return self.buy_e6 < price_e6 < self.sell_e6 and now_s <= self.until_s


NOTHING = Reach(NO_BUY_E6, NO_SELL_E6, _NEVER_S)


def reach_of(orders: Iterable[Order], rules: MarketRules) -> Reach:
    """The reach of a market with these orders (of that market, all accounts)."""
    buy, sell, until = NOTHING
    for order in orders:
        if order.status != "open":
            continue
        sleeps = order.trigger_e6 != NO_TRIGGER and not order.triggered
        if order.max_ts and not sleeps:
            until = min(until, order.max_ts + rules.expiry_grace_s)
        if order.taking:
            buy, sell = NO_SELL_E6, NO_BUY_E6
        elif sleeps:
            buy, sell = (
                (buy, min(sell, order.trigger_e6)) if order.trigger_above else (max(buy, order.trigger_e6), sell)
            )
        elif order.side == "buy":
            buy = order.price_e6 if order.price_e6 > buy else buy
        elif order.price_e6 < sell:
            sell = order.price_e6
    return Reach(buy, sell, until)


class Surroundings(NamedTuple):
    """What a round must know beside its market: the time, all markets, what is paused, whether margin counts."""

    now_ns: int
    markets: Mapping[int, Market]
    exchange_status: int
    enforces_margin: bool


class Round:
    """One row being applied to one market: accounts and market as they become, records per account."""

    def __init__(
        self, accounts: dict[str, Account], market: Market, row: Price, rules: FillRules, venue: Surroundings
    ) -> None:
        self.accounts = accounts
        self.market = market
        self._row = row
        self._rules = rules
        self._venue = venue
        self._now_s = venue.now_ns // NS_PER_S
        self._records: dict[str, list[VenueRecord]] = {}

    def run(self, *, trades: bool) -> list[FillBatch]:
        """Applies the row; `accounts` and `market` are then as it left them. Without `trades` nothing resting fills."""
        for name in list(self.accounts):
            self._keep(name)
        if trades and self._may_fill(MarketOperation.FILL):
            self._fill_resting()
        return [
            FillBatch(account=name, records=numbered(records[first : first + _RECORDS_PER_BATCH]))
            for name, records in self._records.items()
            for first in range(0, len(records), _RECORDS_PER_BATCH)
        ]

    def _keep(self, name: str) -> None:
        """What keepers do to an account before anything rests: remove lapsed orders, fire triggers, fill takers."""
        grace_s = self.market.rules.expiry_grace_s
        for order in self._open(name):
            if not order.max_ts and not order.taking and order.trigger_e6 == NO_TRIGGER:
                continue  # nearly every order: it rests until it is filled or cancelled
            # A keeper fills a market order within seconds, however far apart the rows of a recording are: it has
            # its chance at the next row even if its 30 seconds are over by then.
            if order.has_lapsed(self._now_s - grace_s) and order.order_type != "market":
                self._cancel_lapsed(name, order)
            elif order.waits_for_trigger and self._fires(order):
                self.accounts[name], live, record = trigger(self.accounts[name], self.market, order)
                self._note(name, record)
                self._take(name, live)
            elif order.taking:
                self._take(name, order)

    def _take(self, name: str, order: Order) -> None:
        """Fills a taker with the vAMM; a limit order that no longer crosses rests from now on."""
        if not self._may_fill(_WITH_VAMM):
            return
        is_market = order.order_type in ("market", "trigger_market")
        if order.price_e6 == 0 or (self.market.crosses(order.side, order.price_e6) and self._may_take(order)):
            price_e6 = self.market.taken_at_e6(order.side, is_market=is_market)
            self._fill(name, order, order.unfilled_e9, price_e6, maker=False)
        elif not is_market:
            self.accounts[name] = with_order(self.accounts[name], msgspec.structs.replace(order, taking=False))
        elif order.has_lapsed(self._now_s):
            self._cancel_lapsed(name, order)

    def _may_take(self, order: Order) -> bool:
        return order.taking and (order.order_type == "market" or not order.has_lapsed(self._now_s))

    def _fill_resting(self) -> None:
        available_e9 = self._available_e9()
        for name, order in self._hits():
            held = self.accounts[name].order(order.order_id)
            if held is None or not held.is_open:
                continue
            if self._is_beyond_band(order):
                self._cancel_for_fee(name, order, BEYOND_BAND)
                continue
            base_e9 = order.unfilled_e9 if available_e9 is None else min(order.unfilled_e9, available_e9)
            if base_e9 == 0:
                return
            filled_e9 = self._fill(name, order, base_e9, order.price_e6, maker=True)
            if available_e9 is not None:
                available_e9 -= filled_e9

    def _hits(self) -> list[tuple[str, Order]]:
        """Resting orders the row reaches: nearest to the old price first, then the oldest."""
        # How far a price must be on the right side of a level to fill there.
        beyond_e6 = 1 if self._rules.model == "through" else 0
        lowest_buy_e6, highest_sell_e6 = self._row.oracle_e6 + beyond_e6, self._row.oracle_e6 - beyond_e6
        found = [
            (name, order)
            for name in self.accounts
            for order in self._open(name)
            if (order.price_e6 >= lowest_buy_e6 if order.side == "buy" else order.price_e6 <= highest_sell_e6)
            and not order.has_lapsed(self._now_s)
            and not order.waits_for_trigger
            and not order.taking
        ]
        return sorted(found, key=lambda hit: (_depth_e6(hit[1]), hit[1].sequence)) if len(found) > 1 else found

    def _available_e9(self) -> int | None:
        """How much of the row's trade reaches our orders; None = as much as there is."""
        if self._rules.model != "queue" or self._row.size_e9 is None:
            return None
        ours_e9 = self._row.size_e9 * (_E4 - self._rules.queue_ahead_e4) // _E4
        return round_down_to(ours_e9, self.market.spec.step_e9)

    def _fill(self, name: str, order: Order, base_e9: int, price_e6: int, *, maker: bool) -> int:
        """Fills what may be filled and says how much; a reduce-only order that has nothing to reduce goes."""
        if order.reduce_only:
            base_e9 = min(base_e9, reducible_e9(self.accounts[name], order))
        if base_e9:
            account, market, record = fill(self.accounts[name], self.market, order, base_e9, price_e6, maker=maker)
            if not self._is_carried(self.accounts[name], account, market):
                self._force_cancel(name)
                return 0
            self.accounts[name], self.market = account, market
            self._note(name, record)
        after = self.accounts[name].order(order.order_id)
        if after is not None and after.is_open and after.reduce_only and not reducible_e9(self.accounts[name], after):
            self._cancel_for_fee(name, after, NOTHING_TO_REDUCE)
        self.accounts[name], stops = cancel_sleeping_stops(self.accounts[name], order.market_index)
        for stop in stops:
            self._note(name, stop)
        return base_e9

    def _cancel_lapsed(self, name: str, order: Order) -> None:
        self._cancel_for_fee(name, order, BY_EXPIRY)

    def _cancel_for_fee(self, name: str, order: Order, explanation: Explanation) -> None:
        fee_e6 = self.market.rules.keeper_fee_e6
        self.accounts[name], record = cancel(self.accounts[name], order, explanation, fee_e6)
        self._note(name, record)

    def _is_carried(self, before: Account, after: Account, market: Market) -> bool:
        """Whether the account meets the margin of a fill; one that makes the position smaller needs none."""
        index = market.spec.index
        is_smaller = abs(after.position(index).base_e9) <= abs(before.position(index).base_e9)
        if is_smaller or not self._venue.enforces_margin:
            return True
        return free_collateral_e6(after, {**self._venue.markets, index: market}, "fill") >= 0

    def _force_cancel(self, name: str) -> None:
        """A keeper takes away every order the account can no longer carry: those that might make a position larger."""
        for order in self.accounts[name].open_orders:
            base_e9 = self.accounts[name].position(order.market_index).base_e9
            if not order.reduce_only and increases_risk(order.side, order.unfilled_e9, base_e9, 0, 0):
                self._cancel_for_fee(name, order, NOT_CARRIED)

    def _may_fill(self, operations: MarketOperation) -> bool:
        """Whether nothing is paused that it needs, and the oracle is good enough; a match among makers needs less."""
        with_vamm = operations == _WITH_VAMM
        status, paused = self._venue.exchange_status, self.market.spec.paused_operations
        if (status and status & (Exchange.FILL | Exchange.AMM if with_vamm else Exchange.FILL)) or (
            paused and paused & operations
        ):
            return False
        return self.market.oracle_is_valid(self._venue.now_ns if with_vamm else self.market.price_ns)

    def _is_beyond_band(self, order: Order) -> bool:
        band_e4, oracle_e6 = self.market.rules.price_band_e4, self._row.oracle_e6
        beyond_e6 = order.price_e6 - oracle_e6 if order.side == "buy" else oracle_e6 - order.price_e6
        return bool(band_e4) and beyond_e6 * _E4 >= oracle_e6 * band_e4

    def _fires(self, order: Order) -> bool:
        oracle_e6 = self._row.oracle_e6
        return oracle_e6 > order.trigger_e6 if order.trigger_above else oracle_e6 < order.trigger_e6

    def _open(self, name: str) -> list[Order]:
        index = self.market.spec.index
        return [o for o in self.accounts[name].slots if o.status == "open" and o.market_index == index]

    def _note(self, name: str, record: VenueRecord) -> None:
        self._records.setdefault(name, []).append(record)


def numbered(records: Iterable[VenueRecord]) -> tuple[VenueRecord, ...]:
    """The records of one transaction with their places among the events the program logs for it, from 0.

    The program logs two events for a place and for a liquidation, of which the second is the record, and two for a
    trigger, of which the first is.
    """
    found = []
    events = 0
    for record in records:
        is_second = isinstance(record, _SECOND_OF_TWO)
        index = events + is_second
        found.append(record if record.index == index else msgspec.structs.replace(record, index=index))
        events += 2 if is_second or isinstance(record, TriggerRecord) else 1
    return tuple(found)


def _depth_e6(order: Order) -> int:
    return -order.price_e6 if order.side == "buy" else order.price_e6
