"""What the simulator found once stays mended."""

from __future__ import annotations

import pytest

from gridkeeper_lab.simulator.run import Failure, play
from property.simulator.regressions import FOUND
from support.simulate import RULES


@pytest.mark.parametrize("found", FOUND)
def test_a_tape_that_broke_a_promise_once_keeps_all_now(found: str) -> None:
    outcome = play(FOUND[found], RULES)

    assert not isinstance(outcome, Failure), outcome
