"""Makes sure that a task which is cancelled ends, also where a library it waits in swallows the cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

CANCEL_AGAIN_S = 0.5

T = TypeVar("T")


async def ending(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises. When cancelled, `work` is cancelled until it has ended.

    Before Python 3.12 `asyncio.wait_for`, in which the NATS client waits for answers, forgets a cancellation that comes
    together with the answer; a service that must end would then work on in part, for ever.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_AGAIN_S)
        if not task.cancelled():
            task.result()
        raise
    return task.result()
