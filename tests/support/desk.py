"""Short words for what reaches execution: a machine with one live account, and the records a venue would show."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.inputs import (
    AccountBooted,
    AccountRead,
    Command,
    CommandBody,
    EventSeen,
    Input,
    MarketRead,
    PriceTick,
    TransactionSeen,
    TransactionVanished,
)
from gridkeeper_core.orders.decide import RollTooLargeError
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.orders.restating import RESTATED
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.orders.state import AccountState
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import GENESIS, Recorded
from gridkeeper_core.units import E6, E9
from gridkeeper_core.venue import records as r
from support.story import MARKET, SPEC, START_NS, config


class Desk:
    """An execution machine with one live account, and short words for what reaches it.

    `facts` are what was decided; `met` are the inputs and prices that were recorded with it.
    """

    def __init__(
        self, deposit_e6: int = 10_000 * E6, rules: AccountRules | None = None, wish: GridConfig | None = None
    ) -> None:
        self.rolls: list[r.Roll] = []
        self.can_sign = True
        self.orders_max = 100
        self.machine = ExecutionMachine(self._sign, {"main": rules or AccountRules()})
        self.now_ns = START_NS
        self.facts: list[e.Fact] = []
        self.met: list[e.Fact] = []
        self.streams: list[str] = []
        self._numbers: Iterator[int] = iter(range(1, 10_000))
        self.take(AccountBooted(now_ns=self.now_ns, alias="main"))
        self.take(MarketRead(now_ns=self.now_ns, spec=SPEC))
        self.read(deposit_e6=deposit_e6)
        self.price(105)
        self.propose(wish or config())

    def take(self, item: Input) -> list[e.Fact]:
        drafts = self.machine.accept(item)
        self.met += [draft.fact for draft in drafts if isinstance(draft.fact, RESTATED)]
        drafts = [draft for draft in drafts if not isinstance(draft.fact, RESTATED)]
        self.streams += [draft.stream for draft in drafts]
        facts = [draft.fact for draft in drafts]
        self.facts += facts
        return facts

    def price(self, price: float) -> list[e.Fact]:
        seq = next(self._numbers)
        tick = Price(market=MARKET, source="t", source_seq=seq, ts_ns=self.now_ns, oracle_e6=round(price * E6))
        return self.take(PriceTick(now_ns=self.now_ns, price=tick))

    def propose(self, wish: GridConfig) -> list[e.Fact]:
        fact = e.GridProposed(config=wish, source="", author="ann", reason="")
        return self._event(f"grid:{wish.grid_id}", fact)

    def want(self, *orders: e.WantedOrder, unwanted: tuple[str, ...] = (), seq: int = 0) -> list[e.Fact]:
        fact = e.OrdersWanted(
            account="main",
            market=MARKET,
            unwanted=tuple(e.UnwantedOrder(intent_id=i, why="window") for i in unwanted),
            wanted=orders,
            rolled=False,
            reference_e6=105 * E6,
            price_seq=seq,
        )
        return self._event("grid:tale", fact)

    def landed(
        self,
        *records: r.VenueRecord,
        error: str = "",
        code: int | None = None,
        slot: int = 100,
        finalized: bool = True,
        truncated: bool = False,
        fee_lamports: int = 5_000,
    ) -> list[e.Fact]:
        flight = self.account.in_flight
        assert flight is not None
        return self.seen(
            flight.signature,
            *records,
            error=error,
            code=code,
            slot=slot,
            finalized=finalized,
            truncated=truncated,
            fee_lamports=fee_lamports,
        )

    def seen(
        self,
        signature: str,
        *records: r.VenueRecord,
        error: str = "",
        code: int | None = None,
        slot: int = 100,
        finalized: bool = True,
        truncated: bool = False,
        ours: bool = True,
        fee_lamports: int = 5_000,
    ) -> list[e.Fact]:
        transaction = r.SeenTransaction(
            signature=signature,
            slot=slot,
            block_time_s=1,
            finalized=finalized,
            error_code=code,
            error=error,
            fee_lamports=fee_lamports,
            ours=ours,
            records=records,
            logs_truncated=truncated,
        )
        return self.take(TransactionSeen(now_ns=self.now_ns, alias="main", transaction=transaction))

    def read(
        self,
        deposit_e6: int = 10_000 * E6,
        orders: tuple[r.VenueOrder, ...] = (),
        positions: tuple[e.PositionState, ...] = (),
        *,
        slot: int = 99,
        agreed: bool = True,
        lamports: int = E9,
        signer_may_trade: bool = True,
        block_time_s: int = 0,
        cursor_slot: int = 0,
        keeps: bool = False,
    ) -> list[e.Fact]:
        account = r.VenueAccount(
            alias="main",
            slot=slot,
            deposit_e6=deposit_e6,
            orders=orders,
            positions=positions,
            next_order_id=1,
            being_liquidated=False,
            lamports=lamports,
            signer_may_trade=signer_may_trade,
            signer="Payer1",
        )
        item = AccountRead(
            now_ns=self.now_ns,
            account=account,
            cursor="c",
            cursor_slot=cursor_slot,
            agreed=agreed,
            block_time_s=block_time_s,
            keeps=keeps,
        )
        return self.take(item)

    def market(self, **changes: object) -> list[e.Fact]:
        """The market is read; fields of `MarketRead` by their names, all others are of its description."""
        oracle = {name: changes.pop(name) for name in list(changes) if name.startswith("oracle_")}
        spec = replace(SPEC, **changes)
        return self.take(MarketRead(now_ns=self.now_ns, spec=spec, **oracle))  # type: ignore[arg-type]

    def command(self, body: CommandBody) -> list[e.Fact]:
        number = next(self._numbers)
        return self.take(
            Command(now_ns=self.now_ns, key=f"k{number}", author="ann", reason="why", target="account:main", body=body)
        )

    def vanished(self, signature: str) -> list[e.Fact]:
        return self.take(TransactionVanished(now_ns=self.now_ns, alias="main", signature=signature))

    @property
    def account(self) -> AccountState:
        return self.machine.account("main")

    def _event(self, stream: str, fact: e.Fact) -> list[e.Fact]:
        event = Recorded(stream=stream, version=1, ts_ns=self.now_ns, cause="", thread="", prev=GENESIS, fact=fact)
        return self.take(EventSeen(now_ns=self.now_ns, event=event))

    def _sign(self, roll: r.Roll) -> r.Signed | None:
        if not self.can_sign:
            return None
        if len(roll.places) + len(roll.cancel_order_ids) > self.orders_max:
            raise RollTooLargeError
        self.rolls.append(roll)
        number = len(self.rolls)
        return r.Signed(signature=f"s{number}", bytes_base64="Yg==", blockhash="h", last_valid_block_height=150)


def order(intent: str, price: float, size: float = 1.0) -> e.WantedOrder:
    _, side, cell, _ = intent.split("/")
    return e.WantedOrder(
        intent_id=intent,
        kind=side,
        cell=int(cell),
        side=side,  # type: ignore[arg-type]
        price_e6=round(price * E6),
        size_e9=round(size * E9),
    )


def placed(desk: Desk, intent: str, order_id: int) -> r.PlacedRecord:
    attempt = desk.machine.account("main").attempts[intent]
    return r.PlacedRecord(
        index=0,
        order_id=order_id,
        user_order_id=attempt.user_order_id,
        market_index=0,
        side=attempt.side,
        price_e6=attempt.price_e6,
        size_e9=attempt.size_e9,
        reduce_only=False,
        max_ts=0,
    )


def fill(order_id: int, record_id: int, base: float, cumulative: float, side: str = "buy") -> r.FillRecord:
    return r.FillRecord(
        index=1,
        market_index=0,
        fill_record_id=record_id,
        order_id=order_id,
        side=side,  # type: ignore[arg-type]
        base_e9=round(base * E9),
        quote_e6=round(base * 104 * E6),
        fee_e6=-1_000,
        maker=True,
        cumulative_e9=round(cumulative * E9),
        order_size_e9=E9,
        oracle_e6=104 * E6,
    )


def cancel(order_id: int, *, expired: bool = False) -> r.CancelRecord:
    return r.CancelRecord(index=2, order_id=order_id, market_index=0, explanation="", keeper_fee_e6=0, expired=expired)


def kinds(facts: list[e.Fact]) -> list[str]:
    return [type(fact).__name__ for fact in facts]


def venue_order(order_id: int, filled: float = 0, user_order_id: int = 1) -> r.VenueOrder:
    return r.VenueOrder(
        order_id=order_id,
        user_order_id=user_order_id,
        market_index=0,
        side="buy",
        price_e6=104 * E6,
        size_e9=E9,
        filled_e9=round(filled * E9),
        reduce_only=False,
        max_ts=0,
    )
