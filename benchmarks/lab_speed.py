"""Measures how many ticks per second the simple engine trades, and checks what it traded."""

from __future__ import annotations

import subprocess
import sys
import time

from generated_ticks import COUNT, GRID, Outcome, new_lab, outcome_of, prices, ticks
from section import print_section, rate

from gridkeeper_core.inputs import ProposeGrid

ROUNDS = 3
TICKS = {"calm": COUNT, "std": COUNT, "dense": 100_000}
EXPECTED = Outcome(3434, 6894, 3428, "ae098db9092f864a")
"""For `std`, of programs that have nothing in common with this one but the rules; the hash's first 16 digits."""

ABOUT = """
One neutral grid of 100 cells, 32 live orders, on generated trades (seed 20260101): `calm` hardly fills, `std` fills
every 300 ticks or so, `dense` every ten. Strategy, execution, ledger and the venue model all see every tick; every
decision and every fill becomes events, kept in memory. Prices are made inside of the measured time. Each run is a
process of its own.
"""


def main() -> None:
    if len(sys.argv) > 1:
        print(_run(sys.argv[1]))
        return
    rows = []
    for regime, count in TICKS.items():
        runs = [_fresh_process(regime) for _ in range(ROUNDS)]
        seconds = [float(run[0]) for run in runs]
        fills, events, digest = runs[0][1:]
        rows.append((regime, f"{count:,}", rate(count, seconds), fills, events, digest))
    print_section(
        "The lab: ticks per second",
        ABOUT,
        ("prices", "ticks", "ticks/s (worst to best)", "fills", "events", "sha256"),
        rows,
    )


def _run(regime: str) -> str:
    cents, lots = ticks(regime)
    lab = new_lab()
    began_s = time.perf_counter()
    for index, price in enumerate(prices(cents, lots, TICKS[regime])):
        lab.row(price)
        if index == 0:
            lab.command("grid:perf-grid-1", ProposeGrid(config=GRID, source=""))
    seconds = time.perf_counter() - began_s
    outcome = outcome_of(lab.log)
    digest = outcome.fills_sha256[:16]
    if regime == "std" and (outcome.fills, outcome.placed, outcome.cancelled, digest) != (
        EXPECTED.fills,
        EXPECTED.placed,
        EXPECTED.cancelled,
        EXPECTED.fills_sha256,
    ):
        sys.exit(f"The grid traded {outcome}, expected {EXPECTED}.")
    return f"{seconds} {outcome.fills} {len(lab.log)} {digest}"


def _fresh_process(regime: str) -> list[str]:
    ran = subprocess.run([sys.executable, __file__, regime], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(ran.stderr or ran.stdout)
    return ran.stdout.split()


if __name__ == "__main__":
    main()
