"""What modifying an order does: a cancel and a new order in one, by the program's own defaults."""

from __future__ import annotations

from typing import Any

import pytest

from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.modifying import ModifyOrder
from gridkeeper_core.venue.operations import Exchange
from gridkeeper_core.venue.records import CancelRecord, PlacedRecord
from gridkeeper_core.venue.state import FillRules, Order
from support.venue import SOL, SPEC, START_NS, USD, fills_of, order, roll, row, venue


def with_order(*places: Any, **settings: Any) -> VenueModel:
    model = venue(**settings)
    model.execute("main", roll(*places))
    return model


def half_filled() -> VenueModel:
    """An order of 0.4 SOL, id 1, of which 0.1 has been filled."""
    model = with_order(order("buy", "149", 4 * SOL // 10, user_order_id=7), fills=FillRules(model="queue"))
    model.apply_row(row(149, size_e9=SOL // 10))
    assert only_order(model).filled_e9 == SOL // 10
    model.apply_row(row(150, 2))
    return model


def only_order(model: VenueModel) -> Order:
    (held,) = model.accounts["main"].open_orders
    return held


def refused(model: VenueModel, wanted: ModifyOrder) -> int:
    before = model.mark()
    with pytest.raises(VenueError) as caught:
        model.modify("main", wanted)
    assert model.mark() == before
    return int(caught.value.code)


def test_the_modified_order_has_a_new_id_and_keeps_what_was_not_named() -> None:
    model = with_order(order("buy", "149", user_order_id=7, reduce_only=True, max_ts=START_NS // 10**9 + 60))
    before = only_order(model)
    cancelled, placed = model.modify("main", ModifyOrder(order_id=1, price_e6=148 * USD))
    assert isinstance(cancelled, CancelRecord)
    assert isinstance(placed, PlacedRecord)
    assert (cancelled.index, cancelled.order_id, placed.index, placed.order_id) == (0, 1, 2, 2)
    after = only_order(model)
    assert (after.order_id, after.user_order_id, after.price_e6, after.side) == (2, 7, 148 * USD, "buy")
    assert (after.size_e9, after.reduce_only, after.max_ts) == (before.size_e9, True, before.max_ts)


def test_everything_that_is_given_is_taken() -> None:
    model = with_order(order("buy", "149", user_order_id=7))
    wanted = ModifyOrder(
        user_order_id=7,
        side="sell",
        price_e6=152 * USD,
        size_e9=SOL,
        post_only="none",
        reduce_only=True,
        max_ts=START_NS // 10**9 + 60,
    )
    model.modify("main", wanted)
    after = only_order(model)
    assert (after.order_id, after.user_order_id, after.side, after.price_e6) == (2, 7, "sell", 152 * USD)
    assert (after.size_e9, after.post_only, after.reduce_only) == (SOL, False, True)
    assert after.max_ts == START_NS // 10**9 + 60


def test_the_modified_order_goes_behind_others_at_its_price() -> None:
    model = with_order(order("buy", "149"), order("buy", "149"), fills=FillRules(model="queue"))
    model.modify("main", ModifyOrder(order_id=1))
    assert fills_of(model.apply_row(row(149, size_e9=SOL // 10))) == [(2, SOL // 10)]


def test_without_a_size_the_unfilled_remainder_is_placed() -> None:
    model = half_filled()
    model.modify("main", ModifyOrder(order_id=1, price_e6=148 * USD))
    assert (only_order(model).size_e9, only_order(model).filled_e9) == (3 * SOL // 10, 0)


def test_a_given_size_counts_the_fills_only_if_they_are_to_be_excluded() -> None:
    whole, less = half_filled(), half_filled()
    whole.modify("main", ModifyOrder(order_id=1, size_e9=5 * SOL // 10))
    less.modify("main", ModifyOrder(order_id=1, size_e9=5 * SOL // 10, exclude_previous_fill=True))
    assert (only_order(whole).size_e9, only_order(less).size_e9) == (5 * SOL // 10, 4 * SOL // 10)


def test_a_size_that_the_fills_have_used_up_leaves_only_the_cancel() -> None:
    model = half_filled()
    (record,) = model.modify("main", ModifyOrder(order_id=1, size_e9=SOL // 10, exclude_previous_fill=True))
    assert isinstance(record, CancelRecord)
    assert model.accounts["main"].open_orders == []
    assert model.accounts["main"].next_order_id == 2


@pytest.mark.parametrize("named", [{"order_id": 1}, {"user_order_id": 7}, {"order_id": 99}, {"user_order_id": 8}])
def test_an_order_that_is_not_open_is_6061_if_it_must_be_and_else_passed_over(named: dict[str, Any]) -> None:
    model = with_order(order("buy", "149", user_order_id=7), order("buy", "148", user_order_id=9))
    model.cancel("main", (1,))
    before = model.mark()
    assert refused(model, ModifyOrder(price_e6=147 * USD, must_modify=True, **named)) == 6061
    assert model.modify("main", ModifyOrder(price_e6=147 * USD, **named)) == ()
    assert model.mark() == before


def test_a_closed_slot_does_not_hide_the_open_order_with_its_user_order_id() -> None:
    model = with_order(order("buy", "149", user_order_id=7), order("buy", "148"))
    model.cancel("main", (1,))
    model.execute("main", roll(order("buy", "147"), order("buy", "146", user_order_id=7)))
    model.cancel("main", (3,))
    model.modify("main", ModifyOrder(user_order_id=7, price_e6=145 * USD, must_modify=True))
    assert {held.order_id: held.price_e6 for held in model.accounts["main"].open_orders} == {
        2: 148 * USD,
        5: 145 * USD,
    }


@pytest.mark.parametrize("was", ["must", "try"])
def test_a_post_only_order_becomes_one_that_must_be_6057(was: Any) -> None:
    model = with_order(order("buy", "149", post_only=was))
    assert refused(model, ModifyOrder(order_id=1, price_e6=151 * USD)) == 6057
    assert only_order(model).order_id == 1


def test_asked_to_try_post_only_it_ends_as_a_cancel_that_uses_up_an_id() -> None:
    model = with_order(order("buy", "149"))
    (record,) = model.modify("main", ModifyOrder(order_id=1, price_e6=151 * USD, post_only="try"))
    assert isinstance(record, CancelRecord)
    assert model.accounts["main"].open_orders == []
    assert model.accounts["main"].next_order_id == 3


def test_all_other_rules_are_those_of_placing() -> None:
    model = with_order(order("buy", "149"), deposit_e6=100 * USD)
    assert refused(model, ModifyOrder(order_id=1, size_e9=SPEC.step_e9 - 1)) == 6059
    assert refused(model, ModifyOrder(order_id=1, size_e9=7 * SOL)) == 6003
    assert refused(model, ModifyOrder(order_id=1, trigger_e6=140 * USD)) == 6053
    model.exchange_status = Exchange.EVERYTHING
    assert refused(model, ModifyOrder(order_id=99)) == 6024


def test_a_full_account_can_still_modify() -> None:
    model = with_order(*(order("buy", "149", user_order_id=number) for number in range(1, 33)))
    model.modify("main", ModifyOrder(user_order_id=5, price_e6=148 * USD, must_modify=True))
    assert len(model.accounts["main"].open_orders) == 32


def test_a_triggered_order_waits_for_its_trigger_again() -> None:
    model = with_order(
        order("sell", "140", post_only="none", order_type="trigger_limit", trigger_e6=145 * USD, trigger_above=False),
        fills=FillRules(model="through"),
    )
    assert only_order(model).waits_for_trigger
    model.modify("main", ModifyOrder(order_id=1, trigger_e6=155 * USD, trigger_above=True, price_e6=160 * USD))
    model.apply_row(row(156))
    assert only_order(model).triggered
    model.modify("main", ModifyOrder(order_id=2, trigger_e6=158 * USD))
    after = only_order(model)
    assert (after.order_id, after.waits_for_trigger, after.trigger_above) == (3, True, True)
