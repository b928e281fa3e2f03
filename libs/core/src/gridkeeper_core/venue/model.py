"""The model of the venue: sub-accounts trade on markets that rows of prices drive, deterministic, in integers only."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gridkeeper_core.events import OrderType, PositionState
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue import funding
from gridkeeper_core.venue.chain_position import apply_settlement, unrealized_pnl_e6
from gridkeeper_core.venue.errors import VenueCode, VenueError
from gridkeeper_core.venue.filling import BY_OWNER, cancel, fill, reducible_e9, with_position
from gridkeeper_core.venue.margin import free_collateral_e6
from gridkeeper_core.venue.matching import NOTHING, Reach, Round, numbered, reach_of
from gridkeeper_core.venue.modifying import ModifyOrder, find, replacement
from gridkeeper_core.venue.placing import check_margin, place
from gridkeeper_core.venue.records import (
    FundingRecord,
    PlaceOrder,
    Roll,
    SettleRecord,
    TransferRecord,
    VenueAccount,
    VenueOrder,
    VenueRecord,
)
from gridkeeper_core.venue.state import Account, FillBatch, FillRules, Market, MarketRules, Order, VenueState, slot_at


class VenueModel:
    """A venue in memory. Equal calls in equal order give equal results; `state` and `restore` carry it over a restart.

    Accounts are named by the caller. Every changing call either does all it was asked for or raises VenueError and
    changes nothing.
    """

    def __init__(
        self, markets: Iterable[MarketRules], fills: FillRules | None = None, *, enforce_margin: bool = True
    ) -> None:
        self._fills = fills or FillRules()
        self._enforce_margin = enforce_margin
        self._markets = {rules.spec.index: Market(rules=rules) for rules in markets}
        self._index_of = {market.spec.symbol: index for index, market in self._markets.items()}
        self._accounts: dict[str, Account] = {}
        self._reach: dict[int, Reach] = {}
        self._next_sequence = 1
        self.now_ns = 0
        self.paused = False

    # ------------------------------------------------------------ reading

    @property
    def slot(self) -> int:
        """The slot at the chain's present time."""
        return slot_at(self.now_ns)

    @property
    def accounts(self) -> dict[str, Account]:
        """Every account by name; not to be changed."""
        return self._accounts

    @property
    def markets(self) -> dict[int, Market]:
        """Every market by index; not to be changed."""
        return self._markets

    def market_named(self, symbol: str) -> Market:
        """The market with this symbol. Raises VenueError 6078."""
        if symbol not in self._index_of:
            raise VenueError(VenueCode.PERP_MARKET_NOT_FOUND, symbol)
        return self._markets[self._index_of[symbol]]

    def nearest(self, symbol: str) -> tuple[int, int] | None:
        """The highest price at which a falling, and the lowest at which a rising, market changes something; or None.

        That is the best resting buy and sell, or a trigger price that comes first. A side without an order is 0 or
        2**62. An order that waits to be filled as a taker makes every price count (2**62, 0).
        """
        reach = self._reach_of(self.market_named(symbol).spec.index)
        return None if reach == NOTHING else (reach.buy_e6, reach.sell_e6)

    def next_deadline_ns(self) -> int | None:
        """The first moment at which a keeper removes a lapsed order; None = never."""
        until_s = min((self._reach_of(index).until_s for index in self._markets), default=NOTHING.until_s)
        return None if until_s == NOTHING.until_s else (until_s + 1) * NS_PER_S

    def read(self, account: str, alias: str, lamports: int = 0) -> VenueAccount:
        """The account as the port to the venue shows it."""
        held = self._accounts[account]
        return VenueAccount(
            alias=alias,
            slot=self.slot,
            deposit_e6=held.deposit_e6,
            orders=tuple(_venue_order(order) for order in held.open_orders),
            positions=tuple(
                self._position_state(held, index)
                for index, position in sorted(held.positions.items())
                if position.base_e9 or position.quote_asset_e6
            ),
            next_order_id=held.next_order_id,
            being_liquidated=bool(held.positions) and free_collateral_e6(held, self._markets, "maintenance") < 0,
            lamports=lamports,
        )

    # ------------------------------------------------------------ transactions

    def open_account(self, account: str) -> None:
        """Makes an empty sub-account; one that exists stays as it is."""
        self._accounts.setdefault(account, Account())

    def execute(self, account: str, roll: Roll) -> tuple[VenueRecord, ...]:
        """One transaction: cancels first, then places; all of it or none. Raises VenueError.

        A roll with a single immediate-or-cancel order is a place-and-take: it trades with the vAMM at once.
        """
        mark = self.mark()
        try:
            records = self.cancel(account, roll.cancel_order_ids) if roll.cancel_order_ids else ()
            if len(roll.places) == 1 and roll.places[0].immediate_or_cancel:
                return numbered((*records, *self.place_and_take(account, roll.places[0])))
            return numbered((*records, *self.place(account, roll.places))) if roll.places else records
        except VenueError:
            self.rewind(mark)
            raise

    def place(self, account: str, orders: Iterable[PlaceOrder]) -> tuple[VenueRecord, ...]:
        """Places a batch of orders; refuses all of them if one is refused or the margin does not suffice at the end."""
        wanted = tuple(orders)
        if any(order.immediate_or_cancel for order in wanted):
            raise VenueError(VenueCode.INVALID_ORDER_IOC, "only place-and-take can be immediate-or-cancel")
        return self._place(account, wanted)[0]

    def place_and_take(self, account: str, order: PlaceOrder) -> tuple[VenueRecord, ...]:
        """Places one order and fills it with the vAMM at once, as far as its limit price allows."""
        mark = self.mark()
        try:
            records, placed = self._place(account, (order,))
            return numbered((*records, *self._take(account, placed))) if placed is not None else records
        except VenueError:
            self.rewind(mark)
            raise

    def cancel(self, account: str, order_ids: Iterable[int]) -> tuple[VenueRecord, ...]:
        """Cancels orders by id; an id that is not open is passed over, as the program does."""
        self._check_running()
        held = self._accounts[account]
        records: list[VenueRecord] = []
        for order_id in order_ids:
            order = held.order(order_id)
            if order is not None and order.is_open:
                held, record = cancel(held, order, BY_OWNER)
                records.append(record)
        self._keep(account, held)
        return numbered(records)

    def cancel_by_user_order_id(self, account: str, user_order_id: int) -> tuple[VenueRecord, ...]:
        """Cancels the first slot with this id, whatever its status: a closed one raises VenueError 6062."""
        for order in self._accounts[account].slots:
            if order.user_order_id == user_order_id:
                if not order.is_open:
                    raise VenueError(VenueCode.ORDER_NOT_OPEN, str(user_order_id))
                return self.cancel(account, (order.order_id,))
        return ()

    def modify(self, account: str, wanted: ModifyOrder) -> tuple[VenueRecord, ...]:
        """Replaces an open order by one with a new id and no priority; one that is not open may be passed over."""
        self._check_running()
        order = find(self._accounts[account], wanted)
        return () if order is None else self.execute(account, replacement(account, order, wanted))

    def deposit(self, account: str, quote_e6: int) -> tuple[VenueRecord, ...]:
        """Adds to the quote deposit."""
        held = self._accounts[account]
        self._accounts[account] = msgspec.structs.replace(
            held, deposit_e6=held.deposit_e6 + quote_e6, deposited_e6=held.deposited_e6 + quote_e6
        )
        return (TransferRecord(index=0, quote_e6=quote_e6),)

    def withdraw(self, account: str, quote_e6: int) -> tuple[VenueRecord, ...]:
        """Takes from the quote deposit what the initial margin leaves free. Raises VenueError 6003."""
        held = self._accounts[account]
        if quote_e6 > held.deposit_e6 or quote_e6 > free_collateral_e6(held, self._markets):
            raise VenueError(VenueCode.INSUFFICIENT_COLLATERAL)
        self._accounts[account] = msgspec.structs.replace(
            held, deposit_e6=held.deposit_e6 - quote_e6, withdrawn_e6=held.withdrawn_e6 + quote_e6
        )
        return (TransferRecord(index=0, quote_e6=-quote_e6),)

    def settle_pnl(self, account: str, market_index: int) -> tuple[VenueRecord, ...]:
        """Moves what the position has realised into the deposit, or a loss out of it. Raises VenueError 6010, 6259."""
        held = self._accounts[account]
        if market_index not in held.positions:
            raise VenueError(VenueCode.USER_HAS_NO_POSITION_IN_MARKET)
        position = held.position(market_index)
        amount_e6 = unrealized_pnl_e6(position, self._markets[market_index].oracle_e6)
        if amount_e6 > 0:
            amount_e6 = min(amount_e6, max(0, position.quote_asset_e6 - position.quote_entry_e6))
        if amount_e6 == 0:
            raise VenueError(VenueCode.NO_UNSETTLED_PNL)
        settled = apply_settlement(position, amount_e6)
        settled = msgspec.structs.replace(settled, settled_pnl_e6=settled.settled_pnl_e6 + amount_e6)
        self._accounts[account] = msgspec.structs.replace(
            with_position(held, settled),
            deposit_e6=held.deposit_e6 + amount_e6,
            settled_pnl_e6=held.settled_pnl_e6 + amount_e6,
        )
        return (SettleRecord(index=0, market_index=market_index, quote_e6=amount_e6),)

    # ------------------------------------------------------------ the market moves

    def advance(self, now_ns: int) -> None:
        """Moves chain time forward; it never goes back."""
        self.now_ns = max(self.now_ns, now_ns)

    def apply_row(self, row: Price) -> list[FillBatch]:
        """One row: the oracle takes its price, and keepers fill what it reaches. Raises VenueError 6078."""
        market = self.market_named(row.market)
        index = market.spec.index
        self.advance(row.ts_ns)
        market = msgspec.structs.replace(market, oracle_e6=row.oracle_e6, source_seq=row.source_seq, price_ns=row.ts_ns)
        self._markets[index] = market
        if self._reach_of(index).holds(row.oracle_e6, self.now_ns // NS_PER_S):
            return []
        return self._run_round(market, row, trades=True)

    def run_keepers(self) -> list[FillBatch]:
        """What keepers do without a new price: remove lapsed orders, fire triggers, fill takers at the present price.

        To be called after each transaction and at `next_deadline_ns`; a row does the same.
        """
        batches = []
        for index in sorted(self._markets):
            market = self._markets[index]
            reach = self._reach_of(index)
            is_due = self.now_ns // NS_PER_S > reach.until_s
            if market.oracle_e6 and (is_due or reach.sell_e6 <= market.oracle_e6 or reach.buy_e6 >= market.oracle_e6):
                row = Price(
                    market=market.spec.symbol,
                    source="",
                    source_seq=market.source_seq,
                    ts_ns=self.now_ns,
                    oracle_e6=market.oracle_e6,
                )
                batches += self._run_round(market, row, trades=False)
        return batches

    def pay_funding(self, symbol: str, rate_e9: int) -> list[FillBatch]:
        """Adds to the cumulative rate (1e-9 quote per base, positive: longs pay) and settles every position."""
        market = self.market_named(symbol)
        market = msgspec.structs.replace(
            market, funding_long_e9=market.funding_long_e9 + rate_e9, funding_short_e9=market.funding_short_e9 + rate_e9
        )
        self._markets[market.spec.index] = market
        batches = []
        for name, held in self._accounts.items():
            before = held.position(market.spec.index)
            after, received_e6 = funding.settle(market, before)
            if before.base_e9 == 0:
                continue
            held = with_position(held, after)
            self._accounts[name] = msgspec.structs.replace(held, funding_e6=held.funding_e6 + received_e6)
            record = FundingRecord(
                index=0, market_index=market.spec.index, quote_e6=received_e6, base_e9=before.base_e9
            )
            batches.append(FillBatch(account=name, records=(record,)))
        return batches

    def change_market(self, spec: MarketSpec) -> None:
        """The venue's admin changes a market."""
        market = self._markets[spec.index]
        rules = msgspec.structs.replace(market.rules, spec=spec)
        self._markets[spec.index] = msgspec.structs.replace(market, rules=rules)
        self._index_of = {held.spec.symbol: index for index, held in self._markets.items()}

    # ------------------------------------------------------------ undoing and keeping

    def mark(self) -> VenueState:
        """The whole state as of now; cheap, because accounts and markets are immutable."""
        return VenueState(
            accounts=dict(self._accounts),
            markets=dict(self._markets),
            next_sequence=self._next_sequence,
            now_ns=self.now_ns,
            paused=self.paused,
        )

    def rewind(self, mark: VenueState) -> None:
        """Back to a state that `mark` gave, in this process or an earlier one."""
        self._accounts = dict(mark.accounts)
        self._markets = dict(mark.markets)
        self._index_of = {market.spec.symbol: index for index, market in self._markets.items()}
        self._next_sequence = mark.next_sequence
        self.now_ns = mark.now_ns
        self.paused = mark.paused
        self._reach.clear()

    # ------------------------------------------------------------ inside

    def _place(self, account: str, orders: tuple[PlaceOrder, ...]) -> tuple[tuple[VenueRecord, ...], Order | None]:
        self._check_running()
        placed = place(self._accounts[account], self._markets, orders, self.now_ns, self._next_sequence)
        if self._enforce_margin:
            check_margin(placed, self._markets)
        self._next_sequence += len(orders)
        self._keep(account, placed.account)
        return numbered(placed.records), placed.last

    def _take(self, account: str, order: Order) -> list[VenueRecord]:
        held, market = self._accounts[account], self._markets[order.market_index]
        records: list[VenueRecord] = []
        base_e9 = min(order.unfilled_e9, reducible_e9(held, order)) if order.reduce_only else order.unfilled_e9
        if base_e9 and (order.price_e6 == 0 or market.crosses(order.side, order.price_e6)):
            price_e6 = market.vamm_ask_e6 if order.side == "buy" else market.vamm_bid_e6
            held, market, filled = fill(held, market, order, base_e9, price_e6, maker=False)
            self._markets[order.market_index] = market
            records.append(filled)
        left = held.order(order.order_id)
        if left is not None and left.is_open and left.immediate_or_cancel:
            held, cancelled = cancel(held, left, BY_OWNER)
            records.append(cancelled)
        self._keep(account, held)
        return records

    def _run_round(self, market: Market, row: Price, *, trades: bool) -> list[FillBatch]:
        this_round = Round(self._accounts, market, row, self._fills, self.now_ns)
        batches = this_round.run(trades=trades)
        self._markets[market.spec.index] = this_round.market
        self._reach.pop(market.spec.index, None)
        return batches

    def _keep(self, account: str, held: Account) -> None:
        self._accounts[account] = held
        self._reach.clear()

    def _check_running(self) -> None:
        if self.paused:
            raise VenueError(VenueCode.EXCHANGE_PAUSED)

    def _reach_of(self, index: int) -> Reach:
        reach = self._reach.get(index)
        if reach is None:
            orders = (o for held in self._accounts.values() for o in held.slots if o.market_index == index)
            reach = self._reach[index] = reach_of(orders, self._markets[index].rules)
        return reach

    def _position_state(self, held: Account, index: int) -> PositionState:
        market, position = self._markets[index], held.positions[index]
        return PositionState(
            market=market.spec.symbol,
            market_index=index,
            base_e9=position.base_e9,
            quote_asset_e6=position.quote_asset_e6,
            quote_entry_e6=position.quote_entry_e6,
            quote_break_even_e6=position.quote_break_even_e6,
            oracle_e6=market.oracle_e6,
            unsettled_funding_e6=funding.unsettled_e6(market, position),
        )


def _venue_order(order: Order) -> VenueOrder:
    return VenueOrder(
        order_id=order.order_id,
        user_order_id=order.user_order_id,
        market_index=order.market_index,
        side=order.side,
        price_e6=order.price_e6,
        size_e9=order.size_e9,
        filled_e9=order.filled_e9,
        reduce_only=order.reduce_only,
        max_ts=order.max_ts,
        order_type=_live_type(order),
        trigger_e6=order.trigger_e6,
    )


def _live_type(order: Order) -> OrderType:
    """A trigger order that was triggered rests or fills like the order it stands for."""
    if not order.triggered:
        return order.order_type
    return "market" if order.order_type == "trigger_market" else "limit"
