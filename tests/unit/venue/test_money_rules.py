"""Fees, funding and margin by the numbers of the program."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_core.venue.errors import VenueError
from gridkeeper_core.venue.fees import maker_fee_e6, taker_fee_e6
from gridkeeper_core.venue.funding import payment_e6
from gridkeeper_core.venue.margin import collateral_e6, free_collateral_e6, increases_risk, requirement_e6
from gridkeeper_core.venue.model import VenueModel
from gridkeeper_core.venue.operations import MarketOperation
from gridkeeper_core.venue.state import PerpPosition
from support.venue import SOL, SPEC, USD, order, roll, row, venue


def test_a_taker_s_fee_is_rounded_up_and_a_maker_s_rebate_down() -> None:
    assert taker_fee_e6(SPEC, 14_999_000) == 14_999
    assert taker_fee_e6(SPEC, 1) == 1
    assert maker_fee_e6(SPEC, 14_999_000) == -2_999
    assert maker_fee_e6(SPEC, 1) == 0


def test_a_maker_who_pays_pays_rounded_up() -> None:
    paying = msgspec.structs.replace(SPEC, maker_fee_e5=20)
    assert maker_fee_e6(paying, 14_999_000) == 3_000


def test_longs_pay_a_positive_rate_shorts_receive_it_and_magnitudes_round_down() -> None:
    assert payment_e6(1_000_000_000, SOL) == -USD
    assert payment_e6(1_000_000_000, -SOL) == USD
    assert payment_e6(999, SOL) == 0
    assert payment_e6(-1_999, SOL) == 1


def test_margin_is_of_the_worse_side_at_the_oracle_price_and_a_cent_for_each_order() -> None:
    model = venue()
    model.execute("main", roll(order("buy", "149", 2 * SOL), order("sell", "151", SOL)))
    account, markets = model.accounts["main"], model.markets
    assert requirement_e6(account, markets, "initial") == 30 * USD + 20_000
    assert requirement_e6(account, markets, "maintenance") == 15 * USD + 20_000


def test_reduce_only_orders_and_waiting_triggers_need_only_their_cent() -> None:
    model = venue()
    stop = order("sell", "0", SOL, post_only="none", order_type="trigger_market", trigger_e6=100 * USD)
    model.execute("main", roll(order("sell", "151", SOL, reduce_only=True), stop))
    assert requirement_e6(model.accounts["main"], model.markets, "initial") == 20_000


def test_collateral_is_the_deposit_and_what_positions_are_worth_now() -> None:
    model = bought()
    model.apply_row(row(151, 2))
    account = model.accounts["main"]
    assert collateral_e6(account, model.markets) == 10_000 * USD + 2 * USD + 29_800
    assert free_collateral_e6(account, model.markets) == 10_002 * USD + 29_800 - 15_100_000


def test_an_order_against_the_position_raises_the_risk_only_beyond_it() -> None:
    assert not increases_risk("sell", SOL, SOL, 0, 0)
    assert increases_risk("sell", SOL + 1, SOL, 0, 0)
    assert increases_risk("sell", SOL, SOL, 0, -1)
    assert increases_risk("buy", 1, SOL, 0, 0)
    assert not increases_risk("buy", SOL, -SOL, 0, 0)


def test_an_account_short_of_initial_margin_may_still_reduce() -> None:
    model = venue(deposit_e6=100 * USD)
    model.execute("main", roll(order("buy", "149", 6 * SOL)))
    model.apply_row(row(145, 1))
    assert free_collateral_e6(model.accounts["main"], model.markets) < 0
    model.execute("main", roll(order("sell", "146", 6 * SOL)))


def test_below_its_margin_an_account_places_nothing() -> None:
    model = short_of_margin(enforce_margin=True)
    with pytest.raises(VenueError, match="6117"):
        model.execute("main", roll(order("sell", "146", SOL)))


def test_without_margin_nobody_is_asked_for_it() -> None:
    model = short_of_margin(enforce_margin=False)
    assert model.execute("main", roll(order("sell", "146", SOL)))


def test_a_flat_settled_position_is_forgotten_with_the_next_order_unless_one_is_open() -> None:
    """A sell at 150 ends what was bought at 149, with a rebate of 2 bps each: 1 and 0.0598 are settled."""
    for rests_on in (False, True):
        model = bought()
        model.execute("main", roll(order("sell", "150", SOL)))
        model.apply_row(row(151, 2))
        if rests_on:
            model.execute("main", roll(order("buy", "140", SOL)))
        model.settle_pnl("main", 0)
        left = model.accounts["main"].position(0)
        assert left == PerpPosition(market_index=0, settled_pnl_e6=1_059_800)

        model.execute("main", roll(order("buy", "141", SOL)))
        assert model.accounts["main"].position(0).settled_pnl_e6 == (1_059_800 if rests_on else 0)


def short_of_margin(*, enforce_margin: bool) -> VenueModel:
    """Bought 6 SOL at 149 with 100 USD; at 135 that is below the maintenance margin, and nobody liquidates."""
    model = venue(deposit_e6=100 * USD, enforce_margin=enforce_margin)
    paused = msgspec.structs.replace(model.markets[0].spec, paused_operations=int(MarketOperation.LIQUIDATION))
    model.change_market(paused)
    model.execute("main", roll(order("buy", "149", 6 * SOL)))
    model.apply_row(row(148, 1))
    model.apply_row(row(135, 2))
    assert free_collateral_e6(model.accounts["main"], model.markets, "maintenance") < 0
    return model


def bought() -> VenueModel:
    """A venue whose account bought 1 SOL at 149."""
    model = venue()
    model.execute("main", roll(order("buy", "149", SOL)))
    model.apply_row(row(148, 1))
    return model
