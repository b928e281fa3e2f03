"""The one thread on which a service talks to its database, because the event store's library is synchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DbThread:
    """Runs blocking calls one after the other, in the order they were asked for."""

    def __init__(self, name: str = "db") -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `call` on the thread. A cancelled waiter does not cancel the call."""
        future = self._executor.submit(call, *args, **kwargs)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let the call under way end and take no more."""
        self._executor.shutdown(wait=True, cancel_futures=True)
