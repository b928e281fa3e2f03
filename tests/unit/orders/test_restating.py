"""What a decision was made on is recorded with it, once, and before it."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.record import GENESIS, Recorded
from support.desk import Desk, kinds, order, placed

BUY = "tale/buy/4/0"


def test_a_price_that_nobody_recorded_is_restated_where_an_order_is_signed_on_it() -> None:
    desk = Desk()
    desk.met.clear()

    desk.want(order(BUY, 104))

    (price,) = desk.met
    assert isinstance(price, e.PriceSeen)
    assert price.price.oracle_e6 == 105_000_000


def test_a_price_that_strategy_recorded_is_not_told_twice() -> None:
    desk = Desk()
    desk.price(105)
    newest = desk.machine.prices.newest["SOL-PERP"]
    desk.met.clear()
    desk._event("grid:tale", e.PriceSeen(price=newest, passed_over=0))

    desk.want(order(BUY, 104))

    assert desk.met == []


def test_a_transaction_is_recorded_as_it_was_met_and_one_that_leads_to_nothing_is_not() -> None:
    desk = Desk()
    desk.want(order(BUY, 104))
    desk.met.clear()

    desk.landed(placed(desk, BUY, 7))
    desk.seen("another", ours=False)

    assert kinds(desk.met) == ["TransactionMet"]


def test_a_reading_of_the_account_is_recorded_with_the_settings_it_was_judged_by() -> None:
    desk = Desk()

    (first,) = [fact for fact in desk.met if isinstance(fact, e.AccountMet)][:1]

    assert (first.cursor, first.endpoints, first.agreed, first.settle_above_e6) == ("c", 1, True, None)
    assert first.account.deposit_e6 == 10_000_000_000


def test_no_state_follows_from_what_was_met() -> None:
    desk = Desk()
    before = desk.machine.digests()

    for number, fact in enumerate(desk.met, start=1):
        desk.machine.restore(
            Recorded(stream="tx:main", version=number, ts_ns=desk.now_ns, cause="", thread="", prev=GENESIS, fact=fact)
        )

    assert desk.machine.digests() == before
