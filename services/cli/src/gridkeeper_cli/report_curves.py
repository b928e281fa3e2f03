"""What a report draws: curves of a run at a few hundred moments, and what each level did."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import numpy.typing as npt

from gridkeeper_core import events as e
from gridkeeper_lab.backtest import Run
from gridkeeper_lab.columns import Ints
from gridkeeper_lab.outcome import Fills, fills_of, held_at, steps_of

POINTS = 1_200
Floats = npt.NDArray[np.float64]


class Curves(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of equal length, one entry per moment: seconds UTC, then quote or base, for drawing only.

    `low` and `high` are the extremes of the price since the moment before. `total` is the sum of grid profit, inventory
    and funding less fees.
    """

    time_s: Floats
    price: Floats
    low: Floats
    high: Floats
    held: Floats
    grid: Floats
    stock: Floats
    paid: Floats
    received: Floats
    total: Floats
    below_peak: Floats


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """Fills to mark in the picture of the price: seconds UTC and price, each side its own."""

    buys: tuple[Floats, Floats]
    sells: tuple[Floats, Floats]


class LevelRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one level did: amounts 1e-9 base, the profit of the turns of the cell above it 1e-6 quote, after fees."""

    level: int
    price_e6: int
    buys: int
    sells: int
    bought_e9: int
    sold_e9: int
    turns: int
    profit_e6: int
    held_e9: int


def curves_of(run: Run) -> Curves:
    """The run at evenly spaced rows, the last one included."""
    rows = len(run.tape)
    at = np.unique(np.linspace(0, rows - 1, min(POINTS, rows)).astype(np.int64))
    price = run.tape.price_e6 / 1e6
    held, cash = held_at(rows, steps_of(run))
    total = held * price + cash
    drawdown = np.maximum.accumulate(total) - total
    starts = np.concatenate(([0], at[:-1] + 1)) if len(at) > 1 else np.array([0])
    grid, fees, funding = _booked(run, rows)
    return Curves(
        time_s=run.tape.ts_ns[at] / 1e9,
        price=price[at],
        low=np.minimum.reduceat(price, starts),
        high=np.maximum.reduceat(price, starts),
        held=held[at],
        grid=grid[at],
        stock=(total - grid + fees - funding)[at],
        paid=fees[at],
        received=funding[at],
        total=total[at],
        below_peak=np.maximum.reduceat(drawdown, starts),
    )


def marks_of(run: Run, most: int = 4_000) -> Marks:
    """The fills; evenly thinned out where there are too many to see."""
    fills = fills_of(run)
    every = max(1, len(fills.row) // most)
    return Marks(buys=_side(run, fills, 1, every), sells=_side(run, fills, -1, every))


def levels_of(run: Run) -> list[LevelRow]:
    """Every level, the highest first."""
    grid = run.lab.strategy.grid(run.config.grid_id)
    fills = fills_of(run)
    buys, sells, bought, sold = Counter[int](), Counter[int](), Counter[int](), Counter[int]()
    for level, side, base_e9 in zip(fills.level.tolist(), fills.side.tolist(), fills.base_e9.tolist(), strict=True):
        (buys if side > 0 else sells)[level] += 1
        (bought if side > 0 else sold)[level] += base_e9
    turns, profit = Counter[int](), Counter[int]()
    for event in run.events():
        if isinstance(fact := event.fact, e.CycleClosed):
            turns[fact.cell] += 1
            profit[fact.cell] += fact.profit_e6
    held = tuple(grid.held_e9)
    return [
        LevelRow(
            level=level,
            price_e6=price_e6,
            buys=buys[level],
            sells=sells[level],
            bought_e9=bought[level],
            sold_e9=sold[level],
            turns=turns[level],
            profit_e6=profit[level],
            held_e9=held[level] if level < len(held) else 0,
        )
        for level, price_e6 in reversed(list(enumerate(grid.levels_e6)))
    ]


def _booked(run: Run, rows: int) -> tuple[Floats, Floats, Floats]:
    """Grid profit, fees paid and funding received up to each row."""
    grid, fees, funding = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    for row, event in zip(run.row_of_events().tolist(), run.events(), strict=True):
        match event.fact:
            case e.FillBooked() as fill:
                grid[row] += fill.grid_quote_e6 / 1e6
                fees[row] += fill.fee_e6 / 1e6
            case e.FundingBooked() as paid:
                funding[row] += paid.quote_e6 / 1e6
            case _:
                pass
    return np.cumsum(grid), np.cumsum(fees), np.cumsum(funding)


def _side(run: Run, fills: Fills, side: int, every: int) -> tuple[Floats, Floats]:
    chosen: Ints = np.flatnonzero(fills.side == side)[::every]
    return run.tape.ts_ns[fills.row[chosen]] / 1e9, fills.price_e6[chosen] / 1e6
