"""Tapes are made of a seed, can be written down, and shrink to what matters."""

from __future__ import annotations

from io import StringIO

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_eventlog.inbox import Inbox
from gridkeeper_eventlog.journal import Journal
from gridkeeper_lab.simulator.command import main
from gridkeeper_lab.simulator.process import Rules
from gridkeeper_lab.simulator.run import Failure, play
from gridkeeper_lab.simulator.shrink import shrunk
from gridkeeper_lab.simulator.tape import Step, Tape, as_literal, tape_of
from support.simulate import RULES


class CarelessInbox(Inbox):
    """Takes whatever comes next, as if nothing could be missing."""

    def admit(self, app: str, event_id: int, previous: int) -> bool:
        del previous
        return event_id > self.position(app) and super().admit(app, event_id, self.position(app))


class GullibleInbox(Inbox):
    """Takes whatever comes, also again."""

    def admit(self, app: str, event_id: int, previous: int) -> bool:
        try:
            super().admit(app, event_id, previous)
        except GridkeeperError:
            return False
        return True


def test_a_seed_always_makes_the_same_tape_and_another_seed_another() -> None:
    assert tape_of(7) == tape_of(7)
    assert tape_of(7) != tape_of(8)
    assert len(tape_of(7, steps=50)) == 50
    assert "fork" in {step.name for step in tape_of(3)}
    assert "fork" not in {step.name for step in tape_of(3, with_forks=False)}


def test_a_tape_that_is_printed_can_be_pasted() -> None:
    tape = tape_of(3, steps=40)

    assert eval(as_literal(tape), {"Step": Step}) == tape


def test_a_tape_shrinks_to_the_two_steps_that_matter() -> None:
    def fails(tape: Tape) -> bool:
        names = [step.name for step in tape]
        return "fork" in names and "kill" in names[names.index("fork") :]

    tape = (*tape_of(1, steps=60), Step("fork", 1), *tape_of(2, steps=60), Step("kill", 2))

    assert [step.name for step in shrunk(tape, fails)] == ["fork", "kill"]


def test_a_service_that_goes_on_over_a_gap_is_caught() -> None:
    failure = first_failure(Rules(inbox=CarelessInbox, journal=Journal))

    assert failure.promise == "P2"


def test_a_service_that_takes_a_message_twice_is_caught() -> None:
    failure = first_failure(Rules(inbox=GullibleInbox, journal=Journal))

    assert failure.promise in ("P2", "P6", "ERROR")


def test_the_command_ends_well_when_all_is_well_and_says_how_much_it_saw() -> None:
    out = StringIO()

    assert main(RULES, ["--seeds", "2", "--first", "1", "--steps", "60"], out) == 0
    assert "2 seeds keep all promises" in out.getvalue()


def test_the_command_tells_how_to_have_a_failure_again_and_prints_a_short_tape() -> None:
    careless = Rules(inbox=CarelessInbox, journal=Journal)
    seed = next(s for s in range(1, 40) if isinstance(play(tape_of(s), careless), Failure))
    out = StringIO()

    assert main(careless, ["--seed", str(seed)], out) == 1
    assert f"make simulate SEED={seed}" in out.getvalue()
    assert out.getvalue().count("Step(") < 12


def first_failure(rules: Rules) -> Failure:
    found = (play(tape_of(seed), rules) for seed in range(1, 60))
    return next(outcome for outcome in found if isinstance(outcome, Failure))
