"""Runs every measurement in a process of its own and writes RESULTS.md, with the machine it was taken on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = (
    "price_to_send",
    "events_throughput",
    "replay",
    "audit_speed",
    "startup_memory",
    "bench_lab",
    "bench_simulator",
    "bench_grid_decide",
    "bench_chain",
)

HEADER = """\
<!-- Written by `make bench`. -->

# Measurements

Measured on {day}, on {cores} cores ({model}), {memory:.0f} GB, {system}, Python {python}, PostgreSQL 18 and NATS 2.15
from their wheels. One-minute load before the first measurement: {load:.1f}. Medians, with the spread behind them. A
machine that others work on at the same time, or a slow disk, shows in every number here: what holds elsewhere is the
ratios. No test depends on them.

"""


def main() -> None:
    """`bench_all.py [--peer PYTHON]`: the option is for the part that compares with another program."""
    # Before the first part, which loads the machine itself.
    sections = [_header()]
    for part in PARTS:
        print(f"== {part}", flush=True)
        words = sys.argv[1:] if part == "bench_lab" else []
        ran = subprocess.run(
            [sys.executable, HERE / f"{part}.py", *words], stdout=subprocess.PIPE, text=True, check=False
        )
        if ran.returncode != 0:
            sys.exit(f"{part} failed:\n{ran.stdout}")
        print(ran.stdout, flush=True)
        sections.append(ran.stdout)
    (HERE / "RESULTS.md").write_text("".join(sections).rstrip() + "\n", "utf-8")


def _header() -> str:
    cpus = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return HEADER.format(
        day=datetime.now(UTC).date().isoformat(),
        cores=os.cpu_count(),
        model=cpus[0].partition(":")[2].strip() if cpus else platform.machine(),
        memory=pages * page_bytes / 1e9,
        system=platform.system(),
        python=platform.python_version(),
        load=os.getloadavg()[0],
    )


if __name__ == "__main__":
    main()
