"""The venue forgets a position that is flat and settled once no order is left, and counts the next one from zero."""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.units import E6
from gridkeeper_core.venue import records as r
from support.desk import Desk, fill, kinds, order, placed, venue_order

BUY = "tale/buy/4/0"
SELL = "tale/sell/5/0"
AGAIN = "tale/buy/4/1"
GAIN_E6 = 2_002_000
"""Bought 1 SOL for 104, sold it for 106, a rebate of 0.001 each time."""


def flat() -> Desk:
    """Bought and sold again, no order open. The fee of the last fill stays in the break-even amount."""
    desk = Desk()
    desk.want(order(BUY, 104), order(SELL, 106))
    desk.landed(placed(desk, BUY, 7), replace(placed(desk, SELL, 8), index=1), slot=100)
    desk.seen("k1", fill(7, 1, 1.0, 1.0), slot=101)
    desk.seen("k2", replace(fill(8, 2, 1.0, 1.0, "sell"), quote_e6=106 * E6), slot=102)
    return desk


def settled(desk: Desk) -> Desk:
    desk.seen("k3", r.SettleRecord(index=0, market_index=0, quote_e6=GAIN_E6), slot=103)
    return desk


def buys_again(desk: Desk, *, truncated: bool = False) -> list[e.Fact]:
    desk.want(order(AGAIN, 104))
    records = () if truncated else (placed(desk, AGAIN, 9),)
    return desk.landed(*records, slot=104, truncated=truncated)


def venue_position(even_e6: int) -> e.PositionState:
    """1 SOL bought for 104 with a rebate of 0.001, as the venue shows it."""
    return e.PositionState(
        market="SOL-PERP",
        market_index=0,
        base_e9=10**9,
        quote_asset_e6=-103_999_000,
        quote_entry_e6=-104 * E6,
        quote_break_even_e6=even_e6,
        oracle_e6=105 * E6,
    )


def test_the_next_order_after_a_settlement_begins_a_new_position() -> None:
    desk = settled(flat())
    left = desk.account.positions[0]
    assert (left.base_e9, left.quote_asset_e6, left.quote_break_even_e6) == (0, 0, 1_000)

    assert kinds(buys_again(desk)) == ["TransactionLanded", "PositionBegun", "OrderResting"]
    desk.seen("k4", fill(9, 3, 1.0, 1.0), slot=105)

    assert desk.account.positions[0].quote_break_even_e6 == -103_999_000
    deposit_e6 = 10_000 * E6 + GAIN_E6
    assert desk.read(deposit_e6, positions=(venue_position(-103_999_000),), slot=106) == []


def test_a_transaction_that_is_shown_again_begins_nothing() -> None:
    desk = flat()
    placing = r.PlacedRecord(
        index=0, order_id=7, user_order_id=1, market_index=0, side="buy", price_e6=104 * E6, size_e9=10**9,
        reduce_only=False, max_ts=0,
    )  # fmt: skip
    settled(desk)

    assert desk.seen("s1", placing, slot=100) == []


def test_while_an_order_is_open_the_venue_keeps_the_position_and_what_it_counted() -> None:
    desk = flat()
    desk.want(order("tale/buy/3/0", 103))
    desk.landed(placed(desk, "tale/buy/3/0", 10), slot=103)
    settled(desk)

    assert "PositionBegun" not in kinds(buys_again(desk))
    assert desk.account.positions[0].quote_break_even_e6 == 1_000


def test_what_is_not_settled_is_not_forgotten() -> None:
    desk = flat()

    assert "PositionBegun" not in kinds(buys_again(desk))
    assert desk.account.positions[0].quote_break_even_e6 == 1_000


def test_where_the_log_was_cut_the_reading_that_finds_the_order_says_so() -> None:
    desk = settled(flat())
    assert kinds(buys_again(desk, truncated=True)) == ["TransactionLanded"]

    user_order_id = desk.account.attempts[AGAIN].user_order_id
    held = (venue_order(9, user_order_id=user_order_id),)
    facts = desk.read(10_000 * E6 + GAIN_E6, held, slot=106)
    begun = next(fact for fact in facts if isinstance(fact, e.PositionBegun))
    assert (begun.slot, begun.index) == (104, -1)
    assert desk.account.positions[0].quote_break_even_e6 == 0


def test_a_fork_that_takes_the_order_back_takes_back_what_began_with_it() -> None:
    desk = settled(flat())
    desk.want(order(AGAIN, 104))
    flight = desk.account.in_flight
    assert flight is not None
    desk.landed(placed(desk, AGAIN, 9), slot=104, finalized=False)
    assert desk.account.positions[0].quote_break_even_e6 == 0

    assert "RecordReverted" in kinds(desk.vanished(flight.signature))
    assert desk.account.positions[0].quote_break_even_e6 == 1_000
