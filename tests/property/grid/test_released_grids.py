"""A stopped grid leaves no more behind than its name and its sums, however large it was and however many there were."""

from __future__ import annotations

import gc
import sys
import tracemalloc

from gridkeeper_core.inputs import PriceTick, ProposeGrid, StopGrid
from gridkeeper_core.units import E6
from support.story import MARKET, Story, config

GRIDS = 60
LEFT_PER_GRID_BYTES = 3_000
"""Its settings and sums, in all machines; a grid of 40 intervals with its orders is many times that."""
SNAPSHOT_AFTER_S = 3_600
"""After this the account is recorded anew, and what the chain can no longer undo is let go."""


def turn_over(story: Story, number: int) -> None:
    """Create a grid, let it trade a little, stop it and close its position."""
    grid_id = f"grid-{number}"
    story.command(
        ProposeGrid(config=config(grid_id=grid_id, intervals=40, live_orders=8), source="x" * 500), f"grid:{grid_id}"
    )
    story.prices(104.4, 105.1)
    story.command(StopGrid(close=True), f"grid:{grid_id}")
    story.price(105.0, after_s=SNAPSHOT_AFTER_S)
    story.lab.reconcile()
    story.lab.log.clear()


def held() -> int:
    """Bytes that all machines and the venue allocated and that are still there."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces((tracemalloc.Filter(True, "*/gridkeeper_*"),))
    return sum(trace.size for trace in snapshot.traces)


def test_memory_stays_flat_over_many_grids() -> None:
    story = Story()
    story.price(105)
    tracemalloc.start(1)
    turn_over(story, 0)
    before = held()

    for number in range(1, 1 + GRIDS):
        turn_over(story, number)

    grown = held() - before
    tracemalloc.stop()
    assert all(grid.status == "stopped" for grid in story.lab.strategy.grids())
    assert grown < GRIDS * LEFT_PER_GRID_BYTES, f"{grown / GRIDS:.0f} bytes per grid"
    account = story.lab.execution.account("main")
    assert not account.reservations
    assert not account.attempts
    assert not account.queued
    assert (len(list(account.seen.values())), len(account.retired), len(account.landed)) == (0, 0, 0)


def test_stopped_grids_cost_a_price_nothing() -> None:
    story = Story()
    story.price(105)
    for number in range(GRIDS):
        turn_over(story, number)
    assert len(list(story.lab.strategy.grids())) == GRIDS

    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    price = story.lab.strategy.newest_price(MARKET)
    assert price is not None
    sys.setprofile(count)
    story.lab.strategy.accept(PriceTick(now_ns=story.now_ns, price=price))
    story.lab.strategy.next_wake_ns()
    story.lab.strategy.bands()
    sys.setprofile(None)
    assert steps < GRIDS


def test_what_a_large_stopped_grid_leaves_is_as_small_as_what_a_small_one_leaves() -> None:
    def left(intervals: int) -> int:
        story = Story(intervals=intervals, upper_e6=(100 + intervals) * E6).opened_at(100 + intervals / 2)
        story.command(StopGrid())
        grid = story.grid
        assert grid.status == "stopped"
        return sys.getsizeof(grid.orders) + len(grid.levels_e6) + len(grid.cells.sizes_e9) + len(grid.source)

    assert left(900) == left(10)


def test_a_stopped_grid_still_says_what_it_left() -> None:
    story = Story().opened_at(105).prices(103.5)
    held_e9, fills = story.grid.position_e9, story.grid.fills

    story.command(StopGrid())

    assert (story.grid.status, story.grid.position_e9, story.grid.fills) == ("stopped", held_e9, fills)
    assert held_e9 > 0
