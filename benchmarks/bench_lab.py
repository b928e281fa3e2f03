"""Measures the lab: ticks per second and per fill, whole processes, many grids, many levels, a year of minutes.

`python bench_lab.py [--peer PYTHON]`: with an interpreter that has NautilusTrader, its Rust engine runs the same grid
on the same ticks in turn with the lab.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from generated_ticks import COUNT, E6_PER_CENT, E9_PER_LOT, GRID, SPEC, START_NS, tape_of
from section import print_section, rate

from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import E6, NS_PER_S
from gridkeeper_core.venue.state import FillRules
from gridkeeper_lab.backtest import Engine, Run, Setting, run
from gridkeeper_lab.columns import Columns
from gridkeeper_lab.crossing import Crossings
from gridkeeper_lab.outcome import outcome_of

ROUNDS = 5
PLAIN_ROUNDS = 1
TICKS = {"calm": COUNT, "std": COUNT, "dense": 100_000}
PLAIN_TICKS = {"calm": 100_000, "std": 100_000, "dense": 5_000}
EXPECTED = ("std", 3434, 6894, 3428, "ae098db9092f864a")
"""Of programs that have nothing in common with this one but the rules; the hash's first 16 digits."""
PEER = Path(__file__).parent / "peers" / "grid_on_nautilus.py"
GRIDS = (1, 10, 100, 1_000)
LEVELS = (10, 100, 1_000)
LIVE_ORDERS = (8, 16, 32)
MINUTES_PER_YEAR = 525_600

ABOUT = """
One neutral grid of 100 cells, 32 live orders, on generated trades (seed 20260101): `calm` hardly fills, `std` fills
every 300 ticks or so, `dense` every ten. Strategy, execution, ledger and the venue model see every tick that may lead
to something; every decision and every fill becomes events, kept in memory. *Skipping* passes over the others by a
search over the prices, *plain* looks at each. Each run is a process of its own; the tape is in memory before it.
"""
ABOUT_PEER = """
The same ticks and the same grid on NautilusTrader's Rust engine with a strategy in Python, its risk checks and its log
off, in turn with the lab, each run a process of its own, trades made before the clock starts. Fills are compared by
their hash. Ratios are of each pair. It matches orders and keeps positions; it writes no record that can be replayed.
"""
ABOUT_EVENTS = """
The events of the run on `std`, made once more from their values: no rule, no state, no market, nothing but one struct
for each fact and one for its place in the record. Whatever records these events one by one takes at least as long.
"""
ABOUT_PROCESS = """
`gridkeeper backtest` with `--json` on the million trades as Parquet: start, imports, reading, running, answering.
"""
ABOUT_GRIDS = """
The calm tape, one process. One grid trades it; the others lie where the price never comes. Opening them is not in the
time. *Rows* counts each tick once for each grid that was taken over it.
"""
ABOUT_LEVELS = """
The same trades through grids from 100 to 200 with more and more levels, and with more and more live orders: what a
fill costs must not grow with them.
"""
ABOUT_YEAR = """
A year of one-minute candles (2,102,400 points of a generated walk), a grid of 20 cells, funding none; the ledger marks
the grid every five minutes, which is 105,000 events.
"""


class Measured(msgspec.Struct, frozen=True):
    """One run."""

    seconds: float
    fills: int
    sha256: str


def main() -> None:
    """Measures everything, or (with the name of an engine and a tape) one run."""
    if len(sys.argv) == 4:
        print(msgspec.json.encode(_measure(sys.argv[1], sys.argv[2], Path(sys.argv[3]))).decode())
        return
    peer = sys.argv[2] if len(sys.argv) == 3 and sys.argv[1] == "--peer" else ""
    with tempfile.TemporaryDirectory() as folder:
        _ticks_sections(Path(folder), peer)
    _events_section()
    _process_section()
    _grids_section()
    _levels_section()
    _year_section()


def _ticks_sections(folder: Path, peer: str) -> None:
    """In turn: the lab, the peer, the lab, the peer …"""
    peer_works = bool(peer) and _runs(peer)
    if peer and not peer_works:
        print(f"{peer} has no NautilusTrader: the lab is measured alone.", file=sys.stderr)
    rows, peer_rows = [], []
    for regime, count in TICKS.items():
        tape = _written(folder, regime, count)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(_fresh_process(regime, "skipping", tape))
            theirs += [_peer_process(peer, tape)] if peer_works else []
        plain_tape = _written(folder, regime, PLAIN_TICKS[regime])
        plain = [_fresh_process(regime, "plain", plain_tape) for _ in range(PLAIN_ROUNDS)]
        rows += [_row(regime, "skipping", count, ours), _row(regime, "plain", PLAIN_TICKS[regime], plain)]
        peer_rows += [_peer_row(regime, count, ours, theirs)] if theirs else []
    columns = ("prices", "engine", "ticks", "ticks/s (worst to best)", "fills", "µs per fill, all in")
    print_section("The lab: ticks per second", ABOUT, columns, rows)
    if peer_rows:
        columns = ("prices", "ticks", "lab, ticks/s", "NautilusTrader, ticks/s", "times (worst to best)", "fills")
        print_section("The lab beside NautilusTrader", ABOUT_PEER, columns, peer_rows)


def _runs(peer: str) -> bool:
    return subprocess.run([peer, PEER, "--check"], capture_output=True, check=False).returncode == 0


def _row(regime: str, engine: str, count: int, runs: list[Measured]) -> tuple[str, ...]:
    seconds = [each.seconds for each in runs]
    per_fill_us = f"{median(seconds) / max(runs[0].fills, 1) * 1e6:,.0f}"
    return (regime, engine, f"{count:,}", rate(count, seconds), f"{runs[0].fills:,}", per_fill_us)


def _peer_row(regime: str, count: int, ours: list[Measured], theirs: list[Measured]) -> tuple[str, ...]:
    if {each.sha256 for each in ours} != {each.sha256 for each in theirs}:
        sys.exit(f"{regime}: the peer's fills are others than the lab's.")
    ratios = [their.seconds / our.seconds for our, their in zip(ours, theirs, strict=True)]
    times = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    rates = [rate(count, [each.seconds for each in runs]) for runs in (ours, theirs)]
    return (regime, f"{count:,}", *rates, times, f"{ours[0].fills:,}, the same")


_PEAK = """\
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _events_section() -> None:
    tape = tape_of("std", COUNT)
    ran = _run(GRID, tape)
    values = [(type(event.fact), msgspec.structs.asdict(event.fact), event) for event in ran.events()]
    seconds = []
    gc.disable()  # as in a run
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        made = [
            Recorded(
                stream=event.stream,
                version=event.version,
                ts_ns=event.ts_ns,
                cause=event.cause,
                thread=event.thread,
                prev=event.prev,
                fact=kind(**fields),
            )
            for kind, fields, event in values
        ]
        seconds.append(time.perf_counter() - began_s)
    gc.enable()
    assert made == list(ran.events())
    fills = outcome_of(ran).fills
    shown = (f"{len(made):,}", f"{median(seconds):.3f} s", rate(COUNT, seconds), f"{median(seconds) / fills * 1e6:.0f}")
    columns = ("events", "time", "ticks/s, were there nothing else (worst to best)", "µs per fill")
    print_section("The lab: making the events alone", ABOUT_EVENTS, columns, [shown])


def _process_section() -> None:
    tape = tape_of("std", COUNT)
    with tempfile.TemporaryDirectory() as folder:
        data, grid = Path(folder) / "std.parquet", Path(folder) / "grid.toml"
        sides = np.where(tape.side > 0, "buy", "sell")
        table = {"ts_ns": tape.ts_ns, "price": tape.price_e6 / 1e6, "size": tape.size_e9 / 1e9, "side": sides}
        pq.write_table(pa.table(table), data)
        grid.write_text(_GRID_TEXT)
        words: list[str | Path] = [
            Path(sys.executable).with_name("gridkeeper"), "backtest", grid, "--data", data, "--fill", "touch",
            "--latency", "0", "--fees", "maker=-0.0002", "--no-margin", "--json",
        ]  # fmt: skip
        seconds = []
        for _ in range(ROUNDS):
            began_s = time.perf_counter()
            answered = subprocess.run(words, capture_output=True, text=True, check=True)
            seconds.append(time.perf_counter() - began_s)
        assert json.loads(answered.stdout)["fills_sha256"].startswith(EXPECTED[4])
        # From a small process of its own: a child counts what its parent held when it was forked.
        peak = subprocess.run([sys.executable, "-c", _PEAK, *words], capture_output=True, text=True, check=True).stdout
    memory_mb = int(peak) / 1024
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
    shapes = [(count, min(count - 2, 32)) for count in LEVELS] + [(101, live) for live in LIVE_ORDERS]
    rows = []
    for count, live in shapes:
        # A thousand levels roll so often that a day's SOL for transactions would be spent after a minute of this tape.
        grid = msgspec.structs.replace(
            GRID, grid_id="levels", intervals=count - 1, live_orders=live, sol_budget_lamports=0
        )
        began_s = time.perf_counter()
        ran = _run(grid, tape)
        seconds = time.perf_counter() - began_s
        fills = outcome_of(ran).fills
        per_fill_us = f"{seconds / fills * 1e6:,.0f}"
        rows.append((f"{count:,}", str(live), f"{fills:,}", f"{len(tape) / seconds:,.0f}", per_fill_us))
    columns = ("levels", "live orders", "fills", "ticks/s", "µs per fill")
    print_section("The lab: many levels, many live orders", ABOUT_LEVELS, columns, rows)


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


def _measure(regime: str, engine: str, file: Path) -> Measured:
    with np.load(file) as columns:
        tape = Columns(
            columns["ts_ns"],
            columns["cents"] * E6_PER_CENT,
            columns["lots"] * E9_PER_LOT,
            columns["side"],
            np.broadcast_to(np.int64(0), len(columns["ts_ns"])),
        )
    began_s = time.perf_counter()
    ran = _run(GRID, tape, engine="plain" if engine == "plain" else "skipping")
    seconds = time.perf_counter() - began_s
    outcome = outcome_of(ran)
    found = (regime, outcome.fills, outcome.placed, outcome.cancelled, outcome.fills_sha256[:16])
    if regime == EXPECTED[0] and len(tape) == COUNT and found != EXPECTED:
        sys.exit(f"The grid traded {found}, expected {EXPECTED}.")
    return Measured(seconds, outcome.fills, outcome.fills_sha256)


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


def _written(folder: Path, regime: str, count: int) -> Path:
    """The tape as a file that the lab and a peer can read."""
    tape, file = tape_of(regime, count), folder / f"{regime}-{count}.npz"
    cents, lots = tape.price_e6 // E6_PER_CENT, tape.size_e9 // E9_PER_LOT
    np.savez(file, ts_ns=tape.ts_ns, cents=cents, lots=lots, side=tape.side)
    return file


def _fresh_process(regime: str, engine: str, tape: Path) -> Measured:
    return _measured([sys.executable, __file__, regime, engine, tape])


def _peer_process(python: str, tape: Path) -> Measured:
    return _measured([python, PEER, tape])


def _measured(words: Sequence[str | Path]) -> Measured:
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(ran.stderr or ran.stdout)
    return msgspec.json.decode(ran.stdout.splitlines()[-1], type=Measured)


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
