"""The life of a service's process: from its settings to its exit code."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime import logs

Main = Callable[[asyncio.Event], Awaitable[None]]
"""What a service does until the event is set; it cleans up after itself and returns."""


def run_until_stopped(main: Main, *, service: str, level: str = "info") -> int:
    """Run `main` until it returns; SIGTERM and SIGINT set its event, a second one cancels it.

    Returns the exit code: 0 when it ended in order, 1 after saying in one line what went wrong.
    """
    logs.set_up(service, level=level)
    log = logs.Logger(service)
    try:
        asyncio.run(_until_stopped(main))
    except asyncio.CancelledError:
        log.error("Ended before it had finished, because it was asked twice.")
    except Exception as error:  # the outermost frame: whatever arrives here ends the process
        _say(log, error)
    else:
        return 0
    return 1


async def _until_stopped(main: Main) -> None:
    stop = asyncio.Event()
    task = asyncio.ensure_future(main(stop))

    def asked() -> None:
        if stop.is_set():
            task.cancel()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    await task


def _say(log: logs.Logger, error: Exception) -> None:
    """A user's error is its own sentence; anything else is a fault of ours and comes with its traceback."""
    for leaf in leaves(error):
        if isinstance(leaf, GridkeeperError):
            log.error(str(leaf), code=leaf.code)
            return
    first = leaves(error)[0]
    log.error(f"{type(first).__name__}: {first}", cause=error)


def leaves(error: BaseException) -> list[BaseException]:
    """The errors in a group of groups, or the error itself: a task group wraps even a single one."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for member in error.exceptions for leaf in leaves(member)]
    return [error]
