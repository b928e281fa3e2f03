"""How fast the simulator runs: seeds per minute and events per second, on one core.

`python benchmarks/bench_simulator.py [SEEDS]`
"""

from __future__ import annotations

import sys
import time

from section import print_section

from gridkeeper_eventlog.inbox import Inbox
from gridkeeper_eventlog.journal import Journal
from gridkeeper_lab.simulator.process import Rules
from gridkeeper_lab.simulator.run import Outcome, play
from gridkeeper_lab.simulator.tape import tape_of

ABOUT = """
The cores of all five services with bus, store, venue and clock as simulated parts, under faults of every kind, on one
core. A seed is 300 steps; each event is decided, stored, carried, read, and checked against all promises.
"""


def main() -> None:
    """Plays the first seeds, and prints what they took."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    rules = Rules(inbox=Inbox, journal=Journal)
    began_s = time.perf_counter()
    outcomes = [play(tape_of(seed), rules) for seed in range(seeds)]
    spent_s = time.perf_counter() - began_s
    events = sum(outcome.events for outcome in outcomes if isinstance(outcome, Outcome))
    row = (str(seeds), f"{spent_s:.1f} s", f"{seeds * 60 / spent_s:,.0f}", f"{events:,}", f"{events / spent_s:,.0f}")
    print_section("The simulator", ABOUT, ("seeds", "time", "seeds/min", "events", "events/s"), [row])


if __name__ == "__main__":
    main()
