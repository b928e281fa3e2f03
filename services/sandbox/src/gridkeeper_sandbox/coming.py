"""What faults have put off: transactions that land late and forks that take some back, by the time they are due."""

from __future__ import annotations

from typing import NamedTuple


class LateLanding(NamedTuple):
    """A transaction that reaches a leader at last."""

    data: bytes


class ForkSwitch(NamedTuple):
    """The fork with this transaction is left; `relands`: clients' transactions of it land again on the new one."""

    signature: str
    relands: bool


class Coming:
    """Kept in memory only: what was on its way is lost with the process, as it is with a node."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, LateLanding | ForkSwitch]] = []

    def add(self, due_ns: int, happening: LateLanding | ForkSwitch) -> None:
        """Puts something off to a time of the chain."""
        self._waiting.append((due_ns, happening))
        self._waiting.sort(key=lambda item: item[0])

    def next_due(self, now_ns: int) -> tuple[int, LateLanding | ForkSwitch] | None:
        """Takes the first that is due by `now_ns`."""
        return self._waiting.pop(0) if self._waiting and self._waiting[0][0] <= now_ns else None

    def forget(self) -> None:
        """Nothing is on its way any more."""
        self._waiting.clear()
