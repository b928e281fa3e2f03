"""When a process that ended is started again, and when it stays down."""

from __future__ import annotations

from typing import Protocol

import msgspec

EXITS_MAX = 5


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a process ended. `at_s` is monotonic; `code` is negative for the signal that killed it."""

    at_s: float
    up_s: float
    code: int
    was_ready: bool


class RestartPolicy(Protocol):
    """Told of every exit nobody asked for."""

    def pause_s(self, exit_: Exit) -> float | None:
        """Seconds to wait before the next start; None to give up."""


class ServicePolicy:
    """Waits 0.2 s, doubling up to 5 s, and gives up at the fifth exit within a minute."""

    WINDOW_S = 60.0

    def __init__(self) -> None:
        self._exits_at_s: list[float] = []

    def pause_s(self, exit_: Exit) -> float | None:
        recent = [at_s for at_s in self._exits_at_s if exit_.at_s - at_s < self.WINDOW_S]
        self._exits_at_s = [*recent, exit_.at_s]
        if len(self._exits_at_s) >= EXITS_MAX:
            return None
        return float(min(0.2 * 2 ** (len(self._exits_at_s) - 1), 5.0))


class ServerPolicy:
    """Starts a killed server again, however often; gives up when it ends by itself five times in a row.

    Everything waits for the servers, and whoever kills one wants it back; a server that cannot start is another matter.
    """

    QUICK_S = 2.0

    def __init__(self) -> None:
        self._ever_ready = False
        self._quick_exits = 0

    def pause_s(self, exit_: Exit) -> float | None:
        self._ever_ready = self._ever_ready or exit_.was_ready
        was_killed = exit_.code < 0
        if exit_.was_ready and (was_killed or exit_.up_s >= self.QUICK_S):
            self._quick_exits = 0
            return 0.0
        self._quick_exits += 1
        if self._quick_exits >= EXITS_MAX and not (was_killed and self._ever_ready):
            return None
        return min(0.1 * float(2**self._quick_exits), 2.0)
