"""Facts of strategy and execution for tests of ledger and notifier, told in few words, and a log to fold them from."""

from __future__ import annotations

from collections import Counter

from gridkeeper_core.events import (
    AccountSnapshot,
    Fact,
    FillReverted,
    FundingPaid,
    GridOpened,
    GridStopped,
    OrderFilled,
    PnlSettled,
    PositionState,
    Side,
    Transferred,
)
from gridkeeper_core.inputs import EventSeen, Input, PriceTick
from gridkeeper_core.machine import Draft, Machine
from gridkeeper_core.names import intent_id
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import E6, E9
from support.sol_perp import CENTS

GRID, ALIAS, MARKET = "sol", "main", "SOL-PERP"
START_NS = 1_767_225_600_000_000_000


def opened(
    *,
    levels: tuple[int, ...] = (90, 100, 110, 120),
    held: tuple[int, ...] = (0, 0, 1),
    start: int = 105,
    position: int = 0,
) -> GridOpened:
    """A grid with cells of 1 SOL; whole prices and sizes."""
    return GridOpened(
        levels_e6=tuple(level * E6 for level in levels),
        sizes_e9=(E9,) * (len(levels) - 1),
        held_e9=tuple(part * E9 for part in held),
        start_price_e6=start * E6,
        start_position_e9=position * E9,
        spec=CENTS,
    )


def filled(
    record: int,
    side: Side,
    cell: int,
    *,
    base_e9: int = E9,
    quote_e6: int | None = None,
    price: int = 100,
    fee_e6: int = 0,
    kind: str = "",
    grid: str = GRID,
    slot: int | None = None,
) -> OrderFilled:
    """A fill record; the slot is the record's number unless said otherwise."""
    quote = price * base_e9 // 1000 if quote_e6 is None else quote_e6
    return OrderFilled(
        intent_id=intent_id(grid, kind or side, cell, 0),
        attempt=1,
        order_id=record,
        market=MARKET,
        market_index=CENTS.index,
        fill_record_id=record,
        cell=cell,
        side=side,
        price_e6=price * E6,
        base_e9=base_e9,
        quote_e6=quote,
        fee_e6=fee_e6,
        maker=True,
        cumulative_e9=base_e9,
        size_e9=base_e9,
        oracle_e6=price * E6,
        slot=record if slot is None else slot,
        signature=f"sig-{record}",
        index=0,
    )


def reverted(record: int) -> FillReverted:
    """The fill with this record is gone."""
    return FillReverted(
        intent_id=f"{GRID}/buy/0/0", market_index=CENTS.index, fill_record_id=record, signature=f"sig-{record}"
    )


def taken_back(fill: OrderFilled) -> FillReverted:
    """This fill is gone; its amounts are told, as execution tells them."""
    return FillReverted(
        intent_id=fill.intent_id,
        market_index=fill.market_index,
        fill_record_id=fill.fill_record_id,
        signature=fill.signature,
        attempt=fill.attempt,
        order_id=fill.order_id,
        cell=fill.cell,
        side=fill.side,
        base_e9=fill.base_e9,
        quote_e6=fill.quote_e6,
        fee_e6=fill.fee_e6,
    )


def funding(quote_e6: int, slot: int) -> FundingPaid:
    """A funding payment in a transaction of its own."""
    return FundingPaid(
        market=MARKET,
        market_index=CENTS.index,
        quote_e6=quote_e6,
        base_e9=0,
        slot=slot,
        signature=f"fund-{slot}",
        index=0,
    )


def settled(quote_e6: int, slot: int) -> PnlSettled:
    """A settlement in a transaction of its own."""
    return PnlSettled(
        market=MARKET, market_index=CENTS.index, quote_e6=quote_e6, slot=slot, signature=f"settle-{slot}", index=0
    )


def transferred(quote_e6: int, slot: int) -> Transferred:
    """A deposit or withdrawal in a transaction of its own."""
    return Transferred(quote_e6=quote_e6, slot=slot, signature=f"transfer-{slot}", index=0)


def snapshot(slot: int, deposit_e6: int, base_e9: int = 0, quote_e6: int = 0, oracle: int = 100) -> AccountSnapshot:
    """What the venue holds at a slot; no position where base and quote are 0."""
    position = PositionState(
        market=MARKET,
        market_index=CENTS.index,
        base_e9=base_e9,
        quote_asset_e6=quote_e6,
        quote_entry_e6=0,
        quote_break_even_e6=0,
        oracle_e6=oracle * E6,
    )
    positions = (position,) if base_e9 or quote_e6 else ()
    return AccountSnapshot(
        slot=slot,
        cursor_slot=slot,
        deposit_e6=deposit_e6,
        positions=positions,
        open_orders=0,
        cursor=f"sig-{slot}",
        lamports=E9,
    )


def stopped() -> GridStopped:
    """The grid has ended."""
    return GridStopped(position_e9=0, quote_e6=0, fills=0)


class Story:
    """Gives facts to a machine one after another, as events of their streams, and keeps what the machine wrote."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.log: list[Recorded] = []
        self._versions: Counter[str] = Counter()
        self.now_ns = START_NS

    def tell(self, stream: str, fact: Fact) -> list[Fact]:
        """What the machine makes of one fact, a second after the one before."""
        self.now_ns += E9
        self._versions[stream] += 1
        return self.take(self.event(stream, self._versions[stream], fact))

    def grid(self, fact: Fact) -> list[Fact]:
        """A fact of strategy."""
        return self.tell(f"grid:{GRID}", fact)

    def account(self, *facts: Fact) -> list[Fact]:
        """Facts of execution."""
        return [written for fact in facts for written in self.tell(f"account:{ALIAS}", fact)]

    def price(self, price: int) -> list[Fact]:
        """A price of the market."""
        seen = Price(market=MARKET, source="test", source_seq=1, ts_ns=self.now_ns, oracle_e6=price * E6)
        return self.take(PriceTick(now_ns=self.now_ns, price=seen))

    def event(self, stream: str, version: int, fact: Fact) -> EventSeen:
        """A fact as it arrives."""
        recorded = Recorded(
            stream=stream, version=version, ts_ns=self.now_ns, cause="test", thread="", prev="", fact=fact
        )
        return EventSeen(now_ns=self.now_ns, event=recorded)

    def take(self, item: Input) -> list[Fact]:
        """What the machine makes of one input."""
        drafts = self.machine.accept(item)
        self.log.extend(self._stored(draft) for draft in drafts)
        return [draft.fact for draft in drafts]

    def told_again_to(self, machine: Machine) -> dict[str, str]:
        """The digests of another machine that folded the log."""
        for event in self.log:
            machine.restore(event)
        return machine.digests()

    def _stored(self, draft: Draft) -> Recorded:
        self._versions[draft.stream] += 1
        return Recorded(
            stream=draft.stream,
            version=self._versions[draft.stream],
            ts_ns=draft.ts_ns,
            cause=draft.cause,
            thread=draft.thread,
            prev="",
            fact=draft.fact,
        )
