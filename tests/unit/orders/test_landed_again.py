"""What was undone lands again, elsewhere or cut: fills keep their order, ends stay open until they are final anew."""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.inputs import TransactionGone
from gridkeeper_core.orders.reading import SNAPSHOT_EVERY_NS
from gridkeeper_core.units import E6, E9
from support.desk import Desk, cancel, fill, kinds, order, placed, venue_order

BUY = "tale/buy/4/0"
SELL = "tale/sell/6/0"


def resting() -> Desk:
    """A desk whose order BUY rests as number 7, for good."""
    desk = Desk()
    desk.want(order(BUY, 104))
    desk.landed(placed(desk, BUY, 7))
    return desk


def orphaned() -> Desk:
    """The cancel of order 7 was undone and can never land again; the reading at slot 201 found the order open."""
    desk = resting()
    desk.want(unwanted=(BUY,))
    desk.landed(cancel(7), finalized=False, slot=150)
    desk.vanished("s2")
    desk.take(TransactionGone(now_ns=desk.now_ns, alias="main", signature="s2", block_height=151))
    desk.read(orders=(venue_order(7),), slot=201, cursor_slot=140)
    assert 7 in desk.account.orphans
    return desk


def test_a_fill_of_what_landed_again_with_a_cut_log_belongs_to_its_intent() -> None:
    desk = Desk()
    desk.want(order(BUY, 104))
    assert kinds(desk.landed(finalized=False)) == ["TransactionLanded", "OrderClosed"]
    desk.vanished("s1")
    assert kinds(desk.seen("s1", slot=101, finalized=False, truncated=True)) == ["TransactionLanded"]

    facts = desk.seen("k1", fill(7, 1, 1.0, 1.0), slot=102, finalized=False, ours=False)

    assert kinds(facts) == ["OrderOrphaned", "OrderFilled", "OrphanGone"]
    assert isinstance(facts[1], e.OrderFilled)
    assert (facts[1].intent_id, facts[1].late) == (BUY, True)
    assert desk.account.guards == {}


def test_a_fill_like_one_of_ours_is_foreign_while_no_log_of_ours_was_cut() -> None:
    desk = Desk()
    desk.want(order(BUY, 104))
    desk.landed(finalized=False)

    facts = desk.seen("k1", fill(7, 1, 1.0, 1.0), slot=102, finalized=False, ours=False)

    assert kinds(facts) == ["ForeignFilled", "GuardTripped"]


def test_a_lower_number_that_comes_later_takes_back_the_fill_with_the_higher_one() -> None:
    desk = resting()
    desk.seen("k1", fill(7, 5, 0.4, 0.4), slot=101, finalized=False, ours=False)

    facts = desk.seen("k9", fill(7, 4, 1.0, 1.0), slot=105, finalized=False, ours=False)

    assert kinds(facts) == ["FillReverted", "VenueDiffers", "OrderFilled", "OrderClosed"]
    assert desk.account.positions[0].base_e9 == E9


def test_a_lower_number_from_an_earlier_slot_that_is_told_late_takes_nothing_back() -> None:
    desk = resting()
    desk.seen("k2", fill(7, 5, 0.4, 0.8), slot=105, finalized=False, ours=False)

    assert kinds(desk.seen("k1", fill(7, 4, 0.4, 0.4), slot=101, finalized=False, ours=False)) == ["OrderFilled"]
    assert desk.account.positions[0].base_e9 == 8 * E9 // 10


def test_a_record_told_late_counts_before_what_its_transaction_did_after_it() -> None:
    bought = fill(7, 1, 1.0, 1.0)
    sold = replace(fill(8, 2, 0.3, 0.3, "sell"), index=2, quote_e6=31_800_001, fee_e6=-6_361)
    desks = []
    for parts in ((bought, sold), (sold, bought)):
        desk = Desk()
        desk.want(order(BUY, 104), order(SELL, 106))
        desk.landed(placed(desk, BUY, 7), replace(placed(desk, SELL, 8), index=1))
        for part in parts:
            desk.seen("k1", part, slot=101, finalized=False, ours=False)
        desks.append(desk)

    assert desks[0].account.positions == desks[1].account.positions
    assert desks[0].account.positions[0].base_e9 == 7 * E9 // 10


def test_the_order_of_an_orphan_that_is_open_once_more_is_still_known() -> None:
    desk = orphaned()
    assert kinds(desk.landed(cancel(7), finalized=False, slot=202)) == ["TransactionLanded", "OrphanGone"]
    desk.now_ns += SNAPSHOT_EVERY_NS
    assert kinds(desk.read(slot=210, cursor_slot=201)) == ["AccountSnapshot"]
    desk.vanished("s3")
    desk.take(TransactionGone(now_ns=desk.now_ns, alias="main", signature="s3", block_height=500))

    facts = desk.read(orders=(venue_order(7),), slot=240, cursor_slot=211)

    assert kinds(facts)[0] == "OrderOrphaned"
    assert not desk.account.foreign


def test_an_end_that_landed_again_can_be_undone_again() -> None:
    desk = orphaned()
    desk.landed(cancel(7), finalized=False, slot=202)
    desk.vanished("s3")
    # The same bytes land once more: the record says nothing new of an order that is over.
    assert kinds(desk.seen("s3", cancel(7), slot=260, finalized=False)) == ["TransactionLanded"]
    desk.read(slot=262, cursor_slot=230)
    desk.vanished("s3")
    desk.take(TransactionGone(now_ns=desk.now_ns, alias="main", signature="s3", block_height=500))

    facts = desk.read(orders=(venue_order(7),), slot=300, cursor_slot=265)

    assert kinds(facts)[0] == "OrderOrphaned"
    assert not desk.account.foreign


def test_what_landed_again_is_not_final_before_its_second_slot_is() -> None:
    desk = resting()
    desk.want(unwanted=(BUY,))
    desk.landed(cancel(7), finalized=False, slot=150)
    desk.vanished("s2")
    desk.seen("s2", cancel(7), slot=170, finalized=False)
    assert desk.account.not_final()["s2"] == 170


def test_the_price_of_a_fill_that_was_told_late_is_its_own() -> None:
    desk = orphaned()
    facts = desk.seen("k5", fill(7, 1, 0.25, 0.25), slot=203, finalized=False, ours=False)
    assert isinstance(facts[0], e.OrderFilled)
    assert (facts[0].price_e6, facts[0].late) == (104 * E6, True)
