"""What holds for every grid on every path: checked after each row of random tapes through the whole lab."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gridkeeper_core import events as e
from gridkeeper_core.grid.decide import settle
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.grid.state import gap_of
from gridkeeper_core.inputs import EventSeen, PauseGrid, ResumeGrid
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue.state import FillRules
from support.random_rows import amounts, fill_rules, paths, tell
from support.story import Story

# Around the grid of 100 to 110, some of them outside.
rows = paths(9_900, 11_100)
grids = st.fixed_dictionaries(
    {
        "live_orders": st.integers(2, 28),
        "hysteresis": st.integers(0, 3),
        "roll_interval_ns": st.sampled_from([0, 5 * NS_PER_S]),
        "order_life_ns": st.sampled_from([0, 20 * NS_PER_S]),
        "spacing": st.sampled_from(["arithmetic", "geometric"]),
    }
)


def check(story: Story) -> None:
    grid = story.grid
    resting = story.resting()
    assert len(resting) <= grid.config.live_orders
    assert max(Counter(price for _, price, _ in resting).values(), default=0) <= 1
    assert all(0 <= held <= size for held, size in zip(grid.held_e9, grid.sizes_e9, strict=True))
    venue = story.lab.venue.read("main", "main")
    base_e9 = venue.positions[0].base_e9 if venue.positions else 0
    assert grid.position_e9 == base_e9
    assert story.lab.execution.account("main").in_flight is None


@settings(max_examples=60)
@given(grids, fill_rules, rows, amounts)
def test_window_levels_and_position_hold_after_every_row(
    changes: dict[str, Any], fills: FillRules, path: list[int], sizes: list[float]
) -> None:
    tell(Story(fills, **changes).opened_at(105.2), path, sizes, check)


@settings(max_examples=30)
@given(rows)
def test_when_all_cells_are_full_or_empty_exactly_one_level_has_no_order(path: list[int]) -> None:
    story = Story(FillRules(model="touch"), live_orders=28).opened_at(105.2)
    for tick in path:
        story.price(tick / 100)
    gap = gap_of(story.grid)
    assert gap is not None
    levels = {price / 10**6 for price in story.grid.levels_e6}
    # A level the last row stands on has its order turned away until the price moves.
    orders = {price for _, price, _ in story.resting()} | {path[-1] / 100}
    assert levels - orders <= {story.grid.levels_e6[gap] / 10**6}


@settings(max_examples=30)
@given(grids, fill_rules, rows, amounts)
def test_record_and_venue_agree_to_the_unit_at_the_end(
    changes: dict[str, Any], fills: FillRules, path: list[int], sizes: list[float]
) -> None:
    story = Story(fills, **changes).opened_at(105.2)
    tell(story, path, sizes, check)
    story.lab.reconcile()
    assert not story.lab.execution.account("main").differs
    assert story.facts(e.VenueDiffers, e.GridFaulted) == []


@settings(max_examples=30)
@given(grids, fill_rules, rows, amounts)
def test_every_fill_is_counted_once_and_never_exceeds_its_order(
    changes: dict[str, Any], fills: FillRules, path: list[int], sizes: list[float]
) -> None:
    story = Story(fills, **changes).opened_at(105.2)
    tell(story, path, sizes, check)
    filled: Counter[tuple[str, int]] = Counter()
    for fact in story.facts(e.OrderFilled):
        assert isinstance(fact, e.OrderFilled)
        filled[fact.intent_id, fact.attempt] += fact.base_e9
        assert filled[fact.intent_id, fact.attempt] == fact.cumulative_e9 <= fact.size_e9
    for closed in story.facts(e.OrderClosed):
        assert isinstance(closed, e.OrderClosed)
        if closed.reason == "filled":
            assert filled[closed.intent_id, closed.attempt] == closed.size_e9


@settings(max_examples=25)
@given(grids, fill_rules, rows, amounts)
def test_a_fold_of_the_log_gives_the_state_that_lived(
    changes: dict[str, Any], fills: FillRules, path: list[int], sizes: list[float]
) -> None:
    story = Story(fills, **changes).opened_at(105.2)
    tell(story, path, sizes, check)
    strategy, execution = StrategyMachine(), ExecutionMachine(lambda _: None)
    for event in story.lab.log:
        kind = event.stream.partition(":")[0]
        if kind == "grid":
            strategy.restore(event)
        elif kind in ("account", "tx", "market"):
            execution.restore(event)
    assert strategy.digests() == story.lab.strategy.digests()
    assert execution.digests() == story.lab.execution.digests()
    assert strategy.grid("tale") == story.grid


@settings(max_examples=25)
@given(grids, rows)
def test_equal_inputs_give_equal_events(changes: dict[str, Any], path: list[int]) -> None:
    logs = []
    for _ in range(2):
        story = Story(**changes).opened_at(105.2)
        tell(story, path, [1.0] * 40, check)
        logs.append(story.lab.log)
    assert logs[0] == logs[1]


@settings(max_examples=25)
@given(grids, fill_rules, rows, amounts)
def test_the_same_execution_events_again_change_nothing(
    changes: dict[str, Any], fills: FillRules, path: list[int], sizes: list[float]
) -> None:
    story = Story(fills, **changes).opened_at(105.2)
    tell(story, path, sizes, check)
    before = story.grid
    closed = [event for event in story.lab.log if isinstance(event.fact, e.OrderClosed | e.OrderRefused)]
    live = {order.intent_id for order in before.orders.values()}
    for event in closed:
        if event.fact.intent_id not in live:
            assert story.lab.strategy.accept(EventSeen(now_ns=story.now_ns, event=event)) == []
    assert story.grid == before


@settings(max_examples=40)
@given(grids, rows)
def test_prices_inside_the_band_lead_to_nothing(changes: dict[str, Any], path: list[int]) -> None:
    story = Story(**changes).opened_at(105.2)
    tell(story, path, [1.0] * 40, check)
    low_e6, high_e6 = story.lab.strategy.bands()["SOL-PERP"]
    before = story.grid
    for offset in (1, (high_e6 - low_e6) // 2, high_e6 - low_e6 - 1):
        price_e6 = low_e6 + offset
        if not low_e6 < price_e6 < min(high_e6, 200 * 10**6):
            continue
        price = Price(
            market="SOL-PERP", source="story", source_seq=story.seq + 1, ts_ns=story.now_ns, oracle_e6=price_e6
        )
        # Decided as if there were no band: it must come to the same end.
        d = Decision(story.grid, price, story.now_ns)
        settle(d)
        assert d.facts == []
    assert story.grid == before


@settings(max_examples=25)
@given(rows, st.integers(1, 39))
def test_no_order_is_wanted_while_paused_and_the_grid_is_whole_after(path: list[int], at: int) -> None:
    story = Story().opened_at(105.2)
    for tick in path[:at]:
        story.price(tick / 100)
    story.command(PauseGrid())
    count = len(story.facts(e.OrdersWanted))
    for tick in path[at:]:
        story.price(tick / 100)
    assert story.resting() == []
    assert len(story.facts(e.OrdersWanted)) == count
    story.command(ResumeGrid()).price(105.2).price(105.3, after_s=61)
    check(story)
    assert story.resting()
