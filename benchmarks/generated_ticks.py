"""A million generated trades and the grid that trades them, the same for everyone who has the formula and the seed."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Iterator

import msgspec
import numpy as np

from gridkeeper_core.events import OrderClosed, OrderFilled, OrderResting
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import Recorded
from gridkeeper_core.venue.state import FillRules, MarketRules
from gridkeeper_lab.columns import Columns
from gridkeeper_lab.engine import Lab

SEED = 20260101
COUNT = 1_000_000
START_NS = 1_767_225_600_000_000_000
NS_PER_TICK = 1_000_000
SIGMAS = {"calm": 0.5e-4, "std": 4e-4, "dense": 2e-3}
"""Standard deviation of the logarithm of the price per tick."""
HASHES = {
    "calm": "e76f184cce725aa741600239b619f782db9703ca6ce0be5fdd7518bdc52c4b1e",
    "std": "a247962e480d74de3e287102f624a15ea6099dfe6eb47acb3a841398418e55dc",
    "dense": "6d8b63e29d7f135b4bd5d83c595af01da81b8a09dabbdb2a4b6d84742e591848",
}
"""SHA-256 of the prices (cents) and then the sizes (lots) as little-endian int64: nothing is measured on others."""
E6_PER_CENT = 10_000
E9_PER_LOT = 10_000_000
GRID = GridConfig(
    grid_id="perf-grid-1",
    market="SOL-PERP",
    lower_e6=100 * 10**6,
    upper_e6=200 * 10**6,
    intervals=100,
    spacing="arithmetic",
    size_base_e9=10**8,
    live_orders=32,
    reserve=0,
    hysteresis=0,
    roll_interval_ns=0,
    order_life_ns=0,
    risk_enabled=False,
)
SPEC = MarketSpec(
    symbol="SOL-PERP",
    venue="drift",
    index=0,
    tick_e6=E6_PER_CENT,
    step_e9=E9_PER_LOT,
    minimum_e9=E9_PER_LOT,
    margin_ratio_initial_e4=1000,
    margin_ratio_maintenance_e4=500,
    maker_fee_e5=-20,
    taker_fee_e5=100,
)


class Outcome(msgspec.Struct, frozen=True):
    """What a run came to. `fills_sha256` is over little-endian int32 triples (tick, level, +1 buy or -1 sell)."""

    fills: int
    placed: int
    cancelled: int
    fills_sha256: str


def ticks(regime: str) -> tuple[list[int], list[int]]:
    """Prices in cents and sizes in lots: a walk of the logarithm around 150.00 with a weak pull back to it."""
    sigma = SIGMAS[regime]
    generator = np.random.Generator(np.random.PCG64(SEED))
    steps = (generator.standard_normal(COUNT) * sigma).tolist()
    lots = generator.integers(500, 5001, COUNT, dtype=np.int64)
    kept = 1 - 50 * sigma**2
    place, walk = 0.0, [0.0] * COUNT
    for index in range(1, COUNT):
        place = place * kept + steps[index]
        walk[index] = place
    cents = np.rint(15000 * np.exp(np.array(walk))).astype(np.int64)
    if hashlib.sha256(cents.astype("<i8").tobytes() + lots.astype("<i8").tobytes()).hexdigest() != HASHES[regime]:
        raise SystemExit(f"the generated {regime} ticks are not those that everybody measures on")
    return cents.tolist(), lots.tolist()


def prices(cents: list[int], lots: list[int], count: int) -> Iterator[Price]:
    """The first `count` ticks as prices; the aggressor is told by the direction of the last change."""
    side, before = 1, cents[0]
    for index in range(count):
        now = cents[index]
        side = 1 if now > before else -1 if now < before else side
        before = now
        yield Price(
            market="SOL-PERP",
            source="generated",
            source_seq=index + 1,
            ts_ns=START_NS + index * NS_PER_TICK,
            oracle_e6=now * E6_PER_CENT,
            size_e9=lots[index] * E9_PER_LOT,
            side=side,
        )


def tape_of(regime: str, count: int) -> Columns:
    """The first `count` ticks as the columns a backtest runs over."""
    cents, lots = ticks(regime)
    price = np.array(cents[:count], dtype=np.int64)
    moves = np.sign(np.diff(price, prepend=price[0]))
    newest = np.maximum.accumulate(np.where(moves != 0, np.arange(count), -1))
    return Columns(
        START_NS + np.arange(count) * NS_PER_TICK,
        price * E6_PER_CENT,
        np.array(lots[:count], dtype=np.int64) * E9_PER_LOT,
        np.where(newest >= 0, moves[np.maximum(newest, 0)], 1).astype(np.int8),
        np.zeros(count, dtype=np.int64),
    )


def new_lab() -> Lab:
    """The lab with a market of these ticks, where a touch fills."""
    return Lab([MarketRules(spec=SPEC)], fills=FillRules(model="touch"), enforce_margin=False)


def outcome_of(log: list[Recorded]) -> Outcome:
    """What can be compared with any other program that traded the same ticks."""
    digest, counts = hashlib.sha256(), Counter[str]()
    for event in log:
        match event.fact:
            case OrderFilled() as fill:
                level, side = (fill.cell, 1) if fill.side == "buy" else (fill.cell + 1, -1)
                digest.update(struct.pack("<iii", (event.ts_ns - START_NS) // NS_PER_TICK, level, side))
                counts["filled"] += 1
            case OrderResting():
                counts["placed"] += 1
            case OrderClosed(reason="cancelled"):
                counts["cancelled"] += 1
    return Outcome(counts["filled"], counts["placed"], counts["cancelled"], digest.hexdigest())
