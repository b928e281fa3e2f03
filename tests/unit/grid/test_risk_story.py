"""How a grid limits its own losses: tiers, the day, failures, bursts; and how it comes back after a trip."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.inputs import EditGrid, EventSeen, ResumeGrid
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue.state import FillRules
from support.story import Story

HOUR_S = 3600


def guarded(**changes: Any) -> Story:
    """100 to 110, 100.00 of capital, a tenth of it may be lost: yellow at 5.00, orange at 7.50, red at 10.00."""
    settings: dict[str, Any] = {
        "risk_enabled": True,
        "capital_e6": 100 * E6,
        "max_drawdown_e4": 1_000,
        "cool_down_ns": 600 * NS_PER_S,
        "pump_move_e4": 10_000,
    }
    return Story(**(settings | changes)).opened_at(105.2)


def trips(story: Story) -> list[tuple[str, str]]:
    facts = [fact for fact in story.facts(e.RiskTripped) if isinstance(fact, e.RiskTripped)]
    return [(fact.tier, fact.limit) for fact in facts]


def test_yellow_tells_and_changes_nothing() -> None:
    story = guarded().price(101.2)  # bought at 104, 103, 102: worth 5.40 less, rebates 0.06

    assert trips(story) == [("yellow", "max_drawdown_e6")]
    assert story.grid.pauses == {}
    assert story.prices_of("buy") == [100, 101]


def test_orange_leaves_only_orders_that_reduce() -> None:
    story = guarded().price(100.3)  # four bought: 104 to 101, worth 8.80 less

    assert trips(story)[-1] == ("orange", "max_drawdown_e6")
    assert story.prices_of("buy") == []
    # Long by four: the four nearest sells, and no fifth that would go short.
    assert story.prices_of("sell") == [102, 103, 104, 105]
    assert story.grid.position_e9 == 4 * E9


def test_what_was_sold_in_orange_is_not_bought_again() -> None:
    # 70.00 may be lost: orange at 52.50, over at 28.00. Ten are bought, from 104 down to 95, for 995.00.
    story = guarded(lower_e6=90 * E6, intervals=20, max_drawdown_e4=7_000).price(94.1)
    assert trips(story)[-1] == ("orange", "max_drawdown_e6")

    story.price(96.1)  # one is sold at 96; the other nine are worth 864.90

    assert story.grid.position_e9 == 9 * E9
    assert story.grid.memory.tier == "orange"
    assert story.prices_of("buy") == []


def test_orange_ends_by_itself_once_the_drawdown_is_small_again() -> None:
    story = guarded().prices(100.3, 101.3)  # 4.80 less: under yellow already, but not under 4.00
    assert story.prices_of("buy") == []

    story.price(101.6)  # 3.60 less

    resets = [fact.author for fact in story.facts(e.RiskReset) if isinstance(fact, e.RiskReset)]
    assert resets == ["gridkeeper"]
    assert story.prices_of("buy")
    assert story.grid.memory.tier == ""


def test_red_cancels_everything_and_waits_for_a_person() -> None:
    story = guarded().price(99.6)

    assert trips(story)[-1][0] == "red"
    assert story.resting() == []
    assert list(story.grid.pauses) == ["RISK"]
    story.prices(104, 105)
    assert story.resting() == []


def test_the_cool_down_refuses_a_resume_and_says_how_long_it_lasts() -> None:
    story = guarded().price(99.6)
    story.price(99.7, after_s=240)

    with pytest.raises(GridkeeperError) as refusal:
        story.command(ResumeGrid())
    assert refusal.value.code == "COOLING_DOWN"
    assert refusal.value.value == "6m left of 10m"

    story.price(99.7, after_s=360)
    story.command(ResumeGrid())
    assert story.grid.pauses == {}
    reset = [fact for fact in story.facts(e.RiskReset) if isinstance(fact, e.RiskReset)][-1]
    assert (reset.author, reset.reason) == ("ann", "because")


def test_after_a_trip_and_a_resume_levels_and_books_are_right() -> None:
    story = guarded(cool_down_ns=0).price(99.6).price(102.4)
    story.command(ResumeGrid())

    # Bought down to 100, so the five lower cells are full; at 102.40 those above sell, those below wait.
    assert story.prices_of("sell") == [103, 104, 105, 106, 107, 108, 109, 110]
    story.price(110.2)
    assert story.grid.position_e9 == -3 * E9
    story.lab.reconcile()
    assert not story.lab.execution.account("main").differs
    assert story.lab.ledger.state.grids["tale"].sums.position.base_e9 == -3 * E9


def test_flattening_at_red_closes_the_position_and_a_resume_starts_a_whole_grid() -> None:
    story = guarded(on_red="flatten", cool_down_ns=0).price(99.6).price(99.6)
    assert story.grid.position_e9 == 0
    assert story.lab.venue.read("main", "main").positions[0].base_e9 == 0
    assert len(story.facts(e.ReducingDone)) == 1

    story.price(104.2)
    story.command(ResumeGrid())

    assert story.prices_of("buy") == [100, 101, 102, 103]
    assert story.prices_of("sell") == [105, 106, 107, 108, 109, 110]
    assert story.grid.position_e9 == 0
    story.lab.reconcile()
    assert not story.lab.execution.account("main").differs


def test_drawdown_counts_from_the_peak_not_from_the_start() -> None:
    story = guarded(max_drawdown_e4=500).price(103.9)
    for _ in range(3):
        story.prices(105.1, 103.9)  # one turn of 1.00 and rebates each
    peak_e6 = story.grid.risk_base_e6
    assert peak_e6 > 2 * E6

    story.price(102.1)  # one more bought: 2.80 under the peak, half of 5.00 is allowed

    total_e6 = story.grid.cash_e6 + story.grid.position_e9 * 102_100_000 // E9
    assert total_e6 > 0
    assert trips(story) == [("yellow", "max_drawdown_e6")]


def test_the_daily_loss_trips_and_counts_anew_after_midnight() -> None:
    story = guarded(max_drawdown_e4=10_000, daily_loss_e4=400).price(102.4)  # lost 0.60 + 1.60, less rebates
    assert trips(story) == []

    story.price(102.4, after_s=24 * HOUR_S)
    begun = [fact.base_e6 for fact in story.facts(e.DayBegan) if isinstance(fact, e.DayBegan)]
    assert len(begun) == 2
    assert begun[1] < -2 * E6
    story.price(101.2)  # 5.40 in all, 3.20 of it today
    assert trips(story) == []
    story.price(100.6)
    assert trips(story)[-1] == ("red", "daily_loss_e6")


def test_a_burst_of_fills_trips() -> None:
    story = guarded(burst_fills=4, burst_window_ns=60 * NS_PER_S, max_drawdown_e4=10_000).price(102.4)
    assert trips(story) == []

    story.prices(104.1, 105.1)

    assert trips(story) == [("red", "burst_fills")]
    assert story.resting() == []


def failed_again(story: Story) -> None:
    """The transaction of two orders lands with an error, once more."""
    story.now_ns += 90 * NS_PER_S
    machine = story.lab.strategy
    for order in [order for order in story.grid.orders.values() if not order.unwanted][:2]:
        fact = e.OrderClosed(
            intent_id=order.intent_id,
            attempt=1,
            order_id=None,
            user_order_id=1,
            reason="failed",
            filled_e9=0,
            size_e9=order.size_e9,
        )
        event = Recorded(
            stream="account:main", version=1, ts_ns=story.now_ns, cause="sig:1", thread="", prev="", fact=fact
        )
        machine.accept(EventSeen(now_ns=story.now_ns, event=event))


def test_placements_that_keep_failing_trip_and_two_orders_of_one_transaction_count_once() -> None:
    story = guarded(failures_max=3, max_drawdown_e4=10_000)

    failed_again(story)
    failed_again(story)
    assert (story.grid.memory.failures, list(story.grid.pauses)) == (2, [])
    failed_again(story)
    assert list(story.grid.pauses) == ["RISK"]


def test_a_fill_between_ends_the_count_of_failures() -> None:
    story = guarded(failures_max=3, max_drawdown_e4=10_000)
    failed_again(story)

    story.price(103.9)

    assert story.grid.memory.failures == 0


def test_a_restart_remembers_tier_peak_and_cool_down() -> None:
    story = guarded().prices(103.9, 105.1, 103.9, 105.1, 99.6)

    again = StrategyMachine()
    for event in story.lab.log:
        if event.stream.startswith("grid:"):
            again.restore(event)

    assert again.grid("tale") == story.grid
    assert again.grid("tale").memory.cool_until_ns > story.now_ns


def test_a_day_with_a_calm_in_between_is_still_one_day() -> None:
    # 8.00 may be lost in a day, 10.00 from the peak: yellow at 5.00, over below 4.00.
    story = guarded(daily_loss_e4=800).price(101.2).price(103.1)
    assert [fact.author for fact in story.facts(e.RiskReset) if isinstance(fact, e.RiskReset)] == ["gridkeeper"]

    story.price(105.1)  # one is sold: a decision after the calm

    assert len(story.facts(e.DayBegan)) == 1
    assert story.grid.memory.day_base_e6 == 0


def test_in_orange_a_stop_that_was_moved_rests_again_on_the_venue() -> None:
    settings: dict[str, Any] = {"stop_low_e6": 95 * E6, "live_orders": 27, "reserve": 5}
    story = guarded(**settings).price(100.3)
    assert trips(story)[-1] == ("orange", "max_drawdown_e6")

    moved = replace(story.config, stop_low_e6=94 * E6)
    story.command(EditGrid(config=moved, source="")).price(100.3)

    orders = story.lab.venue.read("main", "main").orders
    assert [order.trigger_e6 for order in orders if order.trigger_e6] == [94 * E6]


def test_flattening_during_the_entry_leaves_the_cells_to_the_entry_and_their_turns_to_the_books() -> None:
    story = Story(
        fills=FillRules(model="queue"),
        direction="long",
        risk_enabled=True,
        capital_e6=100 * E6,
        max_drawdown_e4=500,
        cool_down_ns=0,
        on_red="flatten",
        entry_timeout_ns=HOUR_S * NS_PER_S,
    ).opened_at(105.2)
    story.price(105.19, size=4).price(103, size=0).price(103, size=10)
    assert (list(story.grid.pauses), story.grid.position_e9) == (["ENTRY", "RISK"], 0)
    assert story.facts(e.GridEdited) == []

    # The person goes on, five are bought after all, and the cell above sells at 106.
    story.command(ResumeGrid()).price(102.9, size=20).price(102.9, size=20)
    assert (story.grid.pauses, story.grid.position_e9) == ({}, 5 * E9)
    story.price(106.5, size=1)
    books = story.lab.ledger.state.grids["tale"].sums
    assert (books.other_base_e9, sorted(books.cells)) == (0, list(range(10)))
    assert books.grid_quote_e6 > 0
