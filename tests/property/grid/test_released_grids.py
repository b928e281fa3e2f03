"""A stopped grid leaves no more behind than its name and its sums, however large it was and however many there were."""

from __future__ import annotations

import gc
import sys
import tracemalloc

import pytest

from gridkeeper_core.grid.ended import packed, unpacked
from gridkeeper_core.grid.evolve import key_of
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.inputs import PriceTick, ProposeGrid, StopGrid
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.machine import Machine
from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.record import decode, encode
from gridkeeper_core.units import E6
from support.story import MARKET, Story, config

GRIDS = 60
LIVES = 1_000
STRATEGY_KEEPS_BYTES = 450
"""Of a grid that ended: settings, position and sums, packed, and its name. With its cells it is 30 times that."""
LEDGER_KEEPS_BYTES = 1_100
"""Of a grid that ended: its result, as `gridkeeper ledger show` tells it for ever."""
EXECUTION_KEEPS_BYTES = 20
SNAPSHOT_AFTER_S = 3_600
"""After this the account is recorded anew, and what the chain can no longer undo is let go."""


def turn_over(story: Story, number: int) -> None:
    """Create a grid, let it trade a little, stop it and close its position."""
    grid_id = f"grid-{number}"
    story.command(
        ProposeGrid(config=config(grid_id=grid_id, intervals=40, live_orders=4), source="x" * 500), f"grid:{grid_id}"
    )
    story.prices(104.4, 105.1)
    story.command(StopGrid(close=True), f"grid:{grid_id}")
    story.price(105.0, after_s=SNAPSHOT_AFTER_S)
    story.lab.reconcile()


def one_life(kinds: tuple[str, ...]) -> list[bytes]:
    """The stored events of one grid from its proposal to the snapshot after its end, named grid-0000."""
    story = Story()
    story.price(105)
    turn_over(story, 0)
    events = (event for event in story.lab.log if event.stream.partition(":")[0] in kinds)
    return [encode(event).replace(b"grid-0", b"grid-0000") for event in events]


def lived(machine: Machine, life: list[bytes], number: int) -> None:
    """The machine folds one more life like this, of a grid of its own."""
    for stored in life:
        machine.restore(decode(stored.replace(b"grid-0000", b"grid-%04d" % number)))


def held() -> int:
    """Bytes that our own code allocated and that are still there; what is cached up to a limit does not count."""
    key_of.cache_clear()
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces((tracemalloc.Filter(True, "*/gridkeeper_*"),))
    return sum(trace.size for trace in snapshot.traces)


@pytest.mark.parametrize(
    ("machine", "kinds", "keeps_bytes"),
    [
        (StrategyMachine(), ("grid",), STRATEGY_KEEPS_BYTES),
        (ExecutionMachine(lambda _: None), ("account", "tx", "market"), EXECUTION_KEEPS_BYTES),
        (LedgerMachine(), ("ledger", "books"), LEDGER_KEEPS_BYTES),
    ],
    ids=["strategy", "execution", "ledger"],
)
def test_memory_stays_flat_over_a_thousand_grids(machine: Machine, kinds: tuple[str, ...], keeps_bytes: int) -> None:
    life = one_life(kinds)
    lived(machine, life, 0)
    tracemalloc.start(1)
    before = held()

    for number in range(1, 1 + LIVES):
        lived(machine, life, number)

    grown = held() - before
    tracemalloc.stop()
    assert grown < LIVES * keeps_bytes, f"{grown / LIVES:.0f} bytes per grid"


def test_a_grid_that_ended_leaves_nothing_on_the_account() -> None:
    story = Story()
    story.price(105)
    for number in range(3):
        turn_over(story, number)

    assert all(grid.status == "stopped" for grid in story.lab.strategy.grids())
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
        assert story.grid.status == "stopped"
        return len(packed(story.grid))

    assert left(900) < left(10) + 10


def test_a_stopped_grid_still_says_what_it_left() -> None:
    story = Story().opened_at(105).prices(103.5)
    held_e9, fills = story.grid.position_e9, story.grid.fills

    story.command(StopGrid())

    assert (story.grid.status, story.grid.position_e9, story.grid.fills) == ("stopped", held_e9, fills)
    assert held_e9 > 0


def test_what_is_kept_of_a_grid_that_ended_is_what_it_was() -> None:
    story = Story().opened_at(105).prices(103.5)
    story.command(StopGrid())
    ended = story.grid
    assert unpacked("tale", packed(ended)) == ended

    refused = Story(intervals=900).opened_at(105).grid
    assert (refused.status, list(refused.told)) == ("rejected", ["SPACING_TOO_SMALL"])
    assert unpacked("tale", packed(refused)) == refused
