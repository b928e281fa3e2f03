"""Previews of long and short grids, stops, funding and accounts that hold other things, by hand.

Levels 90, 100, 110, 120, one unit per order, price 100: the gap is the level 100, cell 0 is empty, cells 1 and 2 held.
"""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core.grid.preview import Preview, preview
from gridkeeper_core.grid.preview_liquidation import (
    OtherPosition,
    RestOfAccount,
    long_liquidation_e6,
    searched_liquidation_e6,
    short_liquidation_e6,
)
from gridkeeper_core.grid.preview_money import Costs, Entry
from gridkeeper_core.units import E6, E9
from support.story import SPEC, config

PLAIN = config(lower_e6=90 * E6, upper_e6=120 * E6, intervals=3)
ETH = replace(SPEC, symbol="ETH-PERP", index=2)


def made(rest: RestOfAccount | None = None, costs: Costs | None = None, **changed: object) -> Preview:
    return preview(replace(PLAIN, **changed), SPEC, 100 * E6, rest=rest, costs=costs)


def test_a_long_grid_buys_what_its_upper_cells_hold() -> None:
    of = made(direction="long")

    # Two cells at 100 = 200, with 0.1 % if it takes. At 90: one more for 90. At 120: sold at 110 and 120.
    assert of.entry == Entry(base_e9=2 * E9, quote_e6=200 * E6, taker_fee_e6=200_000)
    assert (of.at_lower.base_e9, of.at_lower.cost_e6, of.at_lower.loss_e6) == (3 * E9, 290 * E6, 20 * E6)
    assert (of.at_upper.base_e9, of.at_upper.average_entry_e6, of.at_upper.loss_e6) == (0, None, -30 * E6)
    assert of.worst_notional_e6 == 290 * E6
    # (290 - 96.666667) / (3 * 0.95).
    assert of.at_lower.liquidation_e6 == 67_836_258


def test_a_short_grid_is_the_mirror() -> None:
    of = made(direction="short")

    # One empty cell sold at 100; at 120 also sold at 110 and 120: 330 received for 3. At 90 bought back.
    assert of.entry == Entry(base_e9=-E9, quote_e6=100 * E6, taker_fee_e6=100_000)
    assert (of.at_upper.base_e9, of.at_upper.cost_e6, of.at_upper.loss_e6) == (-3 * E9, 330 * E6, 30 * E6)
    assert (of.at_lower.base_e9, of.at_lower.loss_e6) == (0, -10 * E6)
    # (110 + 330) / (3 * 1.05).
    assert of.at_upper.liquidation_e6 == 139_682_539


def test_a_neutral_grid_enters_nothing() -> None:
    assert made().entry is None


def test_the_margin_of_a_long_grid_counts_its_first_position() -> None:
    # 2 held and 1 bought = 3 at 100 with 10 %, and a cent for each of three orders.
    assert made(direction="long").window.margin_e6 == 30_030_000


def test_a_stop_says_what_is_lost_when_the_price_goes_straight_there() -> None:
    of = made(stop_low_e6=80 * E6, stop_high_e6=130 * E6, slippage_e4=0)

    # Long 1 from 90 to 80: 10. Short 2 from an average of 115 to 130: 30.
    assert [(line.kind, line.total_e6) for line in of.stops] == [("stop-low", -10 * E6), ("stop-high", -30 * E6)]


def test_a_stop_loses_its_slippage_as_well() -> None:
    of = made(stop_low_e6=80 * E6, slippage_e4=50)

    assert of.stops[0].total_e6 == -10_400_000  # 0.5 % of 80


def test_a_stop_behind_the_liquidation_is_refused_with_both_prices() -> None:
    # Liquidated above 146.03: the stop at 150 would come too late.
    refused = made(stop_high_e6=150 * E6).refusals

    assert [(r.code, r.field, r.value) for r in refused] == [("STOP_BEYOND_LIQUIDATION", "stops.high", "150")]
    assert "146.03" in refused[0].expected


def test_funding_is_paid_by_longs_and_unknown_without_a_rate() -> None:
    # 0.001 % an hour of 1 * 90 = 0.0216 a day; the short of 2 at 120 receives 0.0576.
    known = made(costs=Costs(paid_hour_e9=10_000))

    assert (known.at_lower.funding_day_e6, known.at_upper.funding_day_e6) == (-21_600, 57_600)
    assert made().at_lower.funding_day_e6 is None


def test_what_is_refused_says_with_numbers_what_to_change() -> None:
    # Short of 2 at an average of 115: at 120 a loss of 10 and a margin of 12.
    refusal = made(capital_e6=21 * E6).refusals[0]
    assert (refusal.code, refusal.change) == (
        "LIQUIDATION_INSIDE_RANGE",
        "Put more than 22 behind it (grid.capital), or lower grid.size.",
    )
    assert made(capital_e6=22 * E6 + 3).refusals == ()
    # 5 % on each side: break-even at (0.1) / 0.95 = 10.5264 %: (120 - 90) / (120 * 0.105264) = 2.37.
    dear = preview(PLAIN, replace(SPEC, maker_fee_e5=5_000), 100 * E6).refusals[0]
    assert dear.change == "Use at most 2 intervals in this range."
    assert "--accept SPACING_UNDER_COST" in dear.error().do


def test_renewing_orders_costs_something_every_day() -> None:
    # 28 orders of a life of 4 h: 12 rounds of 2 transactions of 5000 lamports at 100 = 0.0005 each.
    of = made(order_life_ns=4 * 3600 * E9, costs=Costs(sol_price_e6=100 * E6))

    assert of.expectation.renewals_day_e6 == 12_000


def test_taking_missed_cells_costs_half_of_the_spread() -> None:
    spread = Costs(spread_ratio_e6=1_000)

    waits, takes = made(costs=spread).expectation, made(costs=spread, missed="take").expectation

    assert takes.cost_ratio_e6 - waits.cost_ratio_e6 == 500


def test_in_an_empty_account_search_and_formula_agree() -> None:
    rest = RestOfAccount(deposit_e6=40 * E6)

    formula = long_liquidation_e6(2 * E9, 200 * E6, 40 * E6, 500)
    found = searched_liquidation_e6(2 * E9, -200 * E6, SPEC, rest)
    assert formula is not None
    assert found is not None
    assert abs(found - formula) <= 2

    formula = short_liquidation_e6(2 * E9, 200 * E6, 40 * E6, 500)
    found = searched_liquidation_e6(-2 * E9, 200 * E6, SPEC, rest)
    assert formula is not None
    assert found is not None
    assert abs(found - formula) <= 2


def test_other_positions_move_the_liquidation_price_and_it_says_how_it_was_found() -> None:
    losing = OtherPosition(spec=ETH, base_e9=E9, quote_asset_e6=-3_000 * E6, oracle_e6=2_990 * E6)
    rest = RestOfAccount(deposit_e6=300 * E6, positions=(losing,))

    of = made(rest=rest)

    # Equity without the grid 290, maintenance of ETH 149.5: 140.5 are left for the short of 2 at 115.
    assert (of.at_upper.method, of.at_upper.liquidation_e6) == ("search", 176_428_571)
    assert made(rest=RestOfAccount(deposit_e6=300 * E6)).at_upper.method == "closed form"


def test_a_larger_position_on_the_other_side_is_not_liquidated_by_the_grids() -> None:
    short = OtherPosition(spec=SPEC, base_e9=-5 * E9, quote_asset_e6=500 * E6, oracle_e6=100 * E6)
    rest = RestOfAccount(deposit_e6=1_000 * E6, positions=(short,))

    assert searched_liquidation_e6(E9, -90 * E6, SPEC, rest) is None
