"""What ends a simulated life or a simulated run."""

from __future__ import annotations


class BrokenPromiseError(Exception):
    """Something that must hold does not: the run found a bug. `promise` is its short name, such as P3."""

    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(f"{promise}: {detail}")
        self.promise = promise


class DiedError(Exception):
    """A process ends here: it was killed, or refuses to go on."""


class FencedError(DiedError):
    """Somebody else writes the same log."""


def demand(holds: object, promise: str, detail: str) -> None:
    """Raise BrokenPromiseError unless it holds."""
    if not holds:
        raise BrokenPromiseError(promise, detail)
