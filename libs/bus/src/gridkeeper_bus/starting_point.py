"""Finds where on EV a producer's first event above an id lies, by halving, so that nobody has to remember it."""

from __future__ import annotations

import nats.js.errors
from nats.js.api import RawStreamMsg

from gridkeeper_bus.connection import Bus
from gridkeeper_core import names


async def first_unknown(bus: Bus, scope: str, position: int, last_sequence: int) -> int:
    """A sequence of EV at or before the first message on `scope` whose id is above `position`, and after the last
    one that is not; `last_sequence + 1` when there is none up to `last_sequence`.

    A producer's ids rise along the stream. Raises what NATS raises.
    """
    if last_sequence == 0 or position == 0:
        return 1
    low, high = 1, last_sequence + 1
    while low < high:
        middle = (low + high) // 2
        message = await _at_or_after(bus, scope, middle)
        if message is None or id_of(message) > position:
            high = middle
        else:
            assert message.seq is not None
            low = message.seq + 1
    return low


def id_of(message: RawStreamMsg) -> int:
    """The producer's id of an event on EV."""
    return int((message.headers or {})[names.HEADER_ID])


async def _at_or_after(bus: Bus, scope: str, sequence: int) -> RawStreamMsg | None:
    try:
        return await bus.js.get_msg(names.EV_STREAM, seq=sequence, subject=scope, next=True)
    except nats.js.errors.NotFoundError:
        return None
