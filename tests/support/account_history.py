"""An account's history as execution records it, beside a venue that only adds up: for tests of the equity proof."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gridkeeper_core.events import (
    AccountAdopted,
    AccountSnapshot,
    Fact,
    FillBooked,
    FillReverted,
    ForeignFilled,
    FundingPaid,
    InterestPaid,
    KeeperFeeCharged,
    Liquidated,
    OrderFilled,
    PnlSettled,
    PositionChange,
    Transferred,
)
from gridkeeper_core.ledger.interval import EquityFold, IntervalProof, Snap, window_of
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import E6
from support.ledger_story import ALIAS, MARKET, START_NS, Story, snapshot


class Venue:
    """Base, quote and deposit of one market, by sums alone."""

    def __init__(self) -> None:
        self.deposit_e6 = 1_000 * E6
        self.base_e9 = 0
        self.quote_e6 = 0
        self._fills: dict[int, tuple[int, int]] = {}

    def apply(self, fact: Fact) -> None:
        """What the fact did to the account."""
        match fact:
            case OrderFilled() | ForeignFilled():
                sign = 1 if fact.side == "buy" else -1
                moved = (sign * fact.base_e9, -sign * fact.quote_e6 - fact.fee_e6)
                self._fills[fact.fill_record_id] = moved
                self._move(*moved)
            case FillReverted():
                base, quote = self._fills[fact.fill_record_id]
                self._move(-base, -quote)
            case Liquidated():
                self._move(fact.base_e9, fact.quote_e6 - fact.fee_e6)
            case KeeperFeeCharged(from_deposit=True):
                self.deposit_e6 += fact.quote_e6
            case FundingPaid() | KeeperFeeCharged():
                self.quote_e6 += fact.quote_e6
            case PnlSettled():
                self.quote_e6 -= fact.quote_e6
                self.deposit_e6 += fact.quote_e6
            case Transferred() | InterestPaid():
                self.deposit_e6 += fact.quote_e6
            case AccountAdopted(changes=(PositionChange() as change,)):
                self._move(change.base_e9, change.quote_e6)
                self.deposit_e6 += fact.deposit_change_e6

    def snapshot(self, slot: int, oracle: int) -> AccountSnapshot:
        """As it is read now; nothing of it is final yet."""
        read = snapshot(slot, self.deposit_e6, self.base_e9, self.quote_e6, oracle)
        return msgspec.structs.replace(read, cursor_slot=-1)

    def _move(self, base_e9: int, quote_e6: int) -> None:
        self.base_e9 += base_e9
        self.quote_e6 += quote_e6


def recorded(facts: Sequence[Fact], stream: str = f"account:{ALIAS}") -> list[Recorded]:
    """The facts as events of one stream, a second apart."""
    return [
        Recorded(stream=stream, version=n, ts_ns=START_NS + n * 10**9, cause="test", thread="", prev="", fact=fact)
        for n, fact in enumerate(facts, start=1)
    ]


def proven(
    events: Sequence[Recorded], booked: Sequence[Recorded] = (), first: int = 0, last: int = -1
) -> IntervalProof:
    """The proof between two of the snapshots, counted from 0."""
    snaps = [
        Snap(id=n, event=event.identity, ts_ns=event.ts_ns, fact=event.fact)
        for n, event in enumerate(events, start=1)
        if isinstance(event.fact, AccountSnapshot)
    ]
    fold = EquityFold(ALIAS, window_of(snaps, snaps[first].ts_ns, snaps[last].ts_ns))
    for n, event in enumerate(events, start=1):
        fold.take(n, event)
    for event in booked:
        fold.book(event)
    return fold.proof()


def booked_by(story: Story) -> list[Recorded]:
    """What the ledger booked of the story's fills."""
    return [event for event in story.log if isinstance(event.fact, FillBooked)]


def adoption(base_e9: int, quote_e6: int, deposit_e6: int, slot: int) -> AccountAdopted:
    """The venue's numbers are taken for the truth: they differ by so much."""
    change = PositionChange(market=MARKET, market_index=0, base_e9=base_e9, quote_e6=quote_e6)
    return AccountAdopted(
        author="ann",
        reason="the venue is right",
        slot=slot,
        differences=(),
        deposit_e6=0,
        deposit_change_e6=deposit_e6,
        positions=(),
        changes=(change,),
        orders=(),
    )


def foreign_fill(record: int, *, base_e9: int, quote_e6: int, fee_e6: int = 0) -> ForeignFilled:
    """A fill that belongs to no grid; negative base was sold."""
    return ForeignFilled(
        order_id=900 + record,
        market=MARKET,
        market_index=0,
        fill_record_id=record,
        side="buy" if base_e9 > 0 else "sell",
        base_e9=abs(base_e9),
        quote_e6=quote_e6,
        fee_e6=fee_e6,
        maker=False,
        oracle_e6=100 * E6,
        slot=record,
        signature=f"sig-{record}",
        index=0,
    )
