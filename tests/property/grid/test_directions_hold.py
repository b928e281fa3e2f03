"""What holds for long and short grids, entries, stops and missed cells on every path, through the whole lab."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gridkeeper_core import events as e
from gridkeeper_core.grid.decide import settle
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.ledger.marks import lines_at, result_at
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue.state import FillRules
from support.random_rows import amounts, fill_rules, paths, tell
from support.story import Story

# The grid of 100 to 110, its stops, and more.
rows = paths(9_700, 11_300)
grids = st.fixed_dictionaries(
    {
        "direction": st.sampled_from(["neutral", "long", "short"]),
        "entry": st.sampled_from(["maker", "taker"]),
        "entry_timeout_ns": st.sampled_from([5 * NS_PER_S, 600 * NS_PER_S]),
        "missed": st.sampled_from(["wait", "take"]),
        "live_orders": st.integers(2, 27),
        "order_life_ns": st.sampled_from([0, 20 * NS_PER_S]),
        "stop_low_e6": st.sampled_from([None, 98 * E6]),
        "stop_high_e6": st.sampled_from([None, 112 * E6]),
        "take_profit_pnl_e4": st.sampled_from([None, 100]),
        "capital_e6": st.just(500 * E6),
        "reserve": st.just(5),
    }
)


def check(story: Story) -> None:
    grid = story.grid
    account = story.lab.venue.read("main", "main")
    limits = [order.price_e6 for order in account.orders if not order.trigger_e6]
    assert len(limits) <= max(grid.config.live_orders, 1)
    assert max(Counter(limits).values(), default=0) <= 1
    assert all(0 <= held <= size for held, size in zip(grid.held_e9, grid.sizes_e9, strict=True))
    assert grid.position_e9 == (account.positions[0].base_e9 if account.positions else 0)
    if grid.status == "open":  # while it ends, orders may fill that are not cancelled yet; that is closed as well
        assert grid.config.direction != "long" or grid.position_e9 >= 0
        assert grid.config.direction != "short" or grid.position_e9 <= 0
    assert story.facts(e.GridFaulted, e.VenueDiffers) == []


@settings(max_examples=80)
@given(grids, fill_rules, rows, amounts)
def test_position_sides_and_levels_hold_after_every_row(
    changes: dict[str, Any], fills: FillRules, path: list[int], sizes: list[float]
) -> None:
    tell(Story(fills, **changes).opened_at(105.2), path, sizes, check)


@settings(max_examples=40)
@given(grids, fill_rules, rows, amounts)
def test_the_books_hold_the_position_and_their_lines_add_up(
    changes: dict[str, Any], fills: FillRules, path: list[int], sizes: list[float]
) -> None:
    story = Story(fills, **changes).opened_at(105.2)
    for tick, size in zip(path, sizes, strict=False):
        story.price(tick / 100, size=size)
        books = story.lab.ledger.state.grids.get("tale")
        if books is None:
            break
        assert books.sums.position.base_e9 == story.grid.position_e9
        total_e6 = result_at(books.sums, tick * 10_000).total_pnl_e6
        assert sum(line.quote_e6 for line in lines_at(books, tick * 10_000)) == total_e6


@settings(max_examples=40)
@given(grids, fill_rules, rows, amounts)
def test_a_fold_of_the_log_gives_the_grid_and_the_books_that_lived(
    changes: dict[str, Any], fills: FillRules, path: list[int], sizes: list[float]
) -> None:
    story = Story(fills, **changes).opened_at(105.2)
    tell(story, path, sizes, check)
    strategy, ledger = StrategyMachine(), LedgerMachine()
    for event in story.lab.log:
        kind = event.stream.partition(":")[0]
        if kind == "grid":
            strategy.restore(event)
        elif kind in ("ledger", "books"):
            ledger.restore(event)
    assert strategy.grid("tale") == story.grid
    assert ledger.digests() == story.lab.ledger.digests()


@settings(max_examples=60)
@given(grids, rows)
def test_prices_inside_the_band_lead_to_nothing(changes: dict[str, Any], path: list[int]) -> None:
    story = Story(**changes).opened_at(105.2)
    tell(story, path, [1.0] * 40, check)
    bands = story.lab.strategy.bands()
    if not bands:
        assert story.grid.status == "stopped", "only a grid that ended asks for no price"
    low_e6, high_e6 = bands.get("SOL-PERP", (0, 200 * E6))
    for offset in (1, (high_e6 - low_e6) // 2, high_e6 - low_e6 - 1):
        price_e6 = low_e6 + offset
        if not low_e6 < price_e6 < min(high_e6, 200 * E6):
            continue
        price = Price(
            market="SOL-PERP", source="story", source_seq=story.seq + 1, ts_ns=story.now_ns, oracle_e6=price_e6
        )
        d = Decision(story.grid, price, story.now_ns)
        settle(d)
        assert d.facts == []


@settings(max_examples=40)
@given(grids, rows)
def test_a_grid_that_ended_by_itself_says_why_and_holds_nothing(changes: dict[str, Any], path: list[int]) -> None:
    story = Story(**changes).opened_at(105.2)
    tell(story, path, [5.0] * 40, check)
    for _ in range(4):
        story.price(105.2)
    if story.grid.status != "stopped":
        return
    ended = [fact for fact in story.facts(e.GridStopped) if isinstance(fact, e.GridStopped)]
    assert [fact.code in ("STOP_LOW", "STOP_HIGH", "TAKE_PROFIT", "ENTRY_TOO_SMALL") for fact in ended] == [True]
    assert abs(story.grid.position_e9) < E9 // 100
    assert story.lab.venue.read("main", "main").orders == ()
    assert story.lab.execution.account("main").reservations == {}
