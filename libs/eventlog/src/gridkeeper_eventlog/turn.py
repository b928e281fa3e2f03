"""One turn of the processor: the inputs of one commit and what became of each."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import Input
from gridkeeper_core.record import Recorded
from gridkeeper_eventlog.journal import Answer, Stamped
from gridkeeper_eventlog.recorder import Position

Done: TypeAlias = "asyncio.Future[list[Recorded]]"


class Queued:
    """An input that waits, and whoever waits for its outcome."""

    __slots__ = ("_done", "is_passed_over", "item", "position")

    def __init__(self, item: Input, position: Position | None, done: Done) -> None:
        self.item = item
        self.position = position
        self.is_passed_over = False
        self._done = done

    def pass_over(self) -> None:
        """A newer price of the same market came before this one was looked at."""
        self.is_passed_over = True
        self.resolve([])

    def resolve(self, recorded: list[Recorded]) -> None:
        """The input is committed."""
        if not self._done.done():
            self._done.set_result(recorded)

    def fail(self, error: BaseException) -> None:
        """The input led to nothing that is recorded."""
        if self._done.done():
            return
        if isinstance(error, asyncio.CancelledError):
            self._done.cancel()
            return
        self._done.set_exception(error)
        # Most inputs have nobody who waits; asyncio must not complain about that at exit.
        self._done.exception()


class Turn:
    """Collects while the machine decides; tells everybody when the commit is done."""

    def __init__(self) -> None:
        self.stamped: list[Stamped] = []
        self.outcomes: list[tuple[Queued, list[Recorded]]] = []
        self.refused: list[tuple[Queued, GridkeeperError]] = []
        self.repeats: list[tuple[Queued, Answer]] = []
        self.failure: Exception | None = None
        self._failed_on: Queued | None = None
        self._taken: list[Queued] = []

    def take(self, queued: Queued) -> None:
        """The input belongs to this turn; its position moves with the turn's commit."""
        self._taken.append(queued)

    def end_before(self, queued: Queued, error: Exception) -> None:
        """The machine failed on this input, the last one taken: what came before it is committed without it."""
        self._taken = [taken for taken in self._taken if taken is not queued]
        self._failed_on, self.failure = queued, error

    def add(self, queued: Queued | None, stamped: list[Stamped]) -> None:
        """What an input (None: a wake) led to."""
        self.stamped += stamped
        if queued is not None:
            self.outcomes.append((queued, [s.recorded for s in stamped]))

    def steps(self) -> list[Position]:
        """One step per producer."""
        steps: dict[str, Position] = {}
        for step in (queued.position for queued in self._taken):
            if step is not None:
                earlier = steps.get(step.app)
                previous = step.previous if earlier is None else earlier.previous
                steps[step.app] = Position(app=step.app, previous=previous, id=step.id)
        return list(steps.values())

    def resolve(self) -> None:
        """Everything is committed."""
        for queued, recorded in self.outcomes:
            queued.resolve(recorded)
        for queued, refusal in self.refused:
            queued.fail(refusal)
        if self._failed_on is not None and self.failure is not None:
            self._failed_on.fail(self.failure)

    def fail(self, error: BaseException) -> None:
        """Nothing is committed."""
        for queued in (*self._taken, *([self._failed_on] if self._failed_on else [])):
            queued.fail(error)
