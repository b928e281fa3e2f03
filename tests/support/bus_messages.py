"""Messages of a producer as its outbox would hand them to the bus."""

from __future__ import annotations

import asyncio

import msgspec

from gridkeeper_bus.reader import BusMessage, EventReader
from support.toy_machine import account_log

READ_WITHIN_S = 20.0


class ToyMessage(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way out."""

    id: int
    prev_id: int
    stream: str
    topic: str
    body: bytes


def toy_messages(first: int, last: int) -> list[ToyMessage]:
    """Events `first` to `last` of one account's log, whose ids are their versions."""
    return [
        ToyMessage(id=e.version, prev_id=e.version - 1, stream=e.stream, topic="account.halted.v1", body=body)
        for e, body in account_log(last)[first - 1 :]
    ]


async def read(reader: EventReader, count: int) -> list[BusMessage]:
    """The next messages, at least `count`. Raises TimeoutError when so many do not come."""
    messages: list[BusMessage] = []
    async with asyncio.timeout(READ_WITHIN_S):
        while len(messages) < count:
            messages += await reader.next_batch()
    return messages
