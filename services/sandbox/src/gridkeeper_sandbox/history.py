"""What the world was before each deed that is not final: for a fork to go back to, for reads that lag behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from gridkeeper_sandbox.world import Mark


class Step(NamedTuple):
    """A deed that landed at `slot`: the world before it, the place of its first transaction, what a client sent."""

    mark: Mark
    first: int
    slot: int
    submitted: bytes | None


class History:
    """The steps that are not final, oldest first. One that does not `keep` finds nothing, at no cost."""

    def __init__(self, *, keeps: bool) -> None:
        self.keeps = keeps
        self._steps: deque[Step] = deque()

    def add(self, step: Step, final_slot: int) -> None:
        """Adds the newest step and forgets those that are final by now."""
        while self._steps and self._steps[0].slot <= final_slot:
            self._steps.popleft()
        self._steps.append(step)

    def forget(self) -> None:
        """What was done is final from now on."""
        self._steps.clear()

    def back_to(self, place: int, final_slot: int) -> list[Step]:
        """The steps from the one that landed the transaction at `place`; none where that one is final."""
        found = [step for step in self._steps if step.slot > final_slot]
        while len(found) > 1 and found[1].first <= place:
            found.pop(0)
        return found if found and found[0].first <= place else []

    def undo(self, count: int) -> list[Step]:
        """Takes the last steps away and gives them, oldest first."""
        return [self._steps.pop() for _ in range(count)][::-1]

    def at(self, slot: int) -> Mark | None:
        """The world as of a slot; None where nothing came after it."""
        return next((step.mark for step in self._later(slot)), None)

    def _later(self, slot: int) -> Iterator[Step]:
        return (step for step in self._steps if step.slot > slot)
