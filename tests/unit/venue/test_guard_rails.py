"""What the venue refuses, cancels or takes over when margin, oracle or admin say so, with numbers by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import pytest

from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.margin import collateral_e6, free_collateral_e6, requirement_e6
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.operations import Exchange, MarketOperation
from gridkeeper_core.venue.records import (
    WHOLE_POSITION_E9,
    CancelRecord,
    FillRecord,
    FundingRecord,
    LiquidationRecord,
    SettleRecord,
    TriggerRecord,
)
from gridkeeper_core.venue.state import Market, MarketRules
from support.venue import SOL, SPEC, START_NS, USD, order, roll, row, venue

HOUR_S = 3600


def refusal(model: VenueModel, what: Any) -> int:
    """The code a call is refused with; nothing has changed then."""
    before = model.mark()
    with pytest.raises(VenueError) as refused:
        what()
    assert model.mark() == before
    return int(refused.value.code)


def long_at_149(size_e9: int = SOL, *, deposit_e6: int = 10_000 * USD, **rules: Any) -> VenueModel:
    """An account that bought at 149 as a maker: the rebate is 2 bps."""
    model = venue(deposit_e6=deposit_e6, **rules)
    model.execute("main", roll(order("buy", "149", size_e9)))
    model.apply_row(row(148, 1))
    return model


def change(model: VenueModel, **values: Any) -> None:
    """Puts new values into the market."""
    model.set_market(msgspec.structs.replace(model.markets[0], **values))


def pause(model: VenueModel, operation: MarketOperation) -> None:
    model.change_market(msgspec.structs.replace(model.markets[0].spec, paused_operations=int(operation)))


# ---------------------------------------------------------------- margin at fills and force cancels


def test_a_fill_the_account_cannot_carry_does_not_happen_and_a_keeper_clears_what_adds_risk() -> None:
    # 6 SOL at 149 were fine at 150: 90 USD of margin of 100. At 142 the fill would leave 100 - 42 = 58 USD and the
    # rebate of 0.1788 against 7.5 % of 852 = 63.90.
    model = venue(deposit_e6=100 * USD, keeper_fee_e6=10_000)
    model.execute("main", roll(order("buy", "149", 6 * SOL), order("sell", "160", SOL, reduce_only=True)))
    (batch,) = model.apply_row(row(142, 1))
    (cancelled,) = batch.records
    assert isinstance(cancelled, CancelRecord)
    assert (cancelled.order_id, cancelled.explanation, cancelled.keeper_fee_e6) == (
        1,
        "InsufficientFreeCollateral",
        10_000,
    )
    account = model.accounts["main"]
    assert [held.order_id for held in account.open_orders] == [2]
    assert account.position(0).base_e9 == 0
    # For a force cancel it is not the position that pays the keeper.
    assert (account.position(0).quote_asset_e6, account.deposit_e6) == (0, 100 * USD - 10_000)


def test_a_fill_that_reduces_the_position_needs_no_margin() -> None:
    model = long_at_149(6 * SOL, deposit_e6=100 * USD)
    pause(model, MarketOperation.LIQUIDATION)
    model.execute("main", roll(order("sell", "150", 6 * SOL, reduce_only=True)))
    model.apply_row(row(140, 2))
    assert free_collateral_e6(model.accounts["main"], model.markets, "fill") < 0
    (batch,) = model.apply_row(row(151, 3))
    assert isinstance(batch.records[0], FillRecord)
    assert model.accounts["main"].position(0).base_e9 == 0


# ---------------------------------------------------------------- liquidation


def test_below_maintenance_the_orders_go_and_as_much_of_the_position_as_frees_the_margin() -> None:
    model = long_at_149(6 * SOL, deposit_e6=100 * USD)
    model.execute("main", roll(order("sell", "170", SOL, reduce_only=True)))
    # At 139: 100 - 60 + 0.1788 = 40.1788 USD against 5 % of 834 = 41.70 and a cent for the order.
    (batch,) = model.apply_row(row(139, 2))
    cancelled, liquidated = batch.records
    assert isinstance(cancelled, CancelRecord)
    assert isinstance(liquidated, LiquidationRecord)
    assert (cancelled.order_id, cancelled.explanation) == (2, "Liquidation")
    # Short of maintenance and 2 % buffer (7 % of 834 = 58.38) by 18.2012 USD; each SOL sold at 139 frees 7 % - 1 % fee
    # of 139 = 8.34 USD: 2.182…, in steps of 0.01.
    assert (liquidated.base_e9, liquidated.quote_e6) == (-2_190_000_000, 304_410_000)
    assert liquidated.fee_e6 == 3_044_100
    account = model.accounts["main"]
    assert account.position(0).base_e9 == 6 * SOL - 2_190_000_000
    assert collateral_e6(account, model.markets) == 40_178_800 - 3_044_100
    assert collateral_e6(account, model.markets) >= requirement_e6(account, model.markets, "maintenance") * 7 // 5
    assert not account.is_bankrupt
    assert not model.read("main", "main").being_liquidated


def test_a_short_is_liquidated_when_the_price_rises() -> None:
    model = venue(deposit_e6=100 * USD)
    model.execute("main", roll(order("sell", "151", 6 * SOL)))
    model.apply_row(row(152, 1))
    assert model.nearest("SOL-PERP") is not None
    (batch,) = model.apply_row(row(161, 2))
    (liquidated,) = batch.records
    assert isinstance(liquidated, LiquidationRecord)
    assert liquidated.base_e9 > 0
    assert liquidated.quote_e6 < 0


def test_where_nothing_is_left_but_a_debt_the_account_is_bankrupt_and_places_no_more() -> None:
    model = long_at_149(6 * SOL, deposit_e6=100 * USD)
    (batch,) = model.apply_row(row(120, 2))  # 100 - 174 USD
    (liquidated,) = batch.records
    assert isinstance(liquidated, LiquidationRecord)
    assert liquidated.base_e9 == -6 * SOL
    assert model.accounts["main"].is_bankrupt
    assert model.user_status("main") == 2
    assert refusal(model, lambda: model.place("main", [order("buy", "100")])) == 6125
    assert refusal(model, lambda: model.withdraw("main", 1)) == 6125


def test_nothing_is_liquidated_at_the_price_before_the_breach_and_something_at_it() -> None:
    # 100 + 0.1788 - 6 (149 - p) = 0.05 * 6 p gives p = 139.2668…
    for price, is_liquidated in ((139.2669, False), (139.2668, True)):
        model = long_at_149(6 * SOL, deposit_e6=100 * USD)
        low_e6, _ = model.nearest("SOL-PERP") or (0, 0)
        assert abs(low_e6 - 139_266_800) < 200
        assert bool(model.apply_row(row(price, 2))) is is_liquidated


def test_paused_liquidations_leave_the_account_as_it_is_and_its_orders_are_refused() -> None:
    for market_bits, exchange_bits in ((MarketOperation.LIQUIDATION, 0), (0, Exchange.LIQUIDATION)):
        model = long_at_149(6 * SOL, deposit_e6=100 * USD)
        pause(model, MarketOperation(market_bits))
        model.exchange_status = int(exchange_bits)
        model.apply_row(row(130, 2))
        assert model.accounts["main"].position(0).base_e9 == 6 * SOL
        assert model.user_status("main") == 1
        assert refusal(model, partial(model.place, "main", [order("buy", "100")])) == 6117


def test_with_positions_in_two_markets_the_larger_one_goes_first() -> None:
    other = msgspec.structs.replace(SPEC, symbol="ETH-PERP", index=1)
    model = VenueModel([MarketRules(spec=SPEC), MarketRules(spec=other)])
    model.open_account("main")
    model.deposit("main", 200 * USD)
    for symbol in ("SOL-PERP", "ETH-PERP"):
        model.apply_row(msgspec.structs.replace(row(150, 0), market=symbol))
    model.execute("main", roll(order("buy", "149", 2 * SOL), order("buy", "149", 5 * SOL, market_index=1)))
    model.apply_row(row(148.9, 1))
    model.apply_row(msgspec.structs.replace(row(148.9, 1), market="ETH-PERP"))
    (batch,) = model.apply_row(msgspec.structs.replace(row(115, 2), market="ETH-PERP"))
    first = next(record for record in batch.records if isinstance(record, LiquidationRecord))
    assert first.market_index == 1


# ---------------------------------------------------------------- price bands


def test_an_order_far_on_the_wrong_side_of_the_oracle_is_cancelled_not_filled() -> None:
    model = venue(price_band_e4=1000, keeper_fee_e6=10_000)
    model.execute("main", roll(order("buy", "149"), order("buy", "145")))
    # At 133 the first is 12.03 % above the oracle, the second 9.02 %.
    (batch,) = model.apply_row(row(133, 1))
    cancelled, filled = batch.records
    assert isinstance(cancelled, CancelRecord)
    assert (cancelled.order_id, cancelled.explanation) == (1, "OraclePriceBreachedLimitPrice")
    assert isinstance(filled, FillRecord)
    assert filled.order_id == 2


# ---------------------------------------------------------------- pauses


def test_paused_fills_fill_nothing_until_they_go_on() -> None:
    for market_bits, exchange_bits in ((MarketOperation.FILL, 0), (0, Exchange.FILL)):
        model = venue()
        model.execute("main", roll(order("buy", "149")))
        pause(model, MarketOperation(market_bits))
        model.exchange_status = int(exchange_bits)
        assert model.apply_row(row(148, 1)) == []
        pause(model, MarketOperation(0))
        model.exchange_status = 0
        (batch,) = model.apply_row(row(148, 2))
        assert isinstance(batch.records[0], FillRecord)


def test_while_the_vamm_is_paused_takers_wait_and_post_only_is_not_checked() -> None:
    model = venue()
    pause(model, MarketOperation.AMM_FILL)
    model.execute("main", roll(order("buy", "0", order_type="market", post_only="none")))
    assert model.run_keepers() == []
    model.execute("main", roll(order("buy", "151")))
    assert len(model.accounts["main"].open_orders) == 2


def test_each_exchange_bit_stops_what_it_names() -> None:
    model = long_at_149()
    model.apply_row(row(150, 2))
    taking = roll(order("buy", "151", post_only="none", immediate_or_cancel=True))
    stopped = {
        Exchange.DEPOSIT: lambda: model.deposit("main", 1),
        Exchange.WITHDRAW: lambda: model.withdraw("main", 1),
        Exchange.FILL: lambda: model.execute("main", taking),
        Exchange.SETTLE_PNL: lambda: model.settle_pnl("main", 0),
    }
    for bit, what in stopped.items():
        model.exchange_status = int(bit)
        assert refusal(model, what) == 6024
        model.exchange_status = int(Exchange.EVERYTHING & ~bit)
        model.execute("main", roll(order("buy", "140")))  # only all bits together stop placing
    model.exchange_status = int(Exchange.EVERYTHING)
    assert refusal(model, lambda: model.execute("main", roll(order("buy", "140")))) == 6024
    assert refusal(model, lambda: model.cancel("main", (1,))) == 6024


# ---------------------------------------------------------------- the oracle


def test_a_stale_oracle_neither_settles_nor_liquidates_but_takes_orders() -> None:
    model = long_at_149(6 * SOL, deposit_e6=100 * USD, stale_after_slots=120)
    model.apply_row(row(150, 2))
    model.advance(START_NS + 2 * 10**9 + 121 * 400_000_000)
    assert refusal(model, lambda: model.settle_pnl("main", 0)) == 6225
    model.execute("main", roll(order("buy", "140", SOL // 100)))
    model.apply_row(row(150, 3, at_s=60))
    model.settle_pnl("main", 0)


def test_a_frozen_oracle_keeps_its_price_whatever_rows_come() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149")))
    change(model, is_frozen=True)
    assert model.apply_row(row(148, 1)) == []
    assert (model.markets[0].oracle_e6, model.markets[0].source_seq) == (150 * USD, 1)
    change(model, is_frozen=False)
    assert model.apply_row(row(148, 2)) != []


def test_an_uncertain_oracle_fills_nothing() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149")))
    change(model, confidence_e6=3 * USD)  # 2 % of 148 is 2.96
    assert model.apply_row(row(148, 1)) == []
    change(model, confidence_e6=2_900_000)
    assert model.apply_row(row(148, 2)) != []


# ---------------------------------------------------------------- funding


def test_longs_pay_the_hourly_rate_of_the_price_at_each_full_hour() -> None:
    model = long_at_149(funding_rate_e9=12_500)  # 0.00125 % of notional, an hour
    first_hour = START_NS // 10**9 // HOUR_S + 1
    assert model.next_deadline_ns() == first_hour * HOUR_S * 10**9
    to_the_hour_s = first_hour * HOUR_S - START_NS // 10**9
    assert model.apply_row(row(160, 2, at_s=to_the_hour_s - 1)) == []
    (batch,) = model.apply_row(row(160, 3, at_s=to_the_hour_s))
    (paid,) = batch.records
    assert isinstance(paid, FundingRecord)
    assert paid.quote_e6 == -2_000  # 160 USD * 0.0000125
    (batch,) = model.apply_row(row(160, 4, at_s=to_the_hour_s + 3 * HOUR_S))
    assert [record.quote_e6 for record in batch.records if isinstance(record, FundingRecord)] == [-6_000]
    assert model.accounts["main"].funding_e6 == -8_000


def test_paused_funding_is_not_made_up_for() -> None:
    model = long_at_149(funding_rate_e9=12_500)
    pause(model, MarketOperation.UPDATE_FUNDING)
    assert model.apply_row(row(160, 2, at_s=2 * HOUR_S)) == []
    pause(model, MarketOperation(0))
    (batch,) = model.apply_row(row(160, 3, at_s=3 * HOUR_S))
    assert [record.quote_e6 for record in batch.records if isinstance(record, FundingRecord)] == [-2_000]


# ---------------------------------------------------------------- settlement


def test_a_gain_is_settled_only_as_far_as_the_pool_can_pay() -> None:
    model = long_at_149(SOL, pnl_pool_e6=0)
    model.apply_row(row(160, 2))
    model.execute("main", roll(order("sell", "161")))
    model.apply_row(row(162, 3))
    assert refusal(model, lambda: model.settle_pnl("main", 0)) == 6260
    change(model, pnl_pool_e6=1 * USD)
    (settled,) = model.settle_pnl("main", 0)
    assert isinstance(settled, SettleRecord)
    assert settled.quote_e6 == 1 * USD
    assert model.markets[0].pnl_pool_e6 == 0


def test_a_loss_is_paid_into_the_pool() -> None:
    model = long_at_149(SOL, pnl_pool_e6=0)
    (settled,) = model.settle_pnl("main", 0)
    assert isinstance(settled, SettleRecord)
    assert settled.quote_e6 == -1 * USD + 29_800
    assert model.markets[0].pnl_pool_e6 == 1 * USD - 29_800


def test_settling_is_refused_by_status_pause_and_margin() -> None:
    model = long_at_149(6 * SOL, deposit_e6=100 * USD)
    for status in ("reduce-only", "settlement"):
        model.change_market(msgspec.structs.replace(SPEC, status=status))
        assert refusal(model, lambda: model.settle_pnl("main", 0)) == 6158
    for bit in (MarketOperation.SETTLE_PNL, MarketOperation.SETTLE_PNL_WITH_POSITION):
        model.change_market(msgspec.structs.replace(SPEC, paused_operations=int(bit)))
        assert refusal(model, lambda: model.settle_pnl("main", 0)) == 6158
    pause(model, MarketOperation.LIQUIDATION)
    model.apply_row(row(135, 2))
    assert refusal(model, lambda: model.settle_pnl("main", 0)) == 6095


def test_a_roll_settles_before_it_cancels_and_places() -> None:
    model = long_at_149()
    records = model.execute("main", msgspec.structs.replace(roll(order("buy", "140")), settle_markets=(0,)))
    assert [type(record).__name__ for record in records] == ["SettleRecord", "PlacedRecord"]
    model.apply_row(row(147, 2))
    refused = msgspec.structs.replace(roll(order("buy", "150")), settle_markets=(0,))
    assert refusal(model, lambda: model.execute("main", refused)) == 6057


# ---------------------------------------------------------------- triggers


def test_a_stop_for_the_whole_position_sells_what_there_is_at_the_vamms_price_less_slippage() -> None:
    model = long_at_149(SOL, keeper_fee_e6=10_000, slippage_bps=50, spread_bps=20)
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
    assert free_collateral_e6(model.accounts["main"], model.markets) > 9_900 * USD  # its size is no exposure
    assert model.apply_row(row(141, 2)) == []
    (batch,) = model.apply_row(row(139.999, 3))
    fired, filled, rest = batch.records
    assert isinstance(fired, TriggerRecord)
    assert isinstance(filled, FillRecord)
    assert isinstance(rest, CancelRecord)
    assert rest.explanation == "ReduceOnlyOrderIncreasedPosition"
    assert fired.keeper_fee_e6 == 10_000
    # The vAMM bids 139.859001; 50 bps less are 139.159706. The taker pays 10 bps of that, and for the order's rest.
    assert rest.keeper_fee_e6 == 10_000
    assert (filled.base_e9, filled.quote_e6, filled.fee_e6, filled.maker) == (SOL, 139_159_706, 139_160, False)
    position = model.accounts["main"].position(0)
    assert position.base_e9 == 0
    assert position.quote_asset_e6 == -149_000_000 + 29_800 - 10_000 + 139_159_706 - 139_160 - 10_000


# ---------------------------------------------------------------- slots for positions


def test_a_ninth_market_is_refused_6005_until_one_of_the_eight_is_free() -> None:
    rules = [
        MarketRules(spec=msgspec.structs.replace(SPEC, symbol=f"M{index}-PERP", index=index)) for index in range(9)
    ]
    model = VenueModel(rules)
    model.open_account("main")
    model.deposit("main", 10_000 * USD)
    for index in range(9):
        model.apply_row(msgspec.structs.replace(row(150, 0), market=f"M{index}-PERP"))
    model.place("main", [order("buy", "140", market_index=index) for index in range(8)])
    assert refusal(model, lambda: model.place("main", [order("buy", "140", market_index=8)])) == 6005
    model.cancel("main", (3,))
    model.place("main", [order("buy", "140", market_index=8)])


def test_a_market_that_is_put_in_place_of_another_is_found_by_its_new_symbol() -> None:
    model = venue()
    market: Market = model.markets[0]
    spec = msgspec.structs.replace(market.spec, symbol="SOL2-PERP")
    model.set_market(msgspec.structs.replace(market, rules=msgspec.structs.replace(market.rules, spec=spec)))
    assert model.market_named("SOL2-PERP").spec.index == 0
