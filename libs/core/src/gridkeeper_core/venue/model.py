"""The model of the venue: sub-accounts trade on markets that rows of prices drive, deterministic, in integers only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue import funding
from gridkeeper_core.venue.errors import VenueCode, VenueError
from gridkeeper_core.venue.filling import BY_OWNER, cancel, with_position
from gridkeeper_core.venue.liquidating import breach_prices_e6, liquidate
from gridkeeper_core.venue.margin import free_collateral_e6
from gridkeeper_core.venue.matching import NOTHING, Reach, Round, Surroundings, numbered, reach_of
from gridkeeper_core.venue.modifying import ModifyOrder, find, replacement
from gridkeeper_core.venue.operations import Exchange, MarketOperation, is_paused, require
from gridkeeper_core.venue.placing import check_margin, check_standing, place
from gridkeeper_core.venue.reading import user_status, venue_account
from gridkeeper_core.venue.records import FundingRecord, PlaceOrder, Roll, TransferRecord, VenueAccount, VenueRecord
from gridkeeper_core.venue.settling import settle
from gridkeeper_core.venue.state import Account, FillBatch, FillRules, Market, MarketRules, Order, VenueState, slot_at
from gridkeeper_core.venue.taking import take

_S_PER_HOUR = 3600
_NS_PER_HOUR = _S_PER_HOUR * NS_PER_S
_RATE_PER_PRICE = 10**6
"""Price (1e-6) times a rate of notional (1e-9) over this is the change of the cumulative rate (1e-9 quote per base)."""


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
        self._markets = {rules.spec.index: Market(rules=rules, pnl_pool_e6=rules.pnl_pool_e6) for rules in markets}
        self._index_of = {market.spec.symbol: index for index, market in self._markets.items()}
        self._accounts: dict[str, Account] = {}
        self._reach: dict[int, Reach] = {}
        self._next_sequence = 1
        self.now_ns = 0
        self.exchange_status = 0

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
        return venue_account(self._accounts[account], self._markets, alias=alias, slot=self.slot, lamports=lamports)

    def user_status(self, account: str) -> int:
        """The bits of `User.status`: 1 being liquidated, 2 bankrupt."""
        return user_status(self._accounts[account], self._markets)

    # ------------------------------------------------------------ transactions

    def open_account(self, account: str) -> None:
        """Makes an empty sub-account; one that exists stays as it is."""
        self._accounts.setdefault(account, Account())

    def execute(self, account: str, roll: Roll) -> tuple[VenueRecord, ...]:
        """One transaction: settles and cancels first, then places; all of it or none. Raises VenueError.

        A roll with a single immediate-or-cancel order is a place-and-take: it trades with the vAMM at once.
        """
        mark = self.mark()
        try:
            records = [record for index in roll.settle_markets for record in self.settle_pnl(account, index)]
            if roll.cancel_order_ids:
                records += self._cancel(account, roll.cancel_order_ids)
            if len(roll.places) == 1 and roll.places[0].immediate_or_cancel:
                return numbered((*records, *self.place_and_take(account, roll.places[0])))
            return numbered((*records, *self._place_resting(account, roll.places)))
        except VenueError:
            self.rewind(mark)
            raise

    def place(self, account: str, orders: Iterable[PlaceOrder]) -> tuple[VenueRecord, ...]:
        """Places a batch of orders; refuses all of them if one is refused or the margin does not suffice at the end."""
        return numbered(self._place_resting(account, tuple(orders)))

    def place_and_take(self, account: str, order: PlaceOrder) -> tuple[VenueRecord, ...]:
        """Places one order and fills it with the vAMM at once, as far as its limit price allows."""
        mark = self.mark()
        try:
            records, placed = self._place(account, (order,))
            return numbered((*records, *self._take(account, placed)) if placed is not None else records)
        except VenueError:
            self.rewind(mark)
            raise

    def cancel(self, account: str, order_ids: Iterable[int]) -> tuple[VenueRecord, ...]:
        """Cancels orders by id; an id that is not open is passed over, as the program does."""
        return numbered(self._cancel(account, order_ids))

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
        require(self.exchange_status, Exchange.EVERYTHING)
        order = find(self._accounts[account], wanted)
        return () if order is None else self.execute(account, replacement(account, order, wanted))

    def deposit(self, account: str, quote_e6: int) -> tuple[VenueRecord, ...]:
        """Adds to the quote deposit. Raises VenueError 6024."""
        require(self.exchange_status, Exchange.DEPOSIT)
        held = self._accounts[account]
        held = msgspec.structs.replace(
            held, deposit_e6=held.deposit_e6 + quote_e6, deposited_e6=held.deposited_e6 + quote_e6
        )
        self._keep(account, held)
        return (TransferRecord(index=0, quote_e6=quote_e6),)

    def withdraw(self, account: str, quote_e6: int) -> tuple[VenueRecord, ...]:
        """Takes from the quote deposit what the initial margin leaves free. Raises VenueError 6003, 6024, 6125."""
        require(self.exchange_status, Exchange.WITHDRAW)
        held = self._accounts[account]
        if held.is_bankrupt:
            raise VenueError(VenueCode.USER_BANKRUPT)
        if quote_e6 > held.deposit_e6 or quote_e6 > free_collateral_e6(held, self._markets):
            raise VenueError(VenueCode.INSUFFICIENT_COLLATERAL)
        held = msgspec.structs.replace(
            held, deposit_e6=held.deposit_e6 - quote_e6, withdrawn_e6=held.withdrawn_e6 + quote_e6
        )
        self._keep(account, held)
        return (TransferRecord(index=0, quote_e6=-quote_e6),)

    def settle_pnl(self, account: str, market_index: int) -> tuple[VenueRecord, ...]:
        """Moves what the position has realised into the deposit, or a loss out of it. Raises VenueError."""
        held, market, record = settle(
            self._accounts[account],
            self._markets,
            market_index,
            now_ns=self.now_ns,
            exchange_status=self.exchange_status,
        )
        self._markets[market_index] = market
        self._keep(account, held)
        return (record,)

    # ------------------------------------------------------------ the market moves

    def advance(self, now_ns: int) -> None:
        """Moves chain time forward; it never goes back."""
        self.now_ns = max(self.now_ns, now_ns)

    def apply_row(self, row: Price) -> list[FillBatch]:
        """One row: the oracle takes its price, and keepers fill what it reaches. Raises VenueError 6078."""
        market = self.market_named(row.market)
        index = market.spec.index
        self.advance(row.ts_ns)
        if market.is_frozen:
            self._markets[index] = msgspec.structs.replace(market, source_seq=row.source_seq)
            return []
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
        for name, held in list(self._accounts.items()):
            before = held.position(market.spec.index)
            after, received_e6 = funding.settle(market, before)
            if before.base_e9 == 0:
                continue
            held = with_position(held, after)
            self._keep(name, msgspec.structs.replace(held, funding_e6=held.funding_e6 + received_e6))
            record = FundingRecord(
                index=0, market_index=market.spec.index, quote_e6=received_e6, base_e9=before.base_e9
            )
            batches.append(FillBatch(account=name, records=(record,)))
        return batches

    def change_market(self, spec: MarketSpec) -> None:
        """The venue's admin changes a market."""
        market = self._markets[spec.index]
        rules = msgspec.structs.replace(market.rules, spec=spec)
        self.set_market(msgspec.structs.replace(market, rules=rules))

    def set_market(self, market: Market) -> None:
        """Puts a market in place of the one with its index."""
        self._markets[market.spec.index] = market
        self._index_of = {held.spec.symbol: index for index, held in self._markets.items()}
        self._reach.clear()

    # ------------------------------------------------------------ undoing and keeping

    def mark(self) -> VenueState:
        """The whole state as of now; cheap, because accounts and markets are immutable."""
        return VenueState(
            accounts=dict(self._accounts),
            markets=dict(self._markets),
            next_sequence=self._next_sequence,
            now_ns=self.now_ns,
            exchange_status=self.exchange_status,
        )

    def rewind(self, mark: VenueState) -> None:
        """Back to a state that `mark` gave, in this process or an earlier one."""
        self._accounts = dict(mark.accounts)
        self._markets = dict(mark.markets)
        self._index_of = {market.spec.symbol: index for index, market in self._markets.items()}
        self._next_sequence = mark.next_sequence
        self.now_ns = mark.now_ns
        self.exchange_status = mark.exchange_status
        self._reach.clear()

    def take_prices(self, markets: Mapping[int, Market], now_ns: int) -> None:
        """Gives the markets the prices and rules of other copies of them, and the chain that time, after a rewind."""
        self.advance(now_ns)
        for index, other in markets.items():
            self._markets[index] = msgspec.structs.replace(
                self._markets[index],
                rules=other.rules,
                oracle_e6=other.oracle_e6,
                source_seq=other.source_seq,
                price_ns=other.price_ns,
                is_frozen=other.is_frozen,
                confidence_e6=other.confidence_e6,
            )
        self._reach.clear()

    # ------------------------------------------------------------ inside

    def _cancel(self, account: str, order_ids: Iterable[int]) -> list[VenueRecord]:
        require(self.exchange_status, Exchange.EVERYTHING)
        held, records = self._accounts[account], list[VenueRecord]()
        for order_id in order_ids:
            order = held.order(order_id)
            if order is not None and order.is_open:
                held, record = cancel(held, order, BY_OWNER)
                records.append(record)
        self._keep(account, held)
        return records

    def _place_resting(self, account: str, orders: tuple[PlaceOrder, ...]) -> tuple[VenueRecord, ...]:
        if any(order.immediate_or_cancel for order in orders):
            raise VenueError(VenueCode.INVALID_ORDER_IOC, "only place-and-take can be immediate-or-cancel")
        return self._place(account, orders)[0]

    def _place(self, account: str, orders: tuple[PlaceOrder, ...]) -> tuple[tuple[VenueRecord, ...], Order | None]:
        require(self.exchange_status, Exchange.EVERYTHING)
        if self._enforce_margin:
            check_standing(self._accounts[account], self._markets)
        placed = place(self._accounts[account], self._markets, orders, self.now_ns, self._next_sequence)
        if self._enforce_margin:
            check_margin(placed, self._markets)
        self._next_sequence += len(orders)
        self._keep(account, placed.account)
        return placed.records, placed.last

    def _take(self, account: str, order: Order) -> list[VenueRecord]:
        market = self._markets[order.market_index]
        held, self._markets[order.market_index], records = take(
            self._accounts[account], market, order, self.exchange_status
        )
        self._keep(account, held)
        return records

    def _run_round(self, market: Market, row: Price, *, trades: bool) -> list[FillBatch]:
        batches = self._pay_due_funding(market)
        surroundings = Surroundings(self.now_ns, self._markets, self.exchange_status, self._enforce_margin)
        this_round = Round(self._accounts, self._markets[market.spec.index], row, self._fills, surroundings)
        batches += this_round.run(trades=trades)
        self._markets[market.spec.index] = this_round.market
        batches += self._liquidate(self._markets[market.spec.index])
        self._reach.clear()
        return batches

    def _pay_due_funding(self, market: Market) -> list[FillBatch]:
        """Pays the hours that are full since it was paid last; the first hour of a market begins with its price."""
        hour = self.now_ns // _NS_PER_HOUR
        if not market.rules.funding_rate_e9 or market.paid_hour == hour:
            return []
        hours = hour - market.paid_hour if market.paid_hour else 0
        self._markets[market.spec.index] = msgspec.structs.replace(market, paid_hour=hour)
        if not hours or is_paused(self.exchange_status, Exchange.FUNDING):
            return []
        if market.spec.paused_operations & MarketOperation.UPDATE_FUNDING:
            return []
        rate_e9 = market.oracle_e6 * market.rules.funding_rate_e9 * hours // _RATE_PER_PRICE
        return self.pay_funding(market.spec.symbol, rate_e9)

    def _liquidate(self, market: Market) -> list[FillBatch]:
        """Liquidators take apart what fell below its margin, unless that is paused or the oracle is not trusted."""
        is_off = is_paused(self.exchange_status, Exchange.LIQUIDATION) or not self._enforce_margin
        if is_off or not market.oracle_is_valid(self.now_ns):
            return []
        batches = []
        for name, held in self._accounts.items():
            self._accounts[name], changed, records = liquidate(held, self._markets)
            self._markets |= changed
            if records:
                batches.append(FillBatch(account=name, records=numbered(records)))
        return batches

    def _keep(self, account: str, held: Account) -> None:
        self._accounts[account] = held
        self._reach.clear()

    def _reach_of(self, index: int) -> Reach:
        if not self._reach:
            # All at once: the margin of an account is shared out among its markets at the prices of one moment.
            for each, market in self._markets.items():
                orders = [o for held in self._accounts.values() for o in held.slots if o.market_index == each]
                self._reach[each] = self._with_duties(reach_of(orders, market.rules), each)
        return self._reach[index]

    def _with_duties(self, reach: Reach, index: int) -> Reach:
        """The reach with what keepers watch beside orders: margins, and the hour of funding."""
        market = self._markets[index]
        buy_e6, sell_e6, until_s = reach
        if market.rules.funding_rate_e9:
            until_s = min(until_s, (market.paid_hour + 1) * _S_PER_HOUR - 1)
        if self._enforce_margin:
            for held in self._accounts.values():
                low_e6, high_e6 = breach_prices_e6(held, self._markets, index)
                buy_e6, sell_e6 = max(buy_e6, low_e6), min(sell_e6, high_e6)
        return Reach(buy_e6, sell_e6, until_s)
