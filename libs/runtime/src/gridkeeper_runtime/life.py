"""The life of a service's process: from its settings to its exit code."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
from collections.abc import Awaitable, Callable

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime import logs

Main = Callable[[asyncio.Event], Awaitable[None]]
"""What a service does until the event is set; it cleans up after itself and returns."""

GRACE_S = 8.0
"""How long an end in order may take. What it waits for may be gone itself: servers and services are often stopped at
once. Nothing is lost by ending before; what is committed and not published goes out at the next start."""
LAST_WORD_S = 12.0
"""When the process ends whatever its threads do: before whoever stops it loses patience (15 s in `deploy`), and with
the place where each of them waited."""


def run_until_stopped(main: Main, *, service: str, level: str = "info") -> int:
    """Run `main` until it returns; SIGTERM and SIGINT set its event; a second one, or 8 s, cancel it.

    Returns the exit code: 0 when it ended in order, 1 after saying in one line what went wrong.
    """
    logs.set_up(service, level=level)
    log = logs.Logger(service)
    try:
        asyncio.run(_until_stopped(main))
    except asyncio.CancelledError:
        log.error(f"Ended before it had finished: it was asked twice, or did not end within {GRACE_S:.0f} s.")
    except Exception as error:  # the outermost frame: whatever arrives here ends the process
        _say(log, error)
    else:
        return 0
    return 1


async def _until_stopped(main: Main) -> None:
    stop = asyncio.Event()
    task = asyncio.ensure_future(main(stop))
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set():
            task.cancel()
            return
        stop.set()
        loop.call_later(GRACE_S, task.cancel)
        faulthandler.dump_traceback_later(LAST_WORD_S, exit=True)

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
