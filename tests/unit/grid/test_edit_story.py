"""Edits of a running grid: what stays, what moves, what is refused, and how the books follow."""

from __future__ import annotations

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.edit_plan import plan_edit
from gridkeeper_core.inputs import EditGrid, PauseGrid, ResumeGrid
from gridkeeper_core.ledger.marks import lines_at, result_at
from gridkeeper_core.units import E6, E9
from gridkeeper_core.venue.state import FillRules
from support.story import Story, config


def edited(story: Story, **changes: object) -> Story:
    return story.command(EditGrid(config=config(**changes), source=f"as {changes}"))


def order_ids(story: Story) -> dict[tuple[str, int], int]:
    return {(o.side, o.price_e6): o.order_id for o in story.lab.venue.read("main", "main").orders}


def agrees_with_venue(story: Story) -> bool:
    story.lab.reconcile()
    return not story.lab.execution.account("main").differs and story.facts(e.VenueDiffers, e.GridFaulted) == []


def test_a_wider_range_keeps_what_fits_and_adds_the_rest() -> None:
    story = Story().opened_at(105.2).price(103.9)  # one bought at 104
    before = order_ids(story)

    edited(story, lower_e6=98 * E6, upper_e6=112 * E6, intervals=14)

    after = order_ids(story)
    assert {key: after[key] for key in before} == before
    assert story.prices_of("buy") == [98, 99, 100, 101, 102, 103]
    assert story.prices_of("sell") == [105, 106, 107, 108, 109, 110, 111, 112]
    assert story.grid.position_e9 == E9
    assert agrees_with_venue(story)


def test_half_as_many_levels_hold_the_same_position_at_the_same_cost() -> None:
    story = Story().opened_at(105.2).price(101.5)  # bought at 104, 103 and 102
    cash_e6, mark = story.grid.cash_e6, result_at(story.lab.ledger.state.grids["tale"].sums, 101_500_000)

    edited(story, intervals=5)

    assert story.grid.levels_e6 == tuple(p * E6 for p in (100, 102, 104, 106, 108, 110))
    assert (story.grid.position_e9, story.grid.cash_e6) == (3 * E9, cash_e6)
    assert result_at(story.lab.ledger.state.grids["tale"].sums, 101_500_000).total_pnl_e6 == mark.total_pnl_e6
    assert story.prices_of("buy") == [100]
    assert story.prices_of("sell") == [104, 106, 108, 110]
    assert agrees_with_venue(story)


def test_cost_stays_with_the_content_in_the_books_to_the_unit() -> None:
    story = Story().opened_at(105.2).price(101.5)

    def cost() -> int:
        return sum(cell.quote_e6 for cell in story.lab.ledger.state.grids["tale"].sums.cells.values())

    assert cost() == -(104 + 103 + 102) * E6
    edited(story, lower_e6=96 * E6, upper_e6=108 * E6, intervals=6)
    assert cost() == -(104 + 103 + 102) * E6

    story.prices(102.1, 104.1)  # sold at 102 and 104: the cells got content bought at 102, 103 or 104
    books = story.lab.ledger.state.grids["tale"]
    assert sum(line.quote_e6 for line in lines_at(books, 104 * E6)) == result_at(books.sums, 104 * E6).total_pnl_e6


def test_larger_sizes_keep_the_cells_and_smaller_ones_are_laid_anew() -> None:
    story = Story().opened_at(105.2).price(103.9)

    edited(story, size_base_e9=2 * E9)
    assert story.grid.position_e9 == E9
    assert {size for _, _, size in story.resting()} <= {1.0, 2.0}
    story.price(103.8, after_s=10)
    assert ("buy", 103.0, 2.0) in story.resting()
    edited(story, size_base_e9=E9 // 2)
    assert story.grid.position_e9 == E9
    assert {size for _, _, size in story.resting()} == {0.5}
    assert agrees_with_venue(story)


def test_an_edit_back_to_the_version_before_is_a_fact_like_any_other() -> None:
    story = Story().opened_at(105.2).price(103.9)
    levels, resting = story.grid.levels_e6, story.resting()
    version_before = story.facts(e.GridProposed)[0]
    assert isinstance(version_before, e.GridProposed)

    edited(story, lower_e6=90 * E6, upper_e6=120 * E6, intervals=6)
    story.command(EditGrid(config=version_before.config, source=version_before.source))

    assert (story.grid.levels_e6, story.resting()) == (levels, resting)
    assert [f.source for f in story.facts(e.GridEdited) if isinstance(f, e.GridEdited)][-1] == version_before.source


def test_the_same_settings_again_change_nothing() -> None:
    story = Story().opened_at(105.2)
    story.command(EditGrid(config=config(), source=""))
    assert story.facts(e.GridEdited) == []


def test_a_fill_that_comes_after_its_cell_was_given_up_goes_to_its_heir() -> None:
    story = Story(FillRules(model="queue")).opened_at(105.2).price(104, size=0.4)
    assert story.grid.position_e9 == 4 * E9 // 10

    edited(story, lower_e6=99_500_000, upper_e6=110_500_000, intervals=11)

    assert story.grid.position_e9 == 4 * E9 // 10
    assert agrees_with_venue(story)


def test_a_paused_grid_is_edited_and_trades_the_new_levels_when_it_is_resumed() -> None:
    story = Story().opened_at(105.2).command(PauseGrid())
    edited(story, intervals=5)
    assert story.resting() == []
    story.command(ResumeGrid())
    assert story.prices_of("buy") == [100, 102, 104]
    assert story.prices_of("sell") == [108, 110]


def test_a_pause_that_keeps_orders_still_cancels_those_that_fit_no_more() -> None:
    story = Story().opened_at(105.2).command(PauseGrid(keep_orders=True))
    edited(story, intervals=5)

    levels = {price / E6 for price in story.grid.levels_e6}
    assert {price for _, price, _ in story.resting()} <= levels


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"market": "ETH-PERP"}, "EDIT_NOT_ALLOWED", "grid.market"),
        ({"account": "other"}, "EDIT_NOT_ALLOWED", "grid.account"),
        ({"direction": "long"}, "EDIT_NOT_ALLOWED", "grid.direction"),
        ({"intervals": 900}, "SPACING_TOO_SMALL", "grid.intervals"),
        ({"size_base_e9": 10**6}, "SIZE_UNDER_MINIMUM", "grid.size"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_and_changes_nothing(
    changes: dict[str, object], code: str, field: str
) -> None:
    story = Story().opened_at(105.2)
    before, count = story.grid, len(story.lab.log)

    with pytest.raises(GridkeeperError) as refusal:
        edited(story, **changes)

    assert (refusal.value.code, refusal.value.field) == (code, field)
    assert (story.grid, len(story.lab.log)) == (before, count)


def test_the_plan_says_what_the_edit_then_does() -> None:
    story = Story().opened_at(105.2).price(103.9)
    before, newest = story.grid, story.lab.strategy.newest_price("SOL-PERP")
    assert newest is not None

    plan = plan_edit(before, newest, config(intervals=5), story.now_ns)

    assert story.grid == before
    assert [(o.side, o.price_e6 // E6) for o in plan.cancelled] == sorted(
        (("buy", p) for p in (100, 101, 102, 103)), key=lambda o: o[1]
    ) + [("sell", p) for p in (105, 106, 107, 108, 109, 110)]
    # At 103.9 the nearest level is 104: it starts without an order.
    assert [(o.side, o.price_e6 // E6) for o in plan.placed] == [
        ("buy", 100), ("buy", 102), ("sell", 106), ("sell", 108), ("sell", 110),
    ]  # fmt: skip
    # Before: one held and four buys make 5 SOL at 103.90, or one less six sells makes 5 short; a tenth of it as margin.
    assert plan.margin_before_e6 == 51_950_000
    assert plan.margin_after_e6 == 31_170_000
    edited(story, intervals=5)
    assert [(s, p) for s, p, _ in story.resting()] == [(o.side, o.price_e6 / E6) for o in plan.placed]
    assert (plan.after.levels_e6, plan.after.cells) == (story.grid.levels_e6, story.grid.cells)


def test_sizes_grow_with_profit_where_that_is_asked_for() -> None:
    # A hundredth of 100 is 1.00: a step per turn and a bit, as one turn earns 1.00 and rebates.
    story = Story(capital_e6=100 * E6, compound_every_e4=200).opened_at(105.2)
    for _ in range(2):
        story.prices(103.9, 105.1)

    edits = [fact for fact in story.facts(e.GridEdited) if isinstance(fact, e.GridEdited)]
    assert [(fact.why, fact.compounded_e6, fact.config.size_base_e9) for fact in edits] == [
        ("compound", 2 * E6, 1_020_000_000)
    ]
    assert story.grid.position_e9 == 0
    assert {size for _, _, size in story.price(105.1, after_s=10).resting()} == {1.02}


def test_sizes_stay_by_default() -> None:
    story = Story(capital_e6=1 * E6).opened_at(105.2)
    for _ in range(5):
        story.prices(103.9, 105.1)
    assert story.facts(e.GridEdited) == []


def test_what_a_person_accepted_against_the_preview_is_recorded_with_the_edit() -> None:
    story = Story().opened_at(105.2)
    accepted = ("SPACING_UNDER_COST", "LIQUIDATION_INSIDE_RANGE")

    story.command(EditGrid(config=config(intervals=5), source="wider cells", accepted=accepted))

    edits = [fact for fact in story.facts(e.GridEdited) if isinstance(fact, e.GridEdited)]
    assert [(fact.why, fact.author, fact.accepted) for fact in edits] == [("edit", "ann", accepted)]
