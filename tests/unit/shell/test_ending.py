"""A cancelled task ends, whatever it waits in."""

from __future__ import annotations

import asyncio

import pytest

from gridkeeper_shell import ending as module
from gridkeeper_shell.ending import ending


async def test_a_task_that_swallows_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CANCEL_AGAIN_S", 0.01)
    swallowed = 0
    released = asyncio.Event()

    async def stubborn() -> None:
        nonlocal swallowed
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    task = asyncio.create_task(ending(stubborn()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()

    try:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
    finally:
        released.set()  # or the event loop would wait for it when the test has failed
    assert swallowed == 3


async def test_what_it_returns_or_raises_passes_through() -> None:
    async def seven() -> int:
        return 7

    async def wrong() -> int:
        raise ValueError("wrong")

    assert await ending(seven()) == 7
    with pytest.raises(ValueError, match="wrong"):
        await ending(wrong())


async def test_what_goes_wrong_while_it_ends_is_not_lost() -> None:
    async def clumsy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("on the way out")

    task = asyncio.create_task(ending(clumsy()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(ValueError, match="on the way out"):
        await task
