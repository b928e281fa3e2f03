"""The model of the venue: who is filled, at what price, for what fee, and what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.records import WHOLE_POSITION_E9, CancelRecord, FillRecord, TriggerRecord
from gridkeeper_core.venue.state import FillRules, VenueState
from support.venue import SOL, SPEC, START_NS, USD, fills_of, order, roll, row, venue

TOUCH = FillRules(model="touch")
QUEUE = FillRules(model="queue")


# ---------------------------------------------------------------- fills and fees


def test_a_maker_bid_is_filled_with_the_program_s_own_numbers() -> None:
    model = venue(fills=TOUCH)
    model.execute("main", roll(order("buy", "149.99")))
    (batch,) = model.apply_row(row(149.99))
    (record,) = batch.records
    assert isinstance(record, FillRecord)
    assert (record.quote_e6, record.fee_e6, record.maker) == (14_999_000, -2_999, True)
    held = model.accounts["main"].position(0)
    assert (held.quote_asset_e6, held.quote_entry_e6, held.quote_break_even_e6) == (
        -14_996_001,
        -14_999_000,
        -14_996_001,
    )


def test_a_taker_pays_the_fee_rounded_up() -> None:
    model = venue(149.99)
    _, filled = model.execute("main", roll(order("buy", "150", post_only="none", immediate_or_cancel=True)))
    assert isinstance(filled, FillRecord)
    assert (filled.quote_e6, filled.fee_e6, filled.maker) == (14_999_000, 14_999, False)


@pytest.mark.parametrize(("fills", "filled"), [(TOUCH, True), (FillRules(), False), (QUEUE, True)])
def test_a_trade_exactly_at_the_level_fills_by_touch_and_queue_but_not_by_through(
    fills: FillRules, filled: bool
) -> None:
    model = venue(fills=fills)
    model.execute("main", roll(order("buy", "149")))
    assert bool(model.apply_row(row(149))) is filled


@pytest.mark.parametrize("fills", [TOUCH, FillRules(), QUEUE])
def test_a_trade_beyond_the_level_fills_at_the_level(fills: FillRules) -> None:
    model = venue(fills=fills)
    model.execute("main", roll(order("sell", "151")))
    (batch,) = model.apply_row(row(151.5))
    (record,) = batch.records
    assert isinstance(record, FillRecord)
    assert record.quote_e6 == 15_100_000


def test_nearest_orders_are_filled_first() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "147"), order("buy", "149"), order("buy", "148")))
    assert [order_id for order_id, _ in fills_of(model.apply_row(row(140)))] == [2, 3, 1]


def test_at_one_price_the_older_order_is_filled_first() -> None:
    model = venue(fills=QUEUE)
    model.open_account("other")
    model.deposit("other", 1000 * USD)
    model.execute("other", roll(order("buy", "149")))
    model.execute("main", roll(order("buy", "149")))
    (batch,) = model.apply_row(row(149, size_e9=SOL // 10))
    assert batch.account == "other"


def test_a_trade_s_size_is_shared_out_and_the_rest_of_an_order_stays() -> None:
    model = venue(fills=QUEUE)
    model.execute("main", roll(order("buy", "149"), order("buy", "148")))
    assert fills_of(model.apply_row(row(147, 1, size_e9=SOL * 15 // 100))) == [(1, SOL // 10), (2, SOL // 20)]
    assert fills_of(model.apply_row(row(147, 2, size_e9=SOL))) == [(2, SOL // 20)]
    assert not model.accounts["main"].open_orders


def test_the_queue_ahead_of_us_takes_its_share_of_every_trade() -> None:
    model = venue(fills=FillRules(model="queue", queue_ahead_e4=7500))
    model.execute("main", roll(order("buy", "149", SOL)))
    assert fills_of(model.apply_row(row(148, size_e9=SOL))) == [(1, SOL // 4)]


def test_a_row_without_a_size_suffices_for_all() -> None:
    model = venue(fills=QUEUE)
    model.execute("main", roll(order("buy", "149", 5 * SOL)))
    assert fills_of(model.apply_row(row(148))) == [(1, 5 * SOL)]


def test_an_order_placed_after_a_row_waits_for_the_next_one() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149.9")))
    assert model.apply_row(row(150, 1)) == []
    assert fills_of(model.apply_row(row(149, 2))) == [(1, SOL // 10)]


def test_a_partial_fill_smaller_than_the_step_does_not_happen() -> None:
    model = venue(fills=QUEUE)
    model.execute("main", roll(order("buy", "149")))
    assert model.apply_row(row(148, size_e9=SPEC.step_e9 - 1)) == []


def test_many_fills_of_one_row_come_in_transactions_the_log_can_hold() -> None:
    model = venue()
    model.execute("main", roll(*(order("buy", f"{149 - k}") for k in range(20))))
    batches = model.apply_row(row(100))
    assert [len(batch.records) for batch in batches] == [16, 4]
    assert [record.index for record in batches[1].records] == [0, 1, 2, 3]


# ---------------------------------------------------------------- order slots and ids


def test_order_ids_count_from_one_and_are_never_used_again() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149")))
    model.execute("main", roll(order("buy", "149"), cancels=(1,)))
    assert [held.order_id for held in model.accounts["main"].open_orders] == [2]
    assert len(model.accounts["main"].slots) == 1


def test_cancelling_an_unknown_order_is_not_an_error() -> None:
    model = venue()
    assert model.execute("main", roll(cancels=(77,))) == ()


def test_a_filled_order_is_readable_until_its_slot_is_used_again() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149")))
    model.apply_row(row(148))
    closed = model.accounts["main"].order(1)
    assert closed is not None
    assert closed.status == "filled"


def test_prices_are_rounded_away_from_the_market_and_sizes_down() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149.00019", SOL // 10 + 5), order("sell", "151.00011")))
    buy, sell = model.accounts["main"].open_orders
    assert (buy.price_e6, sell.price_e6, buy.size_e9) == (149_000_100, 151_000_200, SOL // 10)


def test_a_try_order_that_would_cross_uses_up_an_order_id_and_nothing_else() -> None:
    model = venue()
    records = model.execute("main", roll(order("buy", "150", post_only="try"), order("buy", "149", post_only="try")))
    assert [(record.index, getattr(record, "order_id", 0)) for record in records] == [(1, 2)]
    assert model.accounts["main"].next_order_id == 3


# ---------------------------------------------------------------- expiry, reduce-only, triggers, takers


def lapsing(at_s: int) -> int:
    start_s: int = START_NS // 10**9
    return start_s + at_s


def test_a_lapsed_order_is_not_filled_and_goes_after_the_grace_for_the_keeper_s_fee() -> None:
    model = venue(keeper_fee_e6=10_000, expiry_grace_s=15)
    model.execute("main", roll(order("buy", "149", max_ts=lapsing(10))))
    assert model.apply_row(row(140, 1, at_s=11)) == []
    assert model.next_deadline_ns() == START_NS + 26 * 10**9
    (batch,) = model.apply_row(row(140, 2, at_s=26))
    (record,) = batch.records
    assert isinstance(record, CancelRecord)
    assert (record.expired, record.keeper_fee_e6) == (True, 10_000)
    assert model.accounts["main"].position(0).quote_asset_e6 == -10_000


def test_an_order_fills_until_the_second_of_its_max_ts() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149", max_ts=lapsing(10))))
    assert fills_of(model.apply_row(row(140, 1, at_s=10))) == [(1, SOL // 10)]


def test_the_next_place_frees_lapsed_slots_without_a_fee() -> None:
    model = venue(keeper_fee_e6=10_000)
    model.execute("main", roll(order("buy", "149", max_ts=lapsing(10))))
    model.apply_row(row(150, 1, at_s=11))
    expired, placed = model.execute("main", roll(order("buy", "148")))
    assert isinstance(expired, CancelRecord)
    assert (expired.expired, expired.keeper_fee_e6, placed.index) == (True, 0, 2)


def test_an_order_that_has_lapsed_before_it_lands_is_passed_over() -> None:
    model = venue()
    assert model.execute("main", roll(order("buy", "149", max_ts=lapsing(-1)))) == ()
    assert model.accounts["main"].next_order_id == 1


def test_a_reduce_only_order_fills_no_more_than_the_position_and_then_goes() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149", SOL)))
    model.apply_row(row(148, 1))
    model.execute("main", roll(order("sell", "151", 3 * SOL, reduce_only=True)))
    (batch,) = model.apply_row(row(152, 2))
    assert fills_of([batch]) == [(2, SOL)]
    assert isinstance(batch.records[1], CancelRecord)
    assert model.accounts["main"].position(0).base_e9 == 0


def test_a_market_order_is_filled_by_the_next_row_at_the_vamm_s_price() -> None:
    model = venue(spread_bps=10)
    model.execute("main", roll(order("sell", "0", SOL, post_only="none", order_type="market")))
    assert model.nearest("SOL-PERP") == (2**62, 0)
    (batch,) = model.apply_row(row(150, 1, at_s=60))
    (record,) = batch.records
    assert isinstance(record, FillRecord)
    assert (record.quote_e6, record.maker) == (149_925_000, False)


def test_keepers_fill_a_market_order_without_waiting_for_a_row() -> None:
    model = venue()
    model.execute("main", roll(order("sell", "149", SOL, post_only="none", order_type="market"), order("sell", "151")))
    assert fills_of(model.run_keepers()) == [(1, SOL)]
    assert model.run_keepers() == []


def test_keepers_remove_lapsed_orders_at_the_deadline_without_waiting_for_a_row() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149", max_ts=lapsing(10))))
    deadline_ns = model.next_deadline_ns()
    assert deadline_ns is not None
    model.advance(deadline_ns - 1)
    assert model.run_keepers() == []
    model.advance(deadline_ns)
    assert [len(batch.records) for batch in model.run_keepers()] == [1]
    assert model.next_deadline_ns() is None


def test_a_crossing_limit_order_is_a_taker_at_the_next_row_or_rests_if_the_price_left() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "150.5", SOL, post_only="none")))
    assert model.apply_row(row(151, 1)) == []
    (batch,) = model.apply_row(row(150, 2))
    (record,) = batch.records
    assert isinstance(record, FillRecord)
    assert (record.maker, record.quote_e6) == (True, 150_500_000)


def test_place_and_take_cancels_what_its_limit_does_not_allow() -> None:
    model = venue()
    placed, gone = model.execute("main", roll(order("buy", "149", post_only="none", immediate_or_cancel=True)))
    assert isinstance(gone, CancelRecord)
    assert (placed.index, gone.index) == (1, 2)
    assert model.accounts["main"].position(0).base_e9 == 0


def test_a_stop_fires_beyond_its_price_and_closes_the_whole_position() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149", SOL)))
    model.apply_row(row(148, 1))
    stop = order(
        "sell",
        "0",
        WHOLE_POSITION_E9,
        post_only="none",
        reduce_only=True,
        order_type="trigger_market",
        trigger_e6=140 * USD,
    )
    model.execute("main", roll(stop))
    assert model.nearest("SOL-PERP") == (140 * USD, 2**62)
    assert model.apply_row(row(141, 2)) == []
    assert model.apply_row(row(140, 3)) == []
    (batch,) = model.apply_row(row(139.999, 4))
    assert [type(record) for record in batch.records] == [TriggerRecord, FillRecord, CancelRecord]
    assert model.accounts["main"].position(0).base_e9 == 0


def test_a_position_that_becomes_flat_takes_its_sleeping_stops_with_it_for_nothing() -> None:
    model = venue(keeper_fee_e6=10_000)
    model.execute("main", roll(order("buy", "149", SOL)))
    model.apply_row(row(148, 1))
    asleep: dict[str, Any] = {"post_only": "none", "order_type": "trigger_market"}
    stop = order("sell", "0", WHOLE_POSITION_E9, reduce_only=True, trigger_e6=140 * USD, **asleep)
    entry = order("sell", "0", SOL, trigger_e6=139 * USD, **asleep)
    model.execute("main", roll(stop, entry, order("sell", "150", SOL)))
    (batch,) = model.apply_row(row(151, 2))
    filled, gone = batch.records
    assert isinstance(filled, FillRecord)
    assert isinstance(gone, CancelRecord)
    assert (gone.order_id, gone.explanation, gone.keeper_fee_e6) == (2, "ReduceOnlyOrderIncreasedPosition", 0)
    assert [held.order_id for held in model.accounts["main"].open_orders] == [3]


# ---------------------------------------------------------------- money


def test_funding_is_the_rate_times_the_base_and_longs_pay_a_positive_rate() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149", 2 * SOL)))
    model.apply_row(row(148, 1))
    before = model.accounts["main"].position(0)
    (batch,) = model.pay_funding("SOL-PERP", 3_000_000)
    assert batch.records[0].quote_e6 == -6_000  # type: ignore[union-attr]
    after = model.accounts["main"].position(0)
    assert after.quote_asset_e6 == before.quote_asset_e6 - 6_000
    assert after.quote_entry_e6 == before.quote_entry_e6
    model.execute("main", roll(order("buy", "147", SOL)))
    model.apply_row(row(146, 2))
    assert model.read("main", "main").positions[0].unsettled_funding_e6 == 0


def test_settling_moves_realised_profit_into_the_deposit_and_leaves_equity_alone() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149", SOL)))
    model.apply_row(row(148, 1))
    model.execute("main", roll(order("sell", "150", SOL)))
    model.apply_row(row(151, 2))
    held = model.accounts["main"]
    before = held.deposit_e6 + held.position(0).quote_asset_e6
    model.settle_pnl("main", 0)
    held = model.accounts["main"]
    assert held.position(0).quote_asset_e6 == 0
    assert held.deposit_e6 == before == 10_000 * USD + USD + 29_800 + 30_000
    with pytest.raises(VenueError) as caught:
        model.settle_pnl("main", 0)
    assert caught.value.code == 6259


def test_no_more_can_be_withdrawn_than_the_margin_leaves_free() -> None:
    model = venue(deposit_e6=1000 * USD)
    model.execute("main", roll(order("buy", "149", SOL)))
    with pytest.raises(VenueError):
        model.withdraw("main", 990 * USD)
    model.withdraw("main", 980 * USD)
    assert model.accounts["main"].deposit_e6 == 20 * USD


# ---------------------------------------------------------------- state


def test_a_restarted_venue_is_the_same_venue() -> None:
    model = venue(fills=QUEUE)
    model.execute("main", roll(order("buy", "149"), order("sell", "151", user_order_id=3)))
    model.apply_row(row(148, 1, size_e9=SOL // 20))
    stored = msgspec.json.encode(model.mark())
    again = venue(fills=QUEUE)
    again.rewind(msgspec.json.decode(stored, type=VenueState))
    assert again.mark() == model.mark()
    assert again.apply_row(row(148, 2)) == model.apply_row(row(148, 2))


def test_nearest_names_the_best_resting_buy_and_sell() -> None:
    model = venue()
    assert model.nearest("SOL-PERP") is None
    model.execute("main", roll(order("buy", "148"), order("buy", "149"), order("sell", "151")))
    assert model.nearest("SOL-PERP") == (149 * USD, 151 * USD)
    model.execute("main", roll(cancels=(3,)))
    assert model.nearest("SOL-PERP") == (149 * USD, 2**62)
