"""A grid of 100 intervals written down plainly, sharing no code with the product, and the market it is tried on."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

LEVELS = 100
WINDOW = 16
GRID_TEXT = """
[grid]
id = "plain"
market = "SOL-PERP"
direction = "neutral"
lower = "100"
upper = "200"
intervals = 100
spacing = "arithmetic"
size = { base = "0.10" }

[window]
live_orders = 32
reserve = 0
hysteresis = 0
roll_interval = "0s"

[orders]
order_life = "0"

[risk]
enabled = false
"""
_START_NS = 1_767_225_600 * 10**9


class PlainResult(NamedTuple):
    """Counts, the gap, lots of 0.1 held, cents x 0.1 base brought in, and the hash of (tick, level, side)."""

    fills: int
    placed: int
    cancelled: int
    gap: int
    lots: int
    cash_cents: int
    sha256: str


def market(sigma: float, count: int, seed: int) -> tuple[list[int], list[int]]:
    """Prices in cents around 150.00 and sizes in 0.01 base, by a formula anyone can repeat."""
    numbers = np.random.Generator(np.random.PCG64(seed))
    steps = (numbers.standard_normal(count) * sigma).tolist()
    sizes = numbers.integers(500, 5001, count, dtype=np.int64)
    kept, place, walk = 1 - 50 * sigma**2, 0.0, [0.0] * count
    for index in range(1, count):
        place = place * kept + steps[index]
        walk[index] = place
    return np.rint(15000 * np.exp(np.array(walk))).astype(np.int64).tolist(), sizes.tolist()


def write_market(file: Path, cents: list[int], sizes: list[int]) -> Path:
    """The rows as Parquet or CSV, told by the name; the side by the direction of the last change."""
    sides, side = [], "buy"
    for before, now in zip([cents[0], *cents], cents, strict=False):
        side = "buy" if now > before else "sell" if now < before else side
        sides.append(side)
    times = _START_NS + np.arange(len(cents)) * 10**6
    table = pa.table({"ts_ns": times, "price": np.array(cents) / 100, "size": np.array(sizes) / 100, "side": sides})
    if file.suffix == ".parquet":
        pq.write_table(table, file)
    else:
        pc.write_csv(table, file)
    return file


def plain_grid(cents: list[int]) -> PlainResult:
    """Every level but the gap has an order, at most 16 a side; a touch fills, nearest first, from the next tick on."""
    gap = min(range(LEVELS + 1), key=lambda level: abs(10_000 + 100 * level - cents[0]))
    live = _wanted(gap)
    fills = cancelled = lots = cash = 0
    placed = len(live)
    digest = hashlib.sha256()
    for tick, price in enumerate(cents[1:], start=1):
        resting = live
        while (side := _next_fill(gap, price, resting)) is not None:
            gap -= side
            digest.update(struct.pack("<iii", tick, gap, side))
            fills, lots, cash = fills + 1, lots + side, cash - side * (10_000 + 100 * gap)
            before, live = live - {gap}, _wanted(gap)
            placed, cancelled = placed + len(live - before), cancelled + len(before - live)
    return PlainResult(fills, placed, cancelled, gap, lots, cash, digest.hexdigest())


def compared(document: dict[str, Any]) -> PlainResult:
    """The same of what the command answered."""
    return PlainResult(
        fills=document["fills"],
        placed=document["placed"],
        cancelled=document["cancelled"],
        gap=document["final_gap"],
        lots=round(float(document["position"]) * 10),
        cash_cents=round(float(document["cash"]) * 1000),
        sha256=document["fills_sha256"],
    )


def _wanted(gap: int) -> set[int]:
    return set(range(max(gap - WINDOW, 0), min(gap + WINDOW, LEVELS) + 1)) - {gap}


def _next_fill(gap: int, price: int, resting: set[int]) -> int | None:
    """+1 when the buy below the gap fills, -1 when the sell above it does; only orders of an earlier tick do."""
    if gap - 1 in resting and price <= 10_000 + 100 * (gap - 1):
        return 1
    return -1 if gap + 1 in resting and price >= 10_000 + 100 * (gap + 1) else None
