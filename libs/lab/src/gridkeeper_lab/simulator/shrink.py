"""Makes a tape that breaks a promise as short as it can be."""

from __future__ import annotations

from collections.abc import Callable

from gridkeeper_lab.simulator.tape import Tape

RUNS_MAX = 600


def shrunk(tape: Tape, still_fails: Callable[[Tape], bool], runs: int = RUNS_MAX) -> Tape:
    """Leaves out ever smaller parts of the tape as long as the rest fails alike, in at most so many runs.

    Steps mean something whatever came before them, so that any part can be left out.
    """
    size = len(tape)
    while size and runs > 0:
        at, is_shorter = 0, False
        while at < len(tape) and runs > 0:
            candidate = tape[:at] + tape[at + size :]
            runs -= 1
            if still_fails(candidate):
                tape, is_shorter = candidate, True
            else:
                at += size
        if not is_shorter or size > 1:
            size //= 2
    return tape
