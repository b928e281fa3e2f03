"""Measures the lab: ticks per second and per fill, whole processes, many grids, many levels, a year of minutes."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from generated_ticks import COUNT, GRID, SPEC, START_NS, tape_of
from section import print_section, rate

from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.units import E6, NS_PER_S
from gridkeeper_core.venue.state import FillRules
from gridkeeper_lab.backtest import Engine, Run, Setting, run
from gridkeeper_lab.columns import Columns
from gridkeeper_lab.crossing import Crossings
from gridkeeper_lab.outcome import outcome_of

ROUNDS = 5
TICKS = {"calm": COUNT, "std": COUNT, "dense": 20_000}
PLAIN_TICKS = {"calm": 100_000, "std": 100_000, "dense": 5_000}
EXPECTED = ("std", 3434, 6894, 3428, "ae098db9092f864a")
"""Of programs that have nothing in common with this one but the rules; the hash's first 16 digits."""
PEERS = {
    "NautilusTrader, Rust engine": (989_000, 524_000, 43_000),
    "hftbacktest (numba)": (11_300_000, 10_500_000, 6_000_000),
}
"""Ticks per second that others reached with the same fills on a machine of this kind (calm, std, dense)."""
GRIDS = (1, 10, 100, 1_000)
LEVELS = (10, 100, 1_000)
MINUTES_PER_YEAR = 525_600

ABOUT = """
One neutral grid of 100 cells, 32 live orders, on generated trades (seed 20260101): `calm` hardly fills, `std` fills
every 300 ticks or so, `dense` every ten. Strategy, execution, ledger and the venue model see every tick that may lead
to something; every decision and every fill becomes events, kept in memory. *Skipping* passes over the others by a
search over the prices, *plain* looks at each. Each run is a process of its own; the tape is in memory before it.
"""
ABOUT_PROCESS = """
`gridkeeper backtest` with `--json` on the million trades as Parquet: start, imports, reading, running, answering.
"""
ABOUT_GRIDS = """
The calm tape, one process. One grid trades it; the others lie where the price never comes. Opening them is not in the
time. *Rows* counts each tick once for each grid that was taken over it.
"""
ABOUT_LEVELS = """
The same trades through grids from 100 to 200 with more and more levels: what a fill costs must not grow with them.
"""
ABOUT_YEAR = """
A year of one-minute candles (2,102,400 points of a generated walk), a grid of 20 cells, funding none; the ledger marks
the grid every five minutes, which is 105,000 events.
"""


class Measured(msgspec.Struct, frozen=True):
    """One run."""

    seconds: float
    fills: int
    events: int
    sha256: str


def main() -> None:
    if len(sys.argv) > 1:
        measured = _measure(sys.argv[1], "plain" if "plain" in sys.argv else "skipping")
        print(msgspec.json.encode(measured).decode())
        return
    _ticks_section()
    _process_section()
    _grids_section()
    _levels_section()
    _year_section()


def _ticks_section() -> None:
    rows = []
    for place, regime in enumerate(TICKS):
        for engine in ("skipping", "plain"):
            runs = [_fresh_process(regime, engine) for _ in range(ROUNDS if engine == "skipping" else 1)]
            seconds = [each.seconds for each in runs]
            count = (TICKS if engine == "skipping" else PLAIN_TICKS)[regime]
            per_fill_us = f"{median(seconds) / max(runs[0].fills, 1) * 1e6:,.0f}"
            ratios = [f"{count / median(seconds) / theirs[place]:.2f}" for theirs in PEERS.values()]
            rows.append((regime, engine, f"{count:,}", rate(count, seconds), str(runs[0].fills), per_fill_us, *ratios))
    columns = ("prices", "engine", "ticks", "ticks/s (worst to best)", "fills", "µs per fill, all in")
    print_section("The lab: ticks per second", ABOUT, (*columns, *(f"times {name}" for name in PEERS)), rows)


def _process_section() -> None:
    tape = tape_of("std", COUNT)
    with tempfile.TemporaryDirectory() as folder:
        data, grid = Path(folder) / "std.parquet", Path(folder) / "grid.toml"
        sides = np.where(tape.side > 0, "buy", "sell")
        table = {"ts_ns": tape.ts_ns, "price": tape.price_e6 / 1e6, "size": tape.size_e9 / 1e9, "side": sides}
        pq.write_table(pa.table(table), data)
        grid.write_text(_GRID_TEXT)
        words = [
            Path(sys.executable).with_name("gridkeeper"), "backtest", grid, "--data", data, "--fill", "touch",
            "--latency", "0", "--fees", "maker=-0.0002", "--no-margin", "--json",
        ]  # fmt: skip
        seconds = []
        for _ in range(ROUNDS):
            began_s = time.perf_counter()
            answered = subprocess.run(words, capture_output=True, text=True, check=True)
            seconds.append(time.perf_counter() - began_s)
        assert json.loads(answered.stdout)["fills_sha256"].startswith(EXPECTED[4])
    memory_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    shown = f"{median(seconds):.2f} s ({max(seconds):.2f} to {min(seconds):.2f})"
    rows = [("seconds (worst to best)", shown), ("memory, at most", f"{memory_mb:,.0f} MB")]
    print_section("The lab: the whole command", ABOUT_PROCESS, ("what", "measured"), rows)


def _grids_section() -> None:
    tape = tape_of("calm", COUNT)
    crossings = Crossings(tape.price_e6)
    rows = []
    for count in GRIDS:
        grids = [GRID, *(_elsewhere(place) for place in range(count - 1))]
        opening_s = sum(_seconds(lambda g=grid: _run(g, tape.part(0, 1))) for grid in grids)  # type: ignore[misc]
        whole_s = sum(_seconds(lambda g=grid: _run(g, tape, crossings)) for grid in grids)  # type: ignore[misc]
        seconds = max(whole_s - opening_s, 1e-9)
        rows.append((f"{count:,}", f"{seconds:.2f} s", f"{count * COUNT / seconds:,.0f}"))
    print_section("The lab: many grids", ABOUT_GRIDS, ("grids", "time", "rows/s"), rows)


def _levels_section() -> None:
    tape = tape_of("std", 200_000)
    rows = []
    for count in LEVELS:
        grid = msgspec.structs.replace(GRID, grid_id="levels", intervals=count - 1, live_orders=min(count - 2, 32))
        began_s = time.perf_counter()
        ran = _run(grid, tape)
        seconds = time.perf_counter() - began_s
        fills = outcome_of(ran).fills
        rows.append((f"{count:,}", f"{fills:,}", f"{len(tape) / seconds:,.0f}", f"{seconds / fills * 1e6:,.0f}"))
    print_section("The lab: many levels", ABOUT_LEVELS, ("levels", "fills", "ticks/s", "µs per fill"), rows)


def _year_section() -> None:
    numbers = np.random.Generator(np.random.PCG64(1))
    count = 4 * MINUTES_PER_YEAR
    walk = np.abs(np.cumsum(numbers.standard_normal(count)) * 0.02 % 80 - 40) + 130
    tape = Columns(
        START_NS + np.arange(count) * 15 * NS_PER_S,
        np.rint(walk * 100).astype(np.int64) * 10_000,
        np.full(count, 10**9),
        np.ones(count, dtype=np.int8),
        np.full(count, 60 * NS_PER_S),
    )
    rows = []
    for name, life_ns in (("orders rest until they fill", 0), ("orders are renewed (4 h)", 4 * 3600 * NS_PER_S)):
        grid = msgspec.structs.replace(
            GRID,
            grid_id="year",
            lower_e6=120 * E6,
            upper_e6=180 * E6,
            intervals=20,
            order_life_ns=life_ns,
            live_orders=20,
        )
        began_s = time.perf_counter()
        ran = _run(grid, tape)
        rows.append(
            (name, f"{time.perf_counter() - began_s:.2f} s", f"{outcome_of(ran).fills:,}", f"{len(ran.events()):,}")
        )
    print_section("The lab: a year of minutes", ABOUT_YEAR, ("grid", "time", "fills", "events"), rows)


def _measure(regime: str, engine: Engine) -> Measured:
    tape = tape_of(regime, (TICKS if engine == "skipping" else PLAIN_TICKS)[regime])
    began_s = time.perf_counter()
    ran = _run(GRID, tape, engine=engine)
    seconds = time.perf_counter() - began_s
    outcome = outcome_of(ran)
    found = (regime, outcome.fills, outcome.placed, outcome.cancelled, outcome.fills_sha256[:16])
    if regime == EXPECTED[0] and len(tape) == COUNT and found != EXPECTED:
        sys.exit(f"The grid traded {found}, expected {EXPECTED}.")
    return Measured(seconds, outcome.fills, len(ran.events()), outcome.fills_sha256)


def _run(grid: GridConfig, tape: Columns, crossings: Crossings | None = None, engine: Engine = "skipping") -> Run:
    setting = Setting(spec=SPEC, fills=FillRules(model="touch"), deposit_e6=10**15, enforce_margin=False)
    return run(grid, "", tape, setting, crossings=crossings, engine=engine)


def _elsewhere(place: int) -> GridConfig:
    """A grid whose range lies far below every price of the tape."""
    return msgspec.structs.replace(GRID, grid_id=f"idle-{place}", lower_e6=10 * E6, upper_e6=50 * E6, intervals=20)


def _seconds(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def _fresh_process(regime: str, engine: str) -> Measured:
    ran = subprocess.run([sys.executable, __file__, regime, engine], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(ran.stderr or ran.stdout)
    return msgspec.json.decode(ran.stdout, type=Measured)


_GRID_TEXT = """
[grid]
id = "perf-grid-1"
market = "SOL-PERP"
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

if __name__ == "__main__":
    main()
