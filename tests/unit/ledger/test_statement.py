"""A grid's statement: each turn with its prices and dwell, what each cell holds, yearly rates and the deepest fall."""

from __future__ import annotations

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import StopGrid
from gridkeeper_core.ledger.performance import YEAR_NS
from gridkeeper_core.ledger.statement import Statement, StatementFold
from gridkeeper_core.units import E4, E6, E9, NS_PER_S
from support.story import START_NS, Story


def statement(story: Story, price_e6: int | None = None) -> Statement:
    fold = StatementFold("tale")
    for prefix in ("grid:tale", "ledger:tale"):
        for event in story.stream(prefix):
            fold.take(event)
    return fold.statement(story.now_ns, price_e6)


@pytest.fixture
def story() -> Story:
    """A grid of 1 SOL per cell that bought at 104 and sold at 105, bought again, and lost a little since."""
    return Story(capital_e6=1_000 * E6).opened_at(105).prices(104, 105, 104).price(103.5, after_s=600)


def test_a_turn_tells_its_prices_its_fees_and_how_long_it_took(story: Story) -> None:
    turns = statement(story).turns

    assert [(t.cell, t.cycle, t.base_e9) for t in turns] == [(4, 0, E9)]
    assert (turns[0].buy_price_e6, turns[0].sell_price_e6) == (104 * E6, 105 * E6)
    assert turns[0].fee_e6 < 0  # maker rebates
    assert turns[0].profit_e6 == E6 - turns[0].fee_e6
    assert turns[0].dwell_ns == NS_PER_S


def test_what_is_left_in_a_cell_is_told_at_its_cost(story: Story) -> None:
    cell = next(line for line in statement(story).cells if line.cell == 4)
    assert (cell.turns, cell.held_e9, cell.held_quote_e6) == (1, E9, -104 * E6)
    assert cell.matched_e9 == 0


def test_yearly_rates_are_of_the_capital_and_the_time_that_passed(story: Story) -> None:
    told = statement(story, 104 * E6)
    passed_ns = story.now_ns - told.opened_ns
    assert told.opened_ns == START_NS + NS_PER_S
    assert told.capital_e6 == 1_000 * E6
    assert told.grid_apr_e4 == told.turns_profit_e6 * YEAR_NS * E4 // (told.capital_e6 * passed_ns)
    assert told.total_apr_e4 == told.result.total_pnl_e6 * YEAR_NS * E4 // (told.capital_e6 * passed_ns)


def test_the_drawdown_is_the_fall_from_the_peak_of_equity(story: Story) -> None:
    now = statement(story, 104 * E6)
    later = statement(story, 94 * E6)
    assert later.peak_equity_e6 == now.peak_equity_e6
    assert later.drawdown_e6 == now.drawdown_e6 + 10 * E6
    assert later.drawdown_e4 == later.drawdown_e6 * E4 // later.peak_equity_e6


def test_the_cells_of_a_stopped_grid_are_still_told(story: Story) -> None:
    before = statement(story)
    story.command(StopGrid())
    after = statement(story)
    assert after.cells == before.cells
    assert after.until_ns == story.now_ns


def test_a_grid_without_books_is_unknown() -> None:
    with pytest.raises(GridkeeperError, match="GRID_UNKNOWN"):
        StatementFold("none").statement(0, None)


def test_a_stopped_grid_still_tells_its_capital_and_its_yearly_rates(story: Story) -> None:
    before = statement(story)
    story.command(StopGrid())
    after = statement(story)
    assert (after.capital_e6, after.grid_apr_e4) == (1_000 * E6, before.grid_apr_e4)
    assert after.grid_apr_e4
