"""What strategy answers about its grids."""

from __future__ import annotations

from itertools import islice

from gridkeeper_core.events import Side
from gridkeeper_core.grid.state import GridState, gap_of
from gridkeeper_core.grid.window import candidates, per_side
from gridkeeper_core.prices.price import Price
from gridkeeper_core.requests import GridDetail, GridView, OrderView


def grid_view(grid: GridState, price: Price | None) -> GridView:
    """One line of `grid list`."""
    return GridView(
        id=grid.grid_id,
        market=grid.config.market,
        account=grid.config.account,
        state=_state(grid),
        reasons=tuple(sorted(grid.pauses)),
        price_e6=price.oracle_e6 if price is not None else None,
        price_ns=price.ts_ns if price is not None else None,
        gap=gap_of(grid) if grid.levels_e6 else None,
        position_e9=grid.position_e9,
        fills=grid.fills,
        turns=grid.turns,
        cash_e6=grid.cash_e6,
        fees_e6=grid.fees_e6,
        live_orders=sum(1 for order in grid.orders.values() if not order.unwanted),
        wanted_orders=_wanted_orders(grid, price),
        lower_e6=grid.levels_e6[0] if grid.levels_e6 else grid.config.lower_e6,
        upper_e6=grid.levels_e6[-1] if grid.levels_e6 else grid.config.upper_e6,
        range_left=grid.range_left,
    )


def grid_detail(grid: GridState, price: Price | None) -> GridDetail:
    """Everything `grid show` needs."""
    orders = tuple(
        OrderView(
            intent_id=order.intent_id,
            side=order.side,
            cell=order.cell,
            price_e6=order.price_e6,
            size_e9=order.size_e9,
            filled_e9=order.filled_e9,
            unwanted=order.unwanted,
        )
        for order in sorted(grid.orders.values(), key=lambda order: (order.price_e6, order.side))
    )
    return GridDetail(
        view=grid_view(grid, price),
        levels_e6=grid.levels_e6,
        sizes_e9=grid.sizes_e9,
        held_e9=grid.held_e9,
        cycles=grid.cycles,
        orders=orders,
        source=grid.source,
    )


def _state(grid: GridState) -> str:
    return "paused" if grid.status == "open" and grid.pauses else grid.status


def _wanted_orders(grid: GridState, price: Price | None) -> int:
    """How many orders would be live if nothing had to wait: the nearest eligible ones of each side."""
    if not grid.is_trading or price is None:
        return 0
    sides: tuple[tuple[Side, int], ...] = (("buy", 0), ("sell", 1))
    counts = per_side(grid.config.live_orders)
    return sum(len(list(islice(candidates(grid, side, price.oracle_e6), counts[i]))) for side, i in sides)
