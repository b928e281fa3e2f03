"""For any grid: a preview shows what the grid will do when it opens, and its numbers keep to their definitions."""

from __future__ import annotations

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.cells import cells_of
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.levels import build_levels, build_sizes, neutral_start
from gridkeeper_core.grid.preview import Preview, preview
from gridkeeper_core.grid.preview_money import Costs
from gridkeeper_core.grid.state import GridState
from gridkeeper_core.grid.window import NO_CELLS, plan
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import E4, E6, E9
from support.sol_perp import SOL_PERP

SPEC = SOL_PERP


@st.composite
def grids(draw: st.DrawFn) -> tuple[GridConfig, int]:
    """Settings, and a price within or near the range."""
    lower = draw(st.integers(10 * E6, 200 * E6))
    upper = lower + draw(st.integers(1 * E6, 200 * E6))
    config = GridConfig(
        grid_id="a",
        market="SOL-PERP",
        lower_e6=lower,
        upper_e6=upper,
        intervals=draw(st.integers(1, 60)),
        spacing=draw(st.sampled_from(["arithmetic", "geometric"])),
        size_base_e9=draw(st.integers(1, 500)) * SPEC.step_e9,
        leverage_e4=draw(st.integers(1, 10)) * E4,
        live_orders=draw(st.integers(2, 32)),
        reserve=0,
    )
    return config, draw(st.integers(lower - lower // 10, upper + upper // 10))


@given(grids())
def test_the_live_orders_of_a_preview_are_those_the_grid_wants_first(grid: tuple[GridConfig, int]) -> None:
    config, price_e6 = grid
    of = _preview(config, price_e6)
    levels = build_levels(config, SPEC)
    sizes = build_sizes(config, SPEC, levels)
    opened = GridState(
        grid_id="a",
        status="open",
        config=config,
        spec=SPEC,
        levels_e6=levels,
        cells=cells_of(sizes, neutral_start(levels, sizes, price_e6)),
    )

    wanted = plan(opened, price_e6, 10**18, NO_CELLS).wanted

    shown = {(row.side, row.cell, row.price_e6, row.size_e9) for row in of.levels if row.is_live}
    assert shown == {(order.side, order.cell, order.price_e6, order.size_e9) for order in wanted}
    assert (of.window.buys, of.window.sells) == tuple(
        sum(1 for order in wanted if order.side == side) for side in ("buy", "sell")
    )


@given(grids(), st.integers(-50, 50), st.integers(0, 10**6))
def test_a_spacing_above_the_break_even_earns_and_one_below_it_does_not(
    grid: tuple[GridConfig, int], maker_fee_e5: int, lamports: int
) -> None:
    config, price_e6 = grid
    spec = msgspec.structs.replace(SPEC, maker_fee_e5=maker_fee_e5)
    costs = Costs(transaction_lamports=lamports, sol_price_e6=100 * E6)
    of = _preview(config, price_e6, spec, costs)

    smallest = min(of.turns, key=lambda turn: turn.buy_quote_e6)
    # Roundings of five amounts, each of less than a millionth of quote, and of two ratios.
    slack_e6 = 5 * E6 // smallest.buy_quote_e6 + 3
    if smallest.spacing_ratio_e6 > of.break_even_ratio_e6 + slack_e6:
        assert smallest.profit_e6 > 0
    if smallest.spacing_ratio_e6 < of.break_even_ratio_e6 - slack_e6:
        assert smallest.profit_e6 < 0


@given(grids(), st.integers(1, 200))
def test_a_liquidation_is_refused_exactly_where_the_margin_does_not_last_to_the_ends(
    grid: tuple[GridConfig, int], capital_percent: int
) -> None:
    capital_e6 = _preview(*grid).worst_notional_e6 * capital_percent // 100 + 1
    of = _preview(msgspec.structs.replace(grid[0], capital_e6=capital_e6), grid[1])

    left_e6 = min(_equity_over_maintenance_e6(of, row.price_e6, capital_e6) for row in of.levels)

    # Each of the amounts is rounded once.
    slack_e6 = len(of.levels) + 2
    if any(refusal.code == "LIQUIDATION_INSIDE_RANGE" for refusal in of.refusals):
        assert left_e6 <= slack_e6
    else:
        assert left_e6 >= -slack_e6


@given(grids())
def test_every_cell_has_one_order_and_the_gap_has_none(grid: tuple[GridConfig, int]) -> None:
    of = _preview(*grid)

    assert sorted(row.cell for row in of.levels if row.side) == list(range(len(of.turns)))
    assert [row.index for row in of.levels if not row.side] == [of.gap]


def _preview(config: GridConfig, price_e6: int, spec: MarketSpec = SPEC, costs: Costs | None = None) -> Preview:
    try:
        return preview(config, spec, price_e6, costs=costs)
    except GridkeeperError:
        assume(False)
        raise


def _equity_over_maintenance_e6(of: Preview, at_e6: int, capital_e6: int) -> int:
    """Equity minus maintenance margin when the price went straight from the gap to this level."""
    taken = [row for row in of.levels if row.side and min(at_e6, of.levels[of.gap].price_e6) <= row.price_e6]
    taken = [row for row in taken if row.price_e6 <= max(at_e6, of.levels[of.gap].price_e6)]
    signed = [(row.size_e9 if row.side == "buy" else -row.size_e9, row.price_e6) for row in taken]
    base_e9 = sum(size for size, _ in signed)
    pnl_e6 = sum(size * (at_e6 - price) // E9 for size, price in signed)
    return capital_e6 + pnl_e6 - abs(base_e9) * at_e6 * SPEC.margin_ratio_maintenance_e4 // (E9 * E4)
