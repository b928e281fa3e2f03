"""Runs many seeds of the simulator, tells how it goes, and how to have each failure again."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TextIO

from gridkeeper_lab.simulator.process import Rules
from gridkeeper_lab.simulator.run import Failure, Outcome, play
from gridkeeper_lab.simulator.shrink import shrunk
from gridkeeper_lab.simulator.tape import Tape, as_literal, tape_of

TELL_EVERY_S = 5.0
FAILURES_SHOWN = 3


def main(rules: Rules, arguments: Sequence[str], out: TextIO = sys.stdout) -> int:
    """0 when every seed kept all promises, 1 when one did not."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds, from --first on")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=None, help="this one only, told step by step")
    parser.add_argument("--steps", type=int, default=300, help="how long each tape is")
    parser.add_argument("--no-forks", action="store_true", help="leave forks out, which every third seed has")
    options = parser.parse_args(arguments)
    make = partial(tape_of, steps=options.steps, with_forks=not options.no_forks)
    if options.seed is not None:
        return _one(rules, options.seed, make(options.seed), out)
    return _many(rules, range(options.first, options.first + options.seeds), make, out)


def report(rules: Rules, seed: int, tape: Tape, failure: Failure) -> str:
    """What a failure was, how to replay it, and the shortest tape that fails alike."""

    def fails_alike(candidate: Tape) -> bool:
        again = play(candidate, rules)
        return isinstance(again, Failure) and again.promise == failure.promise

    short = shrunk(tape, fails_alike)
    told = play(short, rules)
    return "\n".join(
        (
            f"seed {seed} breaks {failure.detail}",
            f"  at step {failure.at} of {len(tape)}; again: make simulate SEED={seed}",
            f"  the shortest tape that fails alike has {len(short)} steps, and breaks {_detail(told)}",
            as_literal(short),
        )
    )


def _one(rules: Rules, seed: int, tape: Tape, out: TextIO) -> int:
    outcome = play(tape, rules)
    if isinstance(outcome, Failure):
        print(report(rules, seed, tape, outcome), file=out)
        return 1
    print(f"seed {seed} keeps all promises: {_told([outcome])}", file=out)
    return 0


def _many(rules: Rules, seeds: range, make: Callable[[int], Tape], out: TextIO) -> int:
    began_s = told_s = time.monotonic()
    good: list[Outcome] = []
    failed: list[int] = []
    for seed in seeds:
        tape = make(seed)
        outcome = play(tape, rules)
        if isinstance(outcome, Outcome):
            good.append(outcome)
        else:
            failed.append(seed)
            short = len(failed) > FAILURES_SHOWN
            text = f"seed {seed} breaks {outcome.detail}" if short else report(rules, seed, tape, outcome)
            print(text, file=out, flush=True)
        if time.monotonic() - told_s >= TELL_EVERY_S:
            told_s = time.monotonic()
            print(f"{len(good) + len(failed)} of {len(seeds)} seeds, {len(failed)} failed", file=out, flush=True)
    spent_s = time.monotonic() - began_s
    print(f"{len(good)} seeds keep all promises: {_told(good)}", file=out)
    print(f"{spent_s:.1f} s, {len(seeds) * 60 / max(spent_s, 0.001):.0f} seeds per minute", file=out)
    if failed:
        print(f"{len(failed)} seeds do not: {', '.join(map(str, failed))}", file=out)
    return 1 if failed else 0


def _told(outcomes: Sequence[Outcome]) -> str:
    names = ("events", "restarts", "fenced", "forks", "landed")
    sums = ", ".join(f"{sum(getattr(outcome, name) for outcome in outcomes)} {name}" for name in names)
    return f"{sums}, well again after at most {max((o.caught_up_s for o in outcomes), default=0)} simulated seconds"


def _detail(told: Outcome | Failure) -> str:
    return told.detail if isinstance(told, Failure) else "nothing now"
