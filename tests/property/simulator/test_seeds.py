"""Five services in one process under a seeded scheduler of faults: whatever happens, every promise holds.

`make simulate SEEDS=1000` tries more of them, `make simulate SEED=…` one again.
"""

from __future__ import annotations

import secrets

import pytest

from gridkeeper_lab.simulator.command import report
from gridkeeper_lab.simulator.run import Failure, Outcome, play
from gridkeeper_lab.simulator.tape import tape_of
from support.simulate import RULES

FIXED_SEEDS = range(40)
FRESH_SEEDS = 5


def kept(seed: int) -> Outcome:
    """The run of a seed, which must keep every promise."""
    tape = tape_of(seed)
    outcome = play(tape, RULES)
    if isinstance(outcome, Failure):
        pytest.fail(report(RULES, seed, tape, outcome), pytrace=False)
    return outcome


@pytest.mark.parametrize("seed", FIXED_SEEDS)
def test_every_promise_holds_whatever_fails(seed: int) -> None:
    outcome = kept(seed)

    assert outcome.events > 0


def test_every_promise_holds_for_seeds_nobody_has_seen() -> None:
    for _ in range(FRESH_SEEDS):
        kept(secrets.randbelow(10**9))


def test_the_fixed_seeds_meet_every_kind_of_fault() -> None:
    names = {step.name for seed in FIXED_SEEDS for step in tape_of(seed)}

    assert {"crash", "kill", "again", "skip", "unacked", "takeover", "stale", "clock"} <= names
    assert {"lose", "hold", "cut", "unsigned", "fork", "deaf", "wait", "fund", "command"} <= names


def test_two_runs_of_a_seed_are_one_run() -> None:
    assert play(tape_of(11), RULES) == play(tape_of(11), RULES)
