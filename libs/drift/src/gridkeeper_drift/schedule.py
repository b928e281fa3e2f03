"""Who may ask the endpoint next: a token bucket whose tokens go to the most urgent request first."""

from __future__ import annotations

import asyncio
import heapq
from enum import IntEnum

_SHORTEST_WAIT_S = 0.001


class Priority(IntEnum):
    """Cancelling comes before placing, both before the proof of what they led to, and reading comes last."""

    CANCEL = 0
    PLACE = 1
    PROVE = 2
    READ = 3


class RequestScheduler:
    """Lets `per_second` requests through on average and `burst` at once; one per endpoint, on one event loop."""

    def __init__(self, per_second: int, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens: float = burst
        self._filled_at = 0.0
        self._not_before = 0.0
        self._waiting: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._arrivals = 0
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self, priority: Priority) -> None:
        """Returns when it is this request's turn."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._waiting, (priority, self._arrivals, future))
        self._release()
        await future

    def hold(self, seconds: float) -> None:
        """Lets nothing through for that long: the endpoint asked for it."""
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + seconds)

    def _release(self) -> None:
        now = asyncio.get_running_loop().time()
        self._fill(now)
        while self._waiting and self._tokens >= 1 and now >= self._not_before:
            _, _, future = heapq.heappop(self._waiting)
            # A caller that gave up leaves its place; it costs no token.
            if not future.done():
                self._tokens -= 1
                future.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            # Rounding may leave a wait too short to move the clock, and then the token would never be whole.
            at = max(self._not_before, now + max(_SHORTEST_WAIT_S, (1 - self._tokens) / self._per_second))
            self._timer = asyncio.get_running_loop().call_at(at, self._release)

    def _fill(self, now: float) -> None:
        gained = (now - self._filled_at) * self._per_second
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = now
