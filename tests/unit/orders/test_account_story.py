"""What execution does for one account, input by input: wants, transactions and what the chain answers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.inputs import (
    AccountBooted,
    Command,
    HaltAccount,
    TransactionGone,
    TransactionVanished,
    Wake,
)
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue import records as r
from support.desk import Desk, cancel, fill, kinds, order, placed, venue_order
from support.story import START_NS, config

BUY = "tale/buy/4/0"
SELL = "tale/sell/5/0"


def resting() -> Desk:
    """A desk whose order BUY rests as number 7."""
    desk = Desk()
    desk.want(order(BUY, 104))
    desk.landed(placed(desk, BUY, 7))
    return desk


def test_wants_are_accepted_and_signed_in_one_decision() -> None:
    desk = Desk()
    facts = desk.want(order(BUY, 104), order(SELL, 106))

    assert kinds(facts) == ["OrderAccepted", "OrderAccepted", "TransactionSigned"]
    assert [p.price_e6 for p in desk.rolls[0].places] == [104 * E6, 106 * E6]
    assert len({p.user_order_id for p in desk.rolls[0].places}) == 2


def test_nothing_more_is_signed_while_a_transaction_is_in_flight() -> None:
    desk = Desk()
    desk.want(order(BUY, 104))

    assert kinds(desk.want(order(SELL, 106))) == ["OrdersQueued"]
    assert len(desk.rolls) == 1
    facts = desk.landed(placed(desk, BUY, 7))
    assert kinds(facts) == ["TransactionLanded", "OrderResting", "OrderAccepted", "TransactionSigned"]


def test_a_cancel_names_its_order_completely() -> None:
    desk = resting()
    desk.want(unwanted=(BUY,))

    signed = desk.facts[-1]
    assert isinstance(signed, e.TransactionSigned)
    assert signed.cancels == (e.CancelRef(intent_id=BUY, attempt=1, user_order_id=1, order_id=7),)
    assert desk.rolls[-1].cancel_order_ids == (7,)


def test_an_order_that_is_not_bound_yet_is_cancelled_as_soon_as_it_is() -> None:
    desk = Desk()
    desk.want(order(BUY, 104))
    assert kinds(desk.want(unwanted=(BUY,))) == ["OrdersQueued"]

    facts = desk.landed(placed(desk, BUY, 7))
    assert kinds(facts) == ["TransactionLanded", "OrderResting", "TransactionSigned"]
    assert desk.rolls[-1].cancel_order_ids == (7,)


def test_a_want_withdrawn_before_it_was_tried_is_answered() -> None:
    desk = Desk()
    desk.want(order(BUY, 104))
    desk.want(order(SELL, 106))

    facts = desk.want(unwanted=(SELL,))
    assert facts == [e.OrderRefused(intent_id=SELL, attempt=0, code="WITHDRAWN", detail="window")]


def test_the_same_intent_waits_until_its_open_attempt_is_proven_closed() -> None:
    desk = resting()
    desk.want(unwanted=(BUY,))
    desk.want(order(BUY, 104))
    assert len(desk.rolls) == 2

    facts = desk.landed(cancel(7))
    assert kinds(facts) == ["TransactionLanded", "OrderClosed", "OrderAccepted", "TransactionSigned"]
    assert desk.machine.account("main").attempts[BUY].attempt == 2


def test_an_intent_never_has_two_open_attempts() -> None:
    desk = resting()
    assert kinds(desk.want(order(BUY, 104))) == ["OrdersQueued"]
    assert len(desk.rolls) == 1


def test_fills_add_up_and_the_last_one_closes_the_order() -> None:
    desk = resting()
    first = desk.seen("k1", fill(7, 1, 0.4, 0.4))
    second = desk.seen("k2", fill(7, 2, 0.6, 1.0))

    assert kinds(first) == ["OrderFilled"]
    assert kinds(second) == ["OrderFilled", "OrderClosed"]
    closed = second[-1]
    assert isinstance(closed, e.OrderClosed)
    assert (closed.reason, closed.filled_e9) == ("filled", E9)


def test_a_record_seen_again_changes_nothing() -> None:
    desk = resting()
    desk.seen("k1", fill(7, 1, 0.4, 0.4))
    before = desk.account

    assert desk.seen("k1", fill(7, 1, 0.4, 0.4)) == []
    assert desk.seen("k2", cancel(99)) == []
    assert desk.account == before


def test_a_fill_beyond_the_order_is_a_difference_and_stops_placing() -> None:
    desk = resting()
    facts = desk.seen("k1", fill(7, 1, 1.5, 1.5))

    assert kinds(facts) == ["VenueDiffers"]
    assert kinds(desk.want(order(SELL, 106))) == ["OrdersQueued"]
    assert len(desk.rolls) == 1


def test_a_fill_of_an_order_that_is_not_ours_moves_our_position_and_makes_the_grids_wait() -> None:
    desk = resting()
    assert kinds(desk.seen("k1", fill(99, 1, 0.5, 0.5))) == ["ForeignFilled", "GuardTripped"]
    assert desk.account.positions[0].base_e9 == E9 // 2
    assert kinds(desk.want(order(SELL, 106))) == ["OrdersQueued"]
    assert desk.seen("k1", fill(99, 1, 0.5, 0.5)) == []


def test_an_order_the_venue_did_not_take_is_closed_as_not_placed() -> None:
    desk = Desk()
    desk.want(order(BUY, 104), order(SELL, 106))

    facts = desk.landed(placed(desk, BUY, 7))
    assert kinds(facts) == ["TransactionLanded", "OrderResting", "OrderClosed"]
    closed = facts[-1]
    assert isinstance(closed, e.OrderClosed)
    assert (closed.intent_id, closed.reason) == (SELL, "not_placed")


def test_a_failed_transaction_closes_its_orders_and_keeps_its_cancels_to_do() -> None:
    desk = resting()
    desk.want(order(SELL, 106), unwanted=(BUY,))

    facts = desk.landed(error="MaxNumberOfOrders", code=6060)
    assert kinds(facts) == ["TransactionFailed", "OrderClosed", "TransactionSigned"]
    assert desk.rolls[-1].cancel_order_ids == (7,)


def test_an_expired_transaction_is_known_only_by_proof() -> None:
    desk = Desk()
    desk.want(order(BUY, 104))
    gone = TransactionGone(now_ns=desk.now_ns, alias="main", signature="s1", block_height=151)

    facts = desk.take(gone)
    assert kinds(facts) == ["TransactionExpired", "OrderClosed"]
    assert desk.take(gone) == []


def test_an_order_that_would_cross_the_newest_price_is_refused() -> None:
    desk = Desk()
    desk.price(103.5)
    facts = desk.want(order(BUY, 104), order(SELL, 106))

    refused = facts[0]
    assert isinstance(refused, e.OrderRefused)
    assert (refused.intent_id, refused.code) == (BUY, "POST_ONLY_CROSS")
    assert [p.side for p in desk.rolls[0].places] == ["sell"]


def test_an_order_the_collateral_does_not_cover_is_refused() -> None:
    desk = Desk(deposit_e6=15 * E6)
    facts = desk.want(order(BUY, 104), order("tale/buy/3/0", 103))

    # 104 of notional needs 10.50 at 10 percent of the price of 105; two need 21.
    assert kinds(facts) == ["OrderRefused", "OrderAccepted", "TransactionSigned"]
    refused = facts[0]
    assert isinstance(refused, e.OrderRefused)
    assert refused.code == "MARGIN"


def test_no_order_is_placed_on_a_price_that_is_too_old() -> None:
    desk = Desk()
    desk.now_ns += 60 * NS_PER_S
    assert kinds(desk.want(order(BUY, 104))) == ["OrdersQueued"]
    assert kinds(desk.price(105)) == ["OrderAccepted", "TransactionSigned"]


def test_a_want_waits_while_nothing_can_be_signed() -> None:
    desk = Desk()
    desk.can_sign = False
    assert kinds(desk.want(order(BUY, 104))) == ["OrdersQueued"]
    desk.can_sign = True
    assert kinds(desk.price(105)) == ["OrderAccepted", "TransactionSigned"]


def test_at_most_sixteen_cancels_and_sixteen_places_go_into_one_transaction() -> None:
    desk = Desk()
    wants = [order(f"tale/buy/{cell}/0", 104 - cell / 100, 0.01) for cell in range(20)]
    facts = desk.want(*wants)
    assert kinds(facts).count("OrderAccepted") == 16
    desk.landed(*[replace(placed(desk, w.intent_id, 100 + n), index=n) for n, w in enumerate(wants[:16])])
    assert len(desk.rolls[-1].places) == 4
    desk.landed(*[replace(placed(desk, w.intent_id, 200 + n), index=n) for n, w in enumerate(wants[16:])])
    desk.want(unwanted=tuple(w.intent_id for w in wants))
    assert len(desk.rolls[-1].cancel_order_ids) == 16


def test_a_halt_cancels_everything_and_refuses_what_waits() -> None:
    desk = resting()
    halt = Command(now_ns=desk.now_ns, key="k", author="ann", reason="storm", target="account:main", body=HaltAccount())
    assert kinds(desk.take(halt)) == ["AccountHalted", "TransactionSigned"]
    assert desk.rolls[-1].cancel_order_ids == (7,)
    facts = desk.want(order(SELL, 106))
    assert kinds(facts) == ["OrdersQueued"]
    assert "OrderRefused" in kinds(desk.landed(cancel(7)))


def test_after_a_boot_nothing_is_placed_before_record_and_venue_agree() -> None:
    desk = resting()
    desk.take(AccountBooted(now_ns=desk.now_ns, alias="main"))
    assert kinds(desk.want(order(SELL, 106))) == ["OrdersQueued"]

    facts = desk.read(orders=(venue_order(7),))
    assert kinds(facts) == ["AccountSnapshot", "AccountLive", "OrderAccepted", "TransactionSigned"]


def test_a_difference_is_named_and_stays_until_both_agree() -> None:
    desk = resting()
    half = (venue_order(7, filled=0.5),)
    found = (e.Difference(what="order 7 filled_e9", venue=E9 // 2, ours=0),)
    assert desk.read(orders=half) == [e.DifferenceSuspected(slot=99, differences=found)]
    assert desk.read(orders=half) == [], "the same slot says nothing new"
    assert desk.read(orders=half, slot=100) == [e.VenueDiffers(slot=100, differences=found)]
    assert desk.read(orders=half, slot=101) == []
    assert kinds(desk.read(orders=(venue_order(7),), slot=102)) == ["AccountSnapshot", "AccountLive"]


def test_an_order_nobody_wanted_is_reported_once_and_counts_against_the_slots() -> None:
    desk = resting()
    assert kinds(desk.read(orders=(venue_order(7), venue_order(50)))) == ["ForeignOrderSeen"]
    assert desk.read(orders=(venue_order(7), venue_order(50))) == []


def test_what_happened_before_the_first_snapshot_is_part_of_it_and_not_booked_again() -> None:
    desk = Desk()
    deposit = r.TransferRecord(index=1, quote_e6=10_000 * E6)
    assert desk.seen("old", deposit, slot=99) == []
    assert kinds(desk.seen("new", deposit, slot=100)) == ["Transferred"]


def test_a_confirmed_transaction_that_vanished_puts_the_account_in_doubt() -> None:
    desk = resting()
    assert kinds(desk.take(TransactionVanished(now_ns=desk.now_ns, alias="main", signature="k1"))) == ["VenueDiffers"]


def test_an_order_past_its_life_is_cancelled_as_lapsed() -> None:
    desk = Desk()
    desk.want(replace(order(BUY, 104), lasts_ns=100 * NS_PER_S))
    desk.landed(placed(desk, BUY, 7))
    due = desk.machine.next_wake_ns()
    assert due == START_NS + 102 * NS_PER_S

    assert kinds(desk.take(Wake(now_ns=due))) == ["OrdersQueued", "TransactionSigned"]
    closed = desk.landed(cancel(7))[-1]
    assert isinstance(closed, e.OrderClosed)
    assert closed.reason == "lapsed"


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (config(grid_id="b", market="ETH-PERP"), "MARKET_UNKNOWN"),
        (config(grid_id="b"), "MARKET_BUSY"),
    ],
)
def test_a_grid_the_account_cannot_carry_is_refused_with_its_reason(wish: GridConfig, code: str) -> None:
    desk = Desk()
    (refused,) = desk.propose(wish)
    assert isinstance(refused, e.GridRefused)
    assert refused.code == code
