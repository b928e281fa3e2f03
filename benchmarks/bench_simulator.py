"""How fast the simulator runs: seeds per minute and events per second, on one core.

`python benchmarks/bench_simulator.py [SEEDS]`
"""

from __future__ import annotations

import platform
import sys
import time

from gridkeeper_eventlog.inbox import Inbox
from gridkeeper_eventlog.journal import Journal
from gridkeeper_lab.simulator.process import Rules
from gridkeeper_lab.simulator.run import Outcome, play
from gridkeeper_lab.simulator.tape import tape_of


def main() -> None:
    """Plays the first seeds, and prints what they took."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    rules = Rules(inbox=Inbox, journal=Journal)
    began_s = time.perf_counter()
    outcomes = [play(tape_of(seed), rules) for seed in range(seeds)]
    spent_s = time.perf_counter() - began_s
    events = sum(outcome.events for outcome in outcomes if isinstance(outcome, Outcome))
    print(f"{platform.machine()}, Python {platform.python_version()}, one core")
    print(f"{seeds} seeds of 300 steps in {spent_s:.1f} s: {seeds * 60 / spent_s:.0f} seeds per minute")
    print(f"{events} events, {events / spent_s:.0f} per second, each decided, stored, carried, read and checked")


if __name__ == "__main__":
    main()
