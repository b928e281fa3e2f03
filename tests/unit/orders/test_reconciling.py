"""Venue and record are compared: match, timing, break; and what a person can do about the last."""

from __future__ import annotations

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import AdoptAccount, RejectForeign
from gridkeeper_core.orders.state import flat_position
from gridkeeper_core.units import E6, E9, NS_PER_S
from support.desk import Desk, cancel, fill, kinds, order, placed, venue_order

BUY = "tale/buy/4/0"
SELL = "tale/sell/5/0"


def resting() -> Desk:
    """A desk whose order BUY rests as number 7."""
    desk = Desk()
    desk.want(order(BUY, 104))
    desk.landed(placed(desk, BUY, 7))
    return desk


def long_one(quote_e6: int = -104 * E6) -> e.PositionState:
    return e.PositionState(
        market="SOL-PERP",
        market_index=0,
        base_e9=E9,
        quote_asset_e6=quote_e6,
        quote_entry_e6=quote_e6,
        quote_break_even_e6=quote_e6,
        oracle_e6=104 * E6,
    )


def test_a_difference_that_a_later_slot_explains_is_timing() -> None:
    desk = resting()
    assert kinds(desk.read(orders=(), slot=100)) == ["DifferenceSuspected"]
    assert kinds(desk.want(order(SELL, 106))) == ["OrdersQueued"]
    facts = desk.read(orders=(venue_order(7),), slot=101)
    assert kinds(facts) == ["DifferenceExplained", "OrderAccepted", "TransactionSigned"]


def test_a_break_is_believed_only_if_every_endpoint_sees_it() -> None:
    desk = resting()
    wrong = (long_one(),)
    desk.read(orders=(venue_order(7),), positions=wrong, slot=100)
    assert desk.read(orders=(venue_order(7),), positions=wrong, slot=101, agreed=False) == []
    assert kinds(desk.read(orders=(venue_order(7),), positions=wrong, slot=102)) == ["VenueDiffers"]


def test_a_break_names_every_quantity_in_exact_integers() -> None:
    desk = resting()
    for slot in (100, 101):
        desk.read(deposit_e6=9_000 * E6, orders=(venue_order(7),), positions=(long_one(),), slot=slot)
    broken = desk.facts[-1]
    assert isinstance(broken, e.VenueDiffers)
    assert [(d.what, d.venue, d.ours) for d in broken.differences] == [
        ("market 0 base_e9", E9, 0),
        ("market 0 quote_asset_e6", -104 * E6, 0),
        ("market 0 quote_entry_e6", -104 * E6, 0),
        ("market 0 quote_break_even_e6", -104 * E6, 0),
        ("deposit_e6", 9_000 * E6, 10_000 * E6),
    ]


def broken() -> Desk:
    """BUY rests, and the venue holds a SOL more than the record, which no order explains."""
    desk = resting()
    for slot in (100, 101):
        desk.read(deposit_e6=9_999 * E6, orders=(venue_order(7),), positions=(long_one(),), slot=slot)
    assert desk.account.differs
    return desk


def test_adopting_takes_the_venues_numbers_and_says_by_how_much_they_differed() -> None:
    desk = broken()
    assert kinds(desk.command(AdoptAccount())) == ["AdoptionWanted"]
    facts = desk.read(deposit_e6=9_999 * E6, orders=(venue_order(7),), positions=(long_one(),), slot=102)
    assert kinds(facts) == ["AccountAdopted", "AccountSnapshot", "AccountLive"]
    adopted = facts[0]
    assert isinstance(adopted, e.AccountAdopted)
    assert (adopted.author, adopted.reason, adopted.deposit_change_e6) == ("ann", "why", -E6)
    assert adopted.changes == (e.PositionChange(market="SOL-PERP", market_index=0, base_e9=E9, quote_e6=-104 * E6),)
    assert len(adopted.differences) == 5
    assert kinds(desk.want(order(SELL, 106))) == ["OrderAccepted", "TransactionSigned"]


def test_an_order_whose_fill_was_adopted_is_cancelled_and_its_record_is_not_booked_again() -> None:
    desk = resting()
    half = flat_position("SOL-PERP", 0)
    moved = e.PositionState(
        market="SOL-PERP", market_index=0, base_e9=E9 // 2, quote_asset_e6=-50 * E6, quote_entry_e6=-51 * E6,
        quote_break_even_e6=-50 * E6, oracle_e6=104 * E6,
    )  # fmt: skip
    assert half.base_e9 == 0
    for slot in (100, 101):
        desk.read(orders=(venue_order(7, filled=0.5),), positions=(moved,), slot=slot)
    assert desk.account.differs, "the amounts fit no fill"
    desk.command(AdoptAccount())
    desk.read(orders=(venue_order(7, filled=0.5),), positions=(moved,), slot=102)
    assert desk.rolls[-1].cancel_order_ids == (7,)
    assert desk.seen("late", fill(7, 1, 0.5, 0.5), slot=100) == []
    assert desk.account.positions[0].base_e9 == E9 // 2


def test_orders_nobody_wanted_can_be_rejected() -> None:
    desk = resting()
    with pytest.raises(GridkeeperError, match="NO_FOREIGN_ORDERS"):
        desk.command(RejectForeign())
    desk.read(orders=(venue_order(7), venue_order(50)), slot=100)
    assert kinds(desk.command(RejectForeign())) == ["ForeignRejected", "TransactionSigned"]
    assert desk.rolls[-1].cancel_order_ids == (50,)
    assert kinds(desk.landed(cancel(50))) == ["TransactionLanded", "ForeignOrderGone"]
    assert desk.account.foreign == {}


def test_a_user_order_id_that_a_foreign_order_holds_is_not_used() -> None:
    desk = resting()
    desk.read(orders=(venue_order(7), venue_order(50, user_order_id=2)), slot=100)
    desk.want(order(SELL, 106))
    assert desk.rolls[-1].places[0].user_order_id == 3


def test_cancels_by_our_key_from_elsewhere_make_the_grids_wait_until_a_person_adopts() -> None:
    desk = resting()
    facts = desk.seen("emergency", cancel(7), ours=True)
    assert kinds(facts) == ["GuardTripped", "OrderClosed"]
    assert kinds(desk.want(order(SELL, 106))) == ["OrdersQueued"]
    desk.command(AdoptAccount())
    facts = desk.read(slot=101)
    assert kinds(facts) == ["AccountAdopted", "GuardCleared", "OrderAccepted", "TransactionSigned"]


def test_an_order_whose_log_was_cut_is_bound_by_its_user_order_id() -> None:
    desk = Desk()
    desk.want(order(BUY, 104), order(SELL, 106))
    assert kinds(desk.landed(truncated=True)) == ["TransactionLanded"]
    facts = desk.read(orders=(venue_order(7, user_order_id=1),), slot=101)
    assert kinds(facts) == ["OrderResting", "DifferenceSuspected"]
    resting = facts[0]
    assert isinstance(resting, e.OrderResting)
    assert (resting.intent_id, resting.order_id, resting.matched_by) == (BUY, 7, "user_order_id")
    facts = desk.read(orders=(venue_order(7, user_order_id=1),), slot=102)
    assert kinds(facts) == ["OrderClosed", "DifferenceExplained"]
    closed = facts[0]
    assert isinstance(closed, e.OrderClosed)
    assert (closed.intent_id, closed.reason) == (SELL, "not_placed")


def test_the_last_resort_is_side_price_and_size_and_it_is_recorded() -> None:
    desk = Desk()
    desk.want(order(BUY, 104))
    desk.landed(truncated=True)
    (resting,) = desk.read(orders=(venue_order(7, user_order_id=0),), slot=101)
    assert isinstance(resting, e.OrderResting)
    assert resting.matched_by == "fallback"


def test_a_little_interest_is_no_difference_and_is_booked_with_the_next_snapshot() -> None:
    desk = resting()
    desk.now_ns += 1800 * NS_PER_S
    assert desk.read(deposit_e6=10_000 * E6 + 40_000, orders=(venue_order(7),), slot=100) == []
    desk.now_ns += 1800 * NS_PER_S
    facts = desk.read(deposit_e6=10_000 * E6 + 80_000, orders=(venue_order(7),), slot=101)
    assert facts[0] == e.InterestPaid(quote_e6=80_000, slot=101)
    assert kinds(facts) == ["InterestPaid", "AccountSnapshot"]


def test_a_deposit_that_moved_by_more_than_interest_can_is_a_difference() -> None:
    desk = resting()
    desk.now_ns += 1800 * NS_PER_S
    assert kinds(desk.read(deposit_e6=10_001 * E6, orders=(venue_order(7),), slot=100)) == ["DifferenceSuspected"]


def test_a_cancel_that_says_nothing_of_its_order_is_not_sent_again_before_the_account_is_read() -> None:
    desk = resting()
    desk.want(unwanted=(BUY,))
    assert kinds(desk.landed()) == ["TransactionLanded"]
    assert desk.account.flights == ()
    assert desk.account.is_in_doubt
    desk.price(105)
    assert len(desk.rolls) == 2
    assert kinds(desk.read(orders=(venue_order(7),), slot=101)) == ["OrdersQueued", "TransactionSigned"]
    desk.landed()
    desk.read(slot=102)
    assert kinds(desk.read(slot=103)) == ["OrderClosed", "DifferenceExplained"]
