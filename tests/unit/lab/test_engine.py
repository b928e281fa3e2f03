"""The whole core in the lab against a plain re-implementation of the same strategy that shares no code with it."""

from __future__ import annotations

import random

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.state import gap_of
from gridkeeper_core.inputs import ProposeGrid
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E6, E9
from gridkeeper_core.venue.state import FillRules, MarketRules
from gridkeeper_lab.engine import Lab
from support.story import MARKET, SPEC, START_NS

LEVELS = 100
WINDOW = 16
Fill = tuple[int, int, int]


def path(seed: int, step: int, count: int = 2_500) -> list[int]:
    """Prices in cents, between 100.00 and 200.00, pulled back to 150.00."""
    random_numbers = random.Random(seed)
    price, prices = 15_000, []
    for _ in range(count):
        price += random_numbers.randint(-step, step) + (15_000 - price) // 400
        prices.append(min(max(price, 10_001), 19_999))
    return prices


def plain_grid(prices: list[int]) -> tuple[list[Fill], int]:
    """Levels 100.00, 101.00 … 200.00; one level, the gap, has no order; touch fills; 16 orders a side are live."""
    level_at = [10_000 + 100 * i for i in range(LEVELS + 1)]
    gap = min(range(LEVELS + 1), key=lambda i: abs(level_at[i] - prices[0]))
    fills: list[Fill] = []
    for tick, price in enumerate(prices[1:], 1):
        low, high = max(gap - WINDOW, 0), min(gap + WINDOW, LEVELS)
        while gap - 1 >= low and price <= level_at[gap - 1]:
            gap -= 1
            fills.append((tick, gap, 1))
        while gap + 1 <= high and price >= level_at[gap + 1]:
            gap += 1
            fills.append((tick, gap, -1))
    return fills, gap


def lab_grid(prices: list[int]) -> tuple[list[Fill], int, Lab]:
    lab = Lab([MarketRules(spec=SPEC)], fills=FillRules(model="touch"), enforce_margin=False)
    grid = GridConfig(
        grid_id="plain",
        market=MARKET,
        lower_e6=100 * E6,
        upper_e6=200 * E6,
        intervals=LEVELS,
        spacing="arithmetic",
        size_base_e9=E9 // 10,
        live_orders=2 * WINDOW,
        reserve=0,
        hysteresis=0,
        roll_interval_ns=0,
        order_life_ns=0,
        risk_enabled=False,
    )
    for tick, cents in enumerate(prices):
        ts_ns = START_NS + tick * 10**6
        lab.row(Price(market=MARKET, source="t", source_seq=tick + 1, ts_ns=ts_ns, oracle_e6=cents * 10_000))
        if tick == 0:
            lab.command("grid:plain", ProposeGrid(config=grid, source=""))
    fills = []
    for event in lab.log:
        if isinstance(event.fact, e.OrderFilled):
            side = 1 if event.fact.side == "buy" else -1
            level = event.fact.cell if side == 1 else event.fact.cell + 1
            fills.append(((event.ts_ns - START_NS) // 10**6, level, side))
    gap = gap_of(lab.strategy.grid("plain"))
    assert gap is not None
    return fills, gap, lab


@pytest.mark.parametrize(("seed", "step"), [(1, 6), (2, 60), (3, 400)])
def test_the_lab_fills_what_a_plain_grid_fills(seed: int, step: int) -> None:
    prices = path(seed, step)
    expected, gap = plain_grid(prices)
    fills, lab_gap, lab = lab_grid(prices)

    assert fills == expected
    assert lab_gap == gap
    assert lab.strategy.grid("plain").position_e9 == sum(side for _, _, side in expected) * E9 // 10


def test_books_and_venue_agree_after_a_long_run() -> None:
    _, _, lab = lab_grid(path(4, 200))
    lab.reconcile()

    assert not lab.execution.account("main").differs
    proofs = [event.fact for event in lab.log if isinstance(event.fact, e.ProofChecked)]
    assert {proof.residual_e6 for proof in proofs} <= {0}
