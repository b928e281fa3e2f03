"""Orders placed anew at half of their life, within the day's SOL: levels 100, 101, … 140, one SOL per cell."""

from __future__ import annotations

from typing import Any

from gridkeeper_core import events as e
from gridkeeper_core.grid.reasons import level_reasons
from gridkeeper_core.inputs import PauseGrid
from gridkeeper_core.units import E6, NS_PER_S
from support.story import Story

GRID: dict[str, Any] = {
    "upper_e6": 140 * E6,
    "intervals": 40,
    "live_orders": 28,
    "order_life_ns": 100 * NS_PER_S,
}


def decisions(story: Story) -> list[tuple[int, int]]:
    """(orders to go, orders to come) of every decision."""
    facts = (fact for fact in story.facts(e.OrdersWanted) if isinstance(fact, e.OrdersWanted))
    return [(len(fact.unwanted), len(fact.wanted)) for fact in facts]


def test_a_window_is_renewed_in_batches_each_back_before_the_next_is_over() -> None:
    story = Story(**GRID).opened_at(120.2)
    first = {order.order_id for order in story.lab.venue.read("main", "main").orders}
    assert decisions(story) == [(0, 28)]

    story.price(120.2, after_s=51)
    # Sixteen go; as these come back the other twelve go, in the same transaction; then those come back.
    assert decisions(story)[1:] == [(16, 0), (12, 16), (0, 12)]
    renewed = story.lab.venue.read("main", "main").orders
    assert len(renewed) == 28
    assert not first & {order.order_id for order in renewed}


def test_no_level_is_uncovered_for_longer_than_one_round_trip() -> None:
    story = Story(**GRID).opened_at(120.2).price(120.2, after_s=51)

    uncovered: dict[str, int] = {}
    longest, transactions = 0, 0
    for event in story.lab.log:
        fact = event.fact
        if isinstance(fact, e.TransactionSigned):
            transactions += 1
        elif isinstance(fact, e.OrderClosed):
            uncovered[fact.intent_id] = transactions
        elif isinstance(fact, e.OrderResting) and fact.intent_id in uncovered:
            longest = max(longest, transactions - uncovered.pop(fact.intent_id))
    assert (longest, uncovered) == (1, {})


def test_the_life_of_an_order_never_runs_out_while_the_grid_lives() -> None:
    story = Story(**GRID).opened_at(120.2)
    for _ in range(40):
        story.price(120.2, after_s=10)

    assert [
        fact for fact in story.facts(e.OrderClosed) if isinstance(fact, e.OrderClosed) and fact.reason == "lapsed"
    ] == []
    assert len(story.resting()) == 28


def test_a_spent_budget_holds_renewals_back_until_the_next_day_and_says_so() -> None:
    # Two transactions a day; the opening roll is one, the first batch of a renewal the other.
    story = Story(**GRID, sol_budget_lamports=20_000).opened_at(120.2)

    story.price(120.2, after_s=51).price(120.2)
    spent = [fact for fact in story.facts(e.BudgetSpent) if isinstance(fact, e.BudgetSpent)]
    assert [(fact.spent_lamports, fact.allowed_lamports) for fact in spent] == [(20_000, 20_000)]
    assert [len(fact.unwanted) for fact in story.facts(e.OrdersWanted) if isinstance(fact, e.OrdersWanted)][1:] == [
        16,
        0,
    ]
    # The day after: whatever ran out meanwhile is back, and the window is renewed again.
    story.price(120.2, after_s=86_400).price(120.3)
    assert len(story.resting()) == 28


def test_a_level_the_budget_keeps_without_an_order_says_so() -> None:
    # One transaction a day, which the opening was: the window does not follow the price any more.
    story = Story(upper_e6=140 * E6, intervals=40, live_orders=4, sol_budget_lamports=10_000).opened_at(120.2)
    story.prices(121.1, 122.1)

    newest = story.lab.strategy.newest_price("SOL-PERP")
    codes = {row.price_e6 // E6: row.code for row in level_reasons(story.grid, newest, story.now_ns)}
    assert (codes[123], codes[124]) == ("SOL_BUDGET", "SOL_BUDGET")
    assert [type(fact).__name__ for fact in story.facts(e.BudgetSpent)] == ["BudgetSpent"]


def test_fills_are_answered_whatever_the_budget_says() -> None:
    story = Story(sol_budget_lamports=10_000).opened_at(105.2).price(103.9)

    assert story.prices_of("sell") == [105, 106, 107, 108, 109, 110]


def test_a_paused_grid_renews_nothing() -> None:
    story = Story(**GRID).opened_at(120.2)
    count = len(story.facts(e.OrdersWanted))

    story.command(PauseGrid(keep_orders=True))
    for _ in range(6):
        story.price(120.2, after_s=10)
    assert len(story.facts(e.OrdersWanted)) == count
