"""What the model of the venue refuses, each by Drift's own error code, and that a refusal changes nothing."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_core.venue.errors import VenueCode, VenueError
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.operations import Exchange
from gridkeeper_core.venue.records import PlaceOrder
from gridkeeper_core.venue.state import MarketRules
from support.venue import SOL, SPEC, USD, order, roll, row, venue


def refused(model: VenueModel, *places: PlaceOrder, cancels: tuple[int, ...] = ()) -> VenueCode:
    before = model.mark()
    with pytest.raises(VenueError) as caught:
        model.execute("main", roll(*places, cancels=cancels))
    assert model.mark() == before
    return caught.value.code


def test_a_must_order_that_would_cross_is_refused_with_the_whole_batch_6057() -> None:
    assert refused(venue(), order("buy", "149"), order("sell", "150")) == 6057


def test_with_a_spread_only_the_vamm_s_quotes_count_as_crossing() -> None:
    model = venue(spread_bps=20)
    model.execute("main", roll(order("buy", "150.1"), order("sell", "149.9")))
    assert refused(model, order("buy", "150.15")) == 6057


def test_the_33rd_order_is_refused_6060() -> None:
    model = venue()
    model.execute("main", roll(*(order("buy", "149") for _ in range(32))))
    assert refused(model, order("buy", "149")) == 6060
    model.execute("main", roll(order("buy", "149"), cancels=(5,)))


def test_a_user_order_id_in_use_is_refused_6071_and_free_again_after_the_order() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149", user_order_id=9)))
    assert refused(model, order("buy", "148", user_order_id=9)) == 6071
    model.execute("main", roll(order("buy", "148", user_order_id=9), cancels=(1,)))


def test_cancelling_by_a_user_order_id_trips_over_a_closed_slot_6062() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149", user_order_id=9)))
    model.execute("main", roll(cancels=(1,)))
    with pytest.raises(VenueError) as caught:
        model.cancel_by_user_order_id("main", 9)
    assert caught.value.code == 6062


def test_an_order_below_the_step_is_refused_6059_and_below_the_minimum_6056() -> None:
    spec = msgspec.structs.replace(SPEC, minimum_e9=SOL)
    model = venue(spec=spec)
    assert refused(model, order("buy", "149", SPEC.step_e9 - 1)) == 6059
    assert refused(model, order("buy", "149", SOL - SPEC.step_e9)) == 6056


def test_an_unknown_market_is_refused_6078() -> None:
    assert refused(venue(), order("buy", "149", market_index=7)) == 6078


def test_a_market_in_settlement_is_refused_6147() -> None:
    model = venue()
    model.change_market(msgspec.structs.replace(SPEC, status="settlement"))
    assert refused(model, order("buy", "149")) == 6147


def test_a_paused_exchange_takes_neither_orders_nor_cancels_6024() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149")))
    model.exchange_status = Exchange.EVERYTHING
    assert refused(model, order("buy", "149")) == 6024
    assert refused(model, cancels=(1,)) == 6024


def test_immediate_or_cancel_in_a_batch_is_refused_6050() -> None:
    ioc = order("buy", "151", post_only="none", immediate_or_cancel=True)
    assert refused(venue(), order("buy", "149"), ioc) == 6050


def test_orders_beyond_the_initial_margin_are_refused_6003() -> None:
    model = venue(deposit_e6=100 * USD)
    assert refused(model, order("buy", "149", 7 * SOL)) == 6003
    model.execute("main", roll(order("buy", "149", 6 * SOL)))


def test_only_the_worse_side_and_a_cent_per_order_are_margined() -> None:
    model = venue(deposit_e6=90_020_000)
    model.execute("main", roll(order("buy", "149", 6 * SOL), order("sell", "151", 6 * SOL)))
    assert refused(model, order("sell", "152", SPEC.step_e9)) == 6003


def test_below_maintenance_new_orders_are_refused_6117() -> None:
    model = venue(deposit_e6=100 * USD, spec=msgspec.structs.replace(SPEC, paused_operations=32))
    model.execute("main", roll(order("buy", "149", 6 * SOL)))
    model.apply_row(row(148, 1))
    model.apply_row(row(135, 2))
    assert model.read("main", "main").being_liquidated
    assert refused(model, order("sell", "140", SOL, reduce_only=True)) == 6117


def test_a_refused_roll_leaves_its_cancels_undone() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149")))
    assert refused(model, order("sell", "149"), cancels=(1,)) == 6057
    assert [held.order_id for held in model.accounts["main"].open_orders] == [1]


def test_a_market_without_a_price_takes_no_orders_6036() -> None:
    model = VenueModel([MarketRules(spec=SPEC)])
    model.open_account("main")
    assert refused(model, order("buy", "149")) == 6036


def test_a_market_that_is_being_set_up_is_refused_6213() -> None:
    model = venue()
    model.change_market(msgspec.structs.replace(SPEC, status="initialized"))
    assert refused(model, order("buy", "149")) == 6213


def test_a_limit_order_needs_a_price_6191_and_only_a_trigger_order_a_trigger_6053() -> None:
    assert refused(venue(), order("buy", "0")) == 6191
    assert refused(venue(), order("buy", "149", trigger_e6=140 * USD)) == 6053
    assert refused(venue(), order("buy", "0", post_only="none", order_type="trigger_market")) == 6053


def test_a_market_order_is_never_post_only_6051() -> None:
    assert refused(venue(), order("buy", "0", order_type="market")) == 6051


def test_a_market_in_reduce_only_status_makes_every_order_reduce_only() -> None:
    model = venue()
    model.change_market(msgspec.structs.replace(SPEC, status="reduce-only"))
    model.execute("main", roll(order("buy", "149")))
    assert model.accounts["main"].open_orders[0].reduce_only
