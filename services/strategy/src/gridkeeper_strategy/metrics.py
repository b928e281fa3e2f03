"""The series only strategy has: what each grid wants, has and waits for."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Gauge

from gridkeeper_core.requests import GridView

ORDERS = Gauge(
    "gridkeeper_grid_orders", "Orders of a grid: wanted, live, or missing (wanted but not live).", ["grid", "state"]
)
PAUSED = Gauge("gridkeeper_grid_paused", "1 while a grid is paused for this reason.", ["grid", "code"])
POSITION = Gauge("gridkeeper_grid_position_base", "What a grid holds in its market, in whole base units.", ["grid"])
FILLS = Gauge("gridkeeper_grid_fills", "Fills of a grid since it was opened.", ["grid"])
OUT_OF_RANGE = Gauge("gridkeeper_grid_out_of_range", "1 while the price is outside of a grid's range.", ["grid"])
_E9 = 1e9


def measure(grids: Iterable[GridView]) -> None:
    """Set the series anew, so that a grid that ended leaves nothing behind."""
    for gauge in (ORDERS, PAUSED, POSITION, FILLS, OUT_OF_RANGE):
        gauge.clear()
    for grid in grids:
        if grid.state not in ("open", "paused", "stopping"):
            continue
        ORDERS.labels(grid.id, "wanted").set(grid.wanted_orders)
        ORDERS.labels(grid.id, "live").set(grid.live_orders)
        ORDERS.labels(grid.id, "missing").set(max(0, grid.wanted_orders - grid.live_orders))
        for code in grid.reasons:
            PAUSED.labels(grid.id, code).set(1)
        POSITION.labels(grid.id).set(grid.position_e9 / _E9)
        FILLS.labels(grid.id).set(grid.fills)
        OUT_OF_RANGE.labels(grid.id).set(1 if grid.range_left else 0)
