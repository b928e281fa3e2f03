"""The chain takes back what it had confirmed: fills go, our own transactions are open again, ended orders come back."""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.inputs import TransactionGone
from gridkeeper_core.units import E6, E9
from gridkeeper_core.venue import records as r
from support.desk import Desk, cancel, fill, kinds, order, placed, venue_order

BUY = "tale/buy/4/0"


def resting(*, finalized: bool = True) -> Desk:
    """A desk whose order BUY rests as number 7."""
    desk = Desk()
    desk.want(order(BUY, 104))
    desk.landed(placed(desk, BUY, 7), finalized=finalized)
    return desk


def test_a_confirmed_fill_that_is_gone_is_taken_back_with_its_amounts_and_is_a_break() -> None:
    desk = resting()
    before = desk.account.positions
    desk.seen("k1", fill(7, 1, 0.4, 0.4), finalized=False, ours=False)
    facts = desk.vanished("k1")
    assert kinds(facts) == ["FillReverted", "VenueDiffers"]
    reverted = facts[0]
    assert isinstance(reverted, e.FillReverted)
    assert (reverted.intent_id, reverted.side, reverted.base_e9) == (BUY, "buy", 400_000_000)
    assert desk.account.attempts[BUY].filled_e9 == 0
    assert desk.account.positions == before
    assert kinds(desk.read(orders=(venue_order(7),), slot=101)) == ["AccountSnapshot", "AccountLive"]


def test_only_the_fill_that_is_gone_is_taken_back() -> None:
    desk = resting()
    desk.seen("k1", fill(7, 1, 0.4, 0.4), finalized=False, ours=False)
    desk.seen("k2", fill(7, 2, 0.6, 1.0), finalized=False, ours=False)
    assert BUY not in desk.account.attempts
    desk.vanished("k2")
    assert desk.account.positions[0].base_e9 == 400_000_000


def test_an_order_that_a_lost_fill_had_closed_is_cancelled_before_its_intent_is_placed_again() -> None:
    desk = resting()
    desk.seen("k1", fill(7, 1, 1.0, 1.0), finalized=False, ours=False)
    desk.vanished("k1")
    assert desk.account.orphans[7].left_e9 == E9
    desk.want(order(BUY, 104))
    assert desk.rolls[-1].cancel_order_ids == (7,)
    assert not desk.rolls[-1].places
    assert kinds(desk.landed(cancel(7))) == ["TransactionLanded", "OrphanGone"]
    desk.read(slot=101)
    (again,) = desk.rolls[-1].places
    assert again.price_e6 == 104 * E6


def test_what_an_earlier_attempt_filled_after_all_is_not_placed_again() -> None:
    desk = resting()
    desk.seen("k1", fill(7, 1, 1.0, 1.0), finalized=False, ours=False)
    desk.vanished("k1")
    desk.want(order(BUY, 104))
    facts = desk.seen("k2", fill(7, 1, 1.0, 1.0), slot=101, ours=False)
    assert kinds(facts) == ["OrderFilled", "OrderRefused", "OrphanGone"]
    assert isinstance(facts[1], e.OrderRefused)
    assert (facts[1].intent_id, facts[1].code) == (BUY, "FILLED_BEFORE")
    desk.landed(slot=102)
    assert BUY not in desk.account.queued
    assert not any(roll.places for roll in desk.rolls[1:])


def test_what_was_filled_again_before_its_grid_wanted_it_anew_is_not_placed() -> None:
    desk = resting()
    desk.seen("k1", fill(7, 1, 1.0, 1.0), finalized=False, ours=False)
    desk.vanished("k1")
    desk.seen("k2", fill(7, 1, 1.0, 1.0), finalized=False, slot=101, ours=False)
    facts = desk.want(order(BUY, 104))
    assert [fact.code for fact in facts if isinstance(fact, e.OrderRefused)] == ["FILLED_BEFORE"]
    assert BUY not in desk.account.queued


def test_what_is_wanted_after_the_refusal_is_placed() -> None:
    desk = resting()
    desk.seen("k1", fill(7, 1, 1.0, 1.0), finalized=False, ours=False)
    desk.vanished("k1")
    desk.want(order(BUY, 104))
    desk.seen("k2", fill(7, 1, 1.0, 1.0), finalized=False, slot=101, ours=False)
    desk.landed(slot=102)
    desk.read(slot=103, positions=tuple(desk.account.positions.values()))
    # The grid knows of the late fill now. Its cell sold 0.4 of what it holds, which it wants to buy again.
    facts = desk.want(order(BUY, 104, 0.4))
    assert kinds(facts) == ["OrderAccepted", "TransactionSigned"]


def test_an_intent_that_was_filled_whole_is_placed_again_for_what_its_cell_sold() -> None:
    desk = resting()
    desk.seen("k1", fill(7, 1, 1.0, 1.0), finalized=False, ours=False)
    assert desk.account.retired
    facts = desk.want(order(BUY, 104, 0.4))
    assert kinds(facts) == ["OrderAccepted", "TransactionSigned"]


def test_a_later_attempt_that_rests_already_is_cancelled_when_an_earlier_one_was_filled_after_all() -> None:
    desk = resting()
    desk.want(unwanted=(BUY,))
    desk.landed(cancel(7), finalized=False, slot=101)
    desk.want(order(BUY, 104))
    desk.landed(placed(desk, BUY, 8), finalized=False, slot=102)
    desk.seen("k1", fill(7, 1, 1.0, 1.0), slot=103, ours=False)
    assert desk.account.attempts[BUY].cancel_why == "filled_before"
    assert desk.rolls[-1].cancel_order_ids == (8,)


def test_a_fill_that_lands_again_under_the_same_number_is_taken_again() -> None:
    desk = resting()
    desk.seen("k1", fill(7, 1, 0.4, 0.4), finalized=False, ours=False)
    desk.vanished("k1")
    assert kinds(desk.seen("k9", fill(7, 1, 0.4, 0.4), ours=False)) == ["OrderFilled"]


def test_other_records_of_a_lost_transaction_are_taken_back_too() -> None:
    desk = resting()
    funding = r.FundingRecord(index=3, market_index=0, quote_e6=-5_000, base_e9=E9)
    desk.seen("k1", funding, finalized=False, ours=False)
    assert desk.account.positions[0].quote_asset_e6 == -5_000
    assert kinds(desk.vanished("k1")) == ["RecordReverted", "VenueDiffers"]
    assert 0 not in desk.account.positions or desk.account.positions[0].quote_asset_e6 == 0


def test_our_own_transaction_that_is_gone_is_in_flight_again_with_the_same_bytes() -> None:
    desk = resting(finalized=False)
    assert kinds(desk.vanished("s1")) == ["TransactionReverted", "VenueDiffers"]
    assert [flight.signature for flight in desk.account.flights] == ["s1"]
    assert kinds(desk.want(order("tale/buy/3/0", 103))) == ["OrdersQueued"]
    assert desk.account.attempts[BUY].order_id is None
    assert kinds(desk.seen("s1", placed(desk, BUY, 9))) == ["TransactionLanded", "OrderResting"]
    assert desk.account.flights == ()
    assert desk.account.attempts[BUY].order_id == 9


def test_an_order_of_a_transaction_that_never_lands_again_is_gone_like_one_that_was_never_placed() -> None:
    desk = resting(finalized=False)
    desk.vanished("s1")
    gone = TransactionGone(now_ns=desk.now_ns, alias="main", signature="s1", block_height=151)
    assert kinds(desk.take(gone)) == ["TransactionExpired", "OrderClosed"]
    assert desk.account.attempts == {}
    assert kinds(desk.read(slot=201)) == ["AccountSnapshot", "AccountLive"]


def test_an_order_id_given_out_again_proves_that_the_earlier_order_was_undone() -> None:
    desk = resting(finalized=False)
    sell = "tale/sell/6/0"
    desk.want(order(sell, 107))
    facts = desk.landed(placed(desk, sell, 7))
    assert kinds(facts) == ["TransactionLanded", "TransactionReverted", "VenueDiffers", "OrderResting"]
    assert desk.account.attempts[BUY].order_id is None
    assert desk.account.attempts[sell].order_id == 7


def test_an_order_whose_cancel_was_undone_is_an_orphan_and_is_cancelled_again() -> None:
    desk = resting()
    desk.want(unwanted=(BUY,))
    desk.landed(cancel(7), finalized=False)
    desk.vanished("s2")
    desk.take(TransactionGone(now_ns=desk.now_ns, alias="main", signature="s2", block_height=151))
    facts = desk.read(orders=(venue_order(7),), slot=201)
    assert kinds(facts)[0] == "OrderOrphaned"
    assert desk.rolls[-1].cancel_order_ids == (7,)
    assert kinds(desk.landed(cancel(7))) == ["TransactionLanded", "OrphanGone"]


def test_a_fill_of_an_order_whose_cancel_is_not_final_is_booked_to_its_intent() -> None:
    desk = resting()
    desk.want(unwanted=(BUY,))
    desk.landed(cancel(7), finalized=False)
    desk.vanished("s2")
    facts = desk.seen("k1", fill(7, 1, 1.0, 1.0), ours=False)
    assert kinds(facts) == ["OrderFilled"]
    assert desk.account.positions[0].base_e9 == E9


def test_a_user_order_id_rests_until_the_end_of_its_order_is_final() -> None:
    desk = resting()
    desk.want(unwanted=(BUY,))
    desk.landed(cancel(7), finalized=False, slot=150)
    used = desk.account.retired[1].attempt.user_order_id
    wants = [order(f"tale/buy/{cell}/0", 100 - cell / 10, 0.01) for cell in range(16)]
    seen: set[int] = set()
    for turn in range(18):
        desk.want(*[replace(w, intent_id=f"tale/buy/{n}/{turn}") for n, w in enumerate(wants)])
        seen |= {place.user_order_id for place in desk.rolls[-1].places}
        desk.landed()
    assert used not in seen
    desk.read(slot=160, cursor_slot=155)
    assert len(seen) == 254
    assert E6
