"""A preview by hand: levels 90, 100, 110, 120, one unit per order, price 100, a rebate of 2 bp, leverage 3.

The gap is the level 100. Cell 0 buys at 90; cells 1 and 2 sell at 110 and 120.
"""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.preview import LiveWindow, Preview, PreviewLevel, preview
from gridkeeper_core.grid.preview_checks import check_accepted, open_refusals
from gridkeeper_core.grid.preview_liquidation import long_liquidation_e6, short_liquidation_e6
from gridkeeper_core.grid.preview_money import Costs, Inventory, Turn, maker_fee_e6
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import E6, E9
from support.sol_perp import CENTS

SPEC = CENTS
CONFIG = GridConfig(
    grid_id="a",
    market="SOL-PERP",
    lower_e6=90 * E6,
    upper_e6=120 * E6,
    intervals=3,
    spacing="arithmetic",
    size_base_e9=E9,
)
PRICE_E6 = 100 * E6


def made(
    costs: Costs | None = None, spec: MarketSpec = SPEC, sigma_day_e6: int | None = None, **changed: object
) -> Preview:
    config = msgspec.structs.replace(CONFIG, **changed)
    return preview(config, spec, PRICE_E6, costs=costs, sigma_day_e6=sigma_day_e6)


def codes(of: Preview) -> list[str]:
    return [refusal.code for refusal in of.refusals]


def test_each_level_says_what_would_rest_there() -> None:
    def level(index: int, price: int, side: str, cell: int, size: int, profit_e6: int) -> PreviewLevel:
        return PreviewLevel(
            index=index,
            price_e6=price * E6,
            side=side,  # type: ignore[arg-type]
            cell=cell,
            size_e9=size * E9,
            is_live=size > 0,
            turn_profit_e6=profit_e6,
        )

    assert made().levels == (
        level(0, 90, "buy", 0, 1, 10_038_000),
        level(1, 100, "", -1, 0, 0),
        level(2, 110, "sell", 1, 1, 10_042_000),
        level(3, 120, "sell", 2, 1, 10_046_000),
    )


def test_a_turn_earns_its_spacing_and_two_rebates() -> None:
    # Bought for 90, sold for 100, rebates 0.018 and 0.020.
    assert made().least_turn == Turn(
        cell=0,
        size_e9=E9,
        buy_quote_e6=90 * E6,
        sell_quote_e6=100 * E6,
        fees_e6=-38_000,
        transactions_e6=0,
        profit_e6=10_038_000,
        profit_ratio_e6=111_533,
        spacing_ratio_e6=111_111,
    )
    assert made().most_turn.profit_e6 == 10_046_000


def test_transactions_are_paid_out_of_the_turn() -> None:
    # Two transactions of 5000 lamports at 150 per SOL: 0.0015.
    of = made(Costs(sol_price_e6=150 * E6))

    assert of.transaction_cost_e6 == 1_500
    assert of.least_turn.profit_e6 == 10_038_000 - 1_500


def test_transactions_are_left_out_where_sol_has_no_price() -> None:
    assert made().transaction_cost_e6 is None


@pytest.mark.parametrize(
    ("maker_fee_e5", "costs", "ratio_e6"),
    [
        (-20, None, -399),  # -0.0004 / 1.0002 = -0.00039992
        (20, None, 401),  # 0.0004 / 0.9998 = 0.00040008
        (0, Costs(transaction_lamports=9_000_000, sol_price_e6=50 * E6), 10_000),  # 0.9 of 90
    ],
)
def test_the_break_even_spacing_pays_for_both_fees_and_the_transactions(
    maker_fee_e5: int, costs: Costs | None, ratio_e6: int
) -> None:
    spec = msgspec.structs.replace(SPEC, maker_fee_e5=maker_fee_e5)

    assert made(costs, spec).break_even_ratio_e6 == ratio_e6


def test_the_capital_is_the_worst_notional_over_the_leverage() -> None:
    # All sells: 110 + 120 = 230, more than the one buy of 90; over 3.
    assert (made().worst_notional_e6, made().capital_e6) == (230 * E6, 76_666_667)
    assert made(capital_e6=50 * E6).capital_e6 == 50 * E6


def test_the_worst_inventories_are_everything_bought_and_everything_sold() -> None:
    of = made()

    # (90 - 76.666667) / 0.95 = 14.03508737, rounded up.
    assert of.at_lower == Inventory(
        price_e6=90 * E6,
        base_e9=E9,
        cost_e6=90 * E6,
        average_entry_e6=90 * E6,
        loss_e6=0,
        liquidation_e6=14_035_088,
    )
    # (76.666667 + 230) / (2 * 1.05) = 146.03174619, rounded down.
    assert of.at_upper == Inventory(
        price_e6=120 * E6,
        base_e9=-2 * E9,
        cost_e6=230 * E6,
        average_entry_e6=115 * E6,
        loss_e6=10 * E6,
        liquidation_e6=146_031_746,
    )


@pytest.mark.parametrize("capital", [10, 40, 75])
def test_at_the_long_liquidation_price_the_equity_is_the_maintenance_margin(capital: int) -> None:
    price_e6 = long_liquidation_e6(2 * E9, 200 * E6, capital * E6, 500)

    assert price_e6 is not None
    equity_e6 = capital * E6 + 2 * price_e6 - 200 * E6
    assert 0 <= equity_e6 - 2 * price_e6 * 500 // 10_000 <= 2


@pytest.mark.parametrize("capital", [10, 40, 75])
def test_at_the_short_liquidation_price_the_equity_is_the_maintenance_margin(capital: int) -> None:
    price_e6 = short_liquidation_e6(2 * E9, 200 * E6, capital * E6, 500)

    assert price_e6 is not None
    equity_e6 = capital * E6 + 200 * E6 - 2 * price_e6
    assert 0 <= equity_e6 - 2 * price_e6 * 500 // 10_000 <= 3


def test_a_position_the_capital_pays_for_is_never_liquidated() -> None:
    assert long_liquidation_e6(E9, 90 * E6, 90 * E6, 500) is None
    assert long_liquidation_e6(0, 0, 90 * E6, 500) is None
    assert short_liquidation_e6(0, 0, 90 * E6, 500) is None


def test_the_live_window_needs_margin_for_its_worse_side_and_a_cent_per_order() -> None:
    # Two sells of 1 at 100 with 10 %: 20, and three orders.
    assert made().window == LiveWindow(buys=1, sells=2, margin_e6=20_030_000)


def test_only_the_nearest_orders_are_live() -> None:
    of = made(live_orders=2, reserve=0)

    assert [row.is_live for row in of.levels] == [True, False, True, False]
    assert (of.window.buys, of.window.sells) == (1, 1)


def test_the_expectation_is_the_formula_with_its_numbers() -> None:
    # K = 90+100+110, R = 1/9 + 1/10 + 1/11, gross 30, rebates 0.126; at 4 % a day K*sigma^2/(2R) = 0.794649.
    e = made(sigma_day_e6=40_000).expectation

    assert (e.cells_quote_e6, e.range_ratio_e6) == (300 * E6, 302_020)
    assert (e.spacing_ratio_e6, e.cost_ratio_e6) == (100_000, -420)
    assert (e.harvest_day_e6, e.costs_day_e6) == (797_986, -3_337)


def test_without_a_sigma_no_day_is_promised() -> None:
    e = made().expectation

    assert (e.sigma_day_e6, e.harvest_day_e6, e.costs_day_e6) == (None, None, None)


def test_the_suggested_spacing_is_ten_times_the_costs_and_ten_basis_points_at_least() -> None:
    dear = msgspec.structs.replace(SPEC, maker_fee_e5=50)

    assert made().expectation.suggested_ratio_e6 == 1_000
    # 0.0005 on both sides of every turn: 0.315 on 300.
    assert made(spec=dear).expectation.suggested_ratio_e6 == 10 * 1_050


def test_a_sound_grid_has_no_refusals() -> None:
    assert made().refusals == ()


def test_a_spacing_that_does_not_pay_its_fees_is_refused() -> None:
    # 5 % on each side of turns of 10 %: 9.5 on the first, but 11.5 on the last, which earns 10.
    dear = msgspec.structs.replace(SPEC, maker_fee_e5=5_000)

    refused = made(spec=dear).refusals

    assert [(r.code, r.field) for r in refused] == [("SPACING_UNDER_COST", "grid.intervals")]
    assert "-1.5 per turn of cell 2" in refused[0].value


def test_a_turn_that_earns_exactly_nothing_is_refused() -> None:
    # Cell 0 earns 10.038; two transactions of half of that.
    costs = Costs(transaction_lamports=5_019_000_000, sol_price_e6=E6)

    assert codes(made(costs)) == ["SPACING_UNDER_COST"]
    assert made(costs).least_turn.profit_e6 == 0


def test_a_liquidation_inside_of_the_range_is_refused() -> None:
    # (15 + 230) / 2.1 = 116.67, below 120.
    assert codes(made(capital_e6=15 * E6)) == ["LIQUIDATION_INSIDE_RANGE", "MARGIN_SHORT"]
    assert "short liquidated at 116.666666" in made(capital_e6=15 * E6).refusals[0].value


def test_a_liquidation_at_the_very_end_of_the_range_is_refused() -> None:
    # (C + 230) / 2.1 = 120 for C = 22.
    assert codes(made(capital_e6=22 * E6)) == ["LIQUIDATION_INSIDE_RANGE"]
    assert codes(made(capital_e6=22 * E6 + 3)) == []


def test_a_long_liquidation_inside_of_the_range_is_refused() -> None:
    of = preview(msgspec.structs.replace(CONFIG, capital_e6=40 * E6), SPEC, 120 * E6)

    # All three bought for 300: (300 - 40) / (3 * 0.95) = 91.23, above 90.
    assert codes(of) == ["LIQUIDATION_INSIDE_RANGE"]
    assert "long liquidated at 91.22807" in of.refusals[0].value


@pytest.mark.parametrize("price", [89, 121])
def test_a_price_outside_of_the_range_is_refused(price: int) -> None:
    of = preview(CONFIG, SPEC, price * E6)

    assert "PRICE_OUT_OF_RANGE" in codes(of)


def test_a_price_below_the_range_leaves_only_sells() -> None:
    of = preview(CONFIG, SPEC, 80 * E6)

    assert of.at_lower.base_e9 == 0
    assert of.at_lower.average_entry_e6 is None
    assert of.at_lower.liquidation_e6 is None
    assert (of.window.buys, of.window.sells) == (0, 3)


def test_a_size_under_the_minimum_leaves_no_grid_to_preview() -> None:
    with pytest.raises(GridkeeperError) as refused:
        made(size_base_e9=9_999_999)

    assert refused.value.code == "SIZE_UNDER_MINIMUM"


def test_levels_closer_than_two_ticks_leave_no_grid_to_preview() -> None:
    with pytest.raises(GridkeeperError) as refused:
        made(upper_e6=90_050_000)

    assert refused.value.code == "SPACING_TOO_SMALL"


def test_a_leverage_beyond_the_market_leaves_no_grid_to_preview() -> None:
    assert made(leverage_e4=100_000).refusals == ()
    with pytest.raises(GridkeeperError) as refused:
        made(leverage_e4=100_001)

    assert (refused.value.code, refused.value.expected) == ("LEVERAGE_TOO_HIGH", "at most 10 (SOL-PERP)")


def test_an_accepted_refusal_is_open_no_more() -> None:
    of = made(capital_e6=15 * E6)

    left = open_refusals(of.refusals, ["LIQUIDATION_INSIDE_RANGE"])

    assert [refusal.code for refusal in left] == ["MARGIN_SHORT"]


def test_what_leaves_no_grid_cannot_be_accepted() -> None:
    check_accepted(["SPACING_UNDER_COST"])
    with pytest.raises(GridkeeperError, match="BAD_VALUE"):
        check_accepted(["SIZE_UNDER_MINIMUM"])


def test_a_refusal_reads_as_the_error_it_is() -> None:
    error = made(capital_e6=15 * E6).refusals[0].error()

    assert (error.code, error.field) == ("LIQUIDATION_INSIDE_RANGE", "grid.capital")
    assert "--accept" in error.do


@pytest.mark.parametrize(("quote_e6", "fee_e6"), [(14_999_000, -2_999), (15_000_000, -3_000), (1, 0)])
def test_a_rebate_is_rounded_down_as_the_venue_does(quote_e6: int, fee_e6: int) -> None:
    assert maker_fee_e6(quote_e6, SPEC) == fee_e6


def test_a_fee_is_rounded_up() -> None:
    assert maker_fee_e6(14_999_001, msgspec.structs.replace(SPEC, maker_fee_e5=20)) == 3_000


def test_the_loss_it_stops_at_is_a_part_of_the_capital() -> None:
    assert made(capital_e6=100 * E6).loss_allowed_e6 == 15 * E6
    assert made(capital_e6=100 * E6, risk_enabled=False).loss_allowed_e6 == 0
