"""A service that kills itself at a named point, once: `python crashing_service.py SERVICE POINT`, settings as usual.

A point is `before` or `after`, then `sign`, `send`, or what must be in the bytes of an event that is being committed.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from gridkeeper_drift.venue import DriftVenue
from gridkeeper_eventlog.store import EventStore


def main() -> int:
    """The exit code of the service, where it never comes to the point."""
    service, (when, what) = sys.argv[1], sys.argv[2].split(" ", 1)
    if what == "sign":
        _wrap_sign(when)
    elif what == "send":
        _wrap_send(when)
    else:
        _wrap_commit(when, what.encode())
    code: int = importlib.import_module(f"gridkeeper_{service}.__main__").main()
    return code


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _wrap_sign(when: str) -> None:
    sign: Callable[..., Any] = DriftVenue.sign

    def deadly(self: DriftVenue, roll: Any) -> Any:
        if when == "before":
            _die()
        sign(self, roll)
        _die()

    DriftVenue.sign = deadly  # type: ignore[method-assign]


def _wrap_send(when: str) -> None:
    send: Callable[..., Any] = DriftVenue.send

    async def deadly(self: DriftVenue, signed: Any, *, places: bool = True) -> None:
        if when == "before":
            _die()
        await send(self, signed, places=places)
        _die()

    DriftVenue.send = deadly  # type: ignore[method-assign]


def _wrap_commit(when: str, what: bytes) -> None:
    append: Callable[..., Any] = EventStore.append

    def deadly(self: EventStore, events: Sequence[Any], positions: Sequence[Any]) -> Any:
        is_it = any(what in event.state for event in events)
        if is_it and when == "before":
            _die()
        done = append(self, events, positions)
        if is_it:
            _die()
        return done

    EventStore.append = deadly  # type: ignore[assignment,method-assign]


if __name__ == "__main__":
    sys.exit(main())
