"""The window by itself, in situations that the market model never gets into but a real venue does."""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core.grid.cells import cells_of
from gridkeeper_core.grid.state import LiveOrder
from gridkeeper_core.grid.window import NO_CELLS, plan
from gridkeeper_core.units import E6, E9
from support.story import Story


def test_a_level_that_is_taken_waits_even_when_the_price_has_passed_its_order() -> None:
    story = Story().opened_at(105.2)
    # Cell 3 was bought at 103 while cell 4 missed its buy, so cell 3 sells at 104; the price ran to 104.5, and nobody
    # has told us of that fill yet. Cell 4 wants to buy at the same 104.
    sell = LiveOrder(
        intent_id="tale/sell/3/0",
        kind="sell",
        cell=3,
        side="sell",
        price_e6=104 * E6,
        size_e9=E9,
        filled_e9=0,
        wanted_ns=1,
    )
    orders = {key: order for key, order in story.grid.orders.items() if key not in {("buy", 3), ("buy", 4)}}
    held = tuple(E9 if cell == 3 else part for cell, part in enumerate(story.grid.held_e9))
    cells = cells_of(story.grid.sizes_e9, held, story.grid.cycles)
    grid = replace(story.grid, cells=cells, orders=orders | {("sell", 3): sell})

    wanted = plan(grid, 104_500_000, story.now_ns, NO_CELLS).wanted
    assert 104 * E6 not in [order.price_e6 for order in wanted]
    freed = replace(grid, orders=orders)
    assert 104 * E6 in [order.price_e6 for order in plan(freed, 104_500_000, story.now_ns, NO_CELLS).wanted]


def test_a_cell_that_missed_its_fill_waits_on_the_wrong_side_of_the_price() -> None:
    story = Story().opened_at(105.2)
    orders = {key: order for key, order in story.grid.orders.items() if key != ("buy", 4)}
    missed = replace(story.grid, orders=orders)

    below = plan(missed, 103_500_000, story.now_ns, NO_CELLS)
    assert all(order.cell != 4 for order in below.wanted)
    back = plan(missed, 105_200_000, story.now_ns, NO_CELLS)
    assert [(order.side, order.cell) for order in back.wanted] == [("buy", 4)]
