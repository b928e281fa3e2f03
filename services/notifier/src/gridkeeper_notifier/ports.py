"""What the notifier needs of the world: ways to reach people, and a memory of what has reached them."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out. `id` is the identity of the event behind it: the same one again is the same message.

    `target` is a grid, an account or a market; `about` are the identities of the events it tells of, of which there
    are `count`; `at` is ISO 8601, UTC.
    """

    id: str
    at: str
    severity: str
    target: str
    key: str
    text: str
    count: int
    about: tuple[str, ...]


class DeliveryFailedError(Exception):
    """The message is not known to have arrived: it is tried again later."""


class Channel(Protocol):
    """One way to reach people."""

    name: str

    async def deliver(self, message: Message) -> None:
        """Return when it has arrived. Raises DeliveryFailedError otherwise; it may have arrived all the same."""


class Memory(Protocol):
    """Outlives the process: the id of the last message each channel delivered."""

    def last(self, channel: str) -> str:
        """Empty where nothing was delivered yet."""

    async def delivered(self, channel: str, message_id: str) -> None:
        """Remember it before the next message goes out."""
