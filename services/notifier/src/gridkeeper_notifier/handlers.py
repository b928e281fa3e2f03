"""Takes what was committed to every channel, in order and at least once, however long a channel is dead."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from gridkeeper_core.alerts.machine import NotifierMachine
from gridkeeper_core.alerts.policy import Policy
from gridkeeper_core.events import Digested, Sent
from gridkeeper_core.names import split_stream
from gridkeeper_core.record import Recorded
from gridkeeper_core.requests import ChannelState
from gridkeeper_core.units import NS_PER_S
from gridkeeper_notifier.metrics import DELIVERED, FAILED, WAITING
from gridkeeper_notifier.ports import Channel, DeliveryFailedError, Memory, Message
from gridkeeper_runtime.logs import Logger

RETRY_S = (1.0, 5.0, 30.0, 120.0)
"""Pauses after a failure; the last one repeats for as long as the channel is dead."""

_log = Logger("notifier")


class RetellingMachine(NotifierMachine):
    """The notifier's machine, which also shows each stored event while the log is read at start."""

    def __init__(self, policy: Policy, on_restored: Callable[[Recorded], None]) -> None:
        super().__init__(policy)
        self._on_restored = on_restored

    def restore(self, event: Recorded) -> None:
        """Fold one stored event and show it."""
        super().restore(event)
        self._on_restored(event)


class Deliveries:
    """A queue per channel, so that a dead one holds up nobody else.

    A queue is made of the log alone: at start everything stored goes in, and everything up to what the memory calls the
    last delivery goes out again. A lost memory therefore repeats messages, under their old ids, and loses none.
    """

    def __init__(self, channels: Sequence[Channel], memory: Memory, *, retry_s: Sequence[float] = RETRY_S) -> None:
        self._queues = {channel.name: _Queue(channel, memory, retry_s) for channel in channels}

    def restored(self, event: Recorded) -> None:
        """An event of the log, while it is read at start."""
        if queue := self._queue_for(event):
            queue.add(message_of(event), was_stored=True)

    def committed(self, events: list[Recorded]) -> None:
        """Events of a commit; returns at once."""
        for event in events:
            if queue := self._queue_for(event):
                queue.add(message_of(event))

    async def channels(self, _subject: str, _body: bytes) -> bytes:
        """Answers the query for a list of `ChannelState`: how far each channel has got."""
        return msgspec.json.encode([queue.state() for queue in self._queues.values()])

    def measure(self) -> None:
        """Tell the metrics how much waits."""
        for name, queue in self._queues.items():
            WAITING.labels(name).set(len(queue.messages))

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            for queue in self._queues.values():
                group.create_task(queue.run())

    def _queue_for(self, event: Recorded) -> _Queue | None:
        return self._queues.get(event.fact.channel) if isinstance(event.fact, Sent | Digested) else None


class _Queue:
    def __init__(self, channel: Channel, memory: Memory, retry_s: Sequence[float]) -> None:
        self.messages: deque[Message] = deque()
        self._channel = channel
        self._memory = memory
        self._retry_s = retry_s
        self._last = memory.last(channel.name)
        self._trouble = ""
        self._arrived = asyncio.Event()

    def add(self, message: Message, *, was_stored: bool = False) -> None:
        self.messages.append(message)
        if was_stored and message.id == self._last:
            self.messages.clear()
        self._arrived.set()

    def state(self) -> ChannelState:
        return ChannelState(
            channel=self._channel.name, waiting=len(self.messages), delivered=self._last, trouble=self._trouble
        )

    async def run(self) -> None:
        while True:
            while self.messages:
                await self._deliver(self.messages[0])
                self.messages.popleft()
            self._arrived.clear()
            await self._arrived.wait()

    async def _deliver(self, message: Message) -> None:
        failures = 0
        while not await self._try_once(message, failures):
            await asyncio.sleep(self._pause_s(failures))
            failures += 1
        await self._memory.delivered(self._channel.name, message.id)
        self._last, self._trouble = message.id, ""
        DELIVERED.labels(self._channel.name).inc()

    async def _try_once(self, message: Message, failures: int) -> bool:
        try:
            await self._channel.deliver(message)
        except DeliveryFailedError as error:
            self._trouble = str(error)
            FAILED.labels(self._channel.name).inc()
            _log.warning(
                "A message was not delivered.",
                channel=self._channel.name,
                id=message.id,
                reason=str(error),
                again_in_s=self._pause_s(failures),
                waiting=len(self.messages),
            )
            return False
        return True

    def _pause_s(self, failures: int) -> float:
        return self._retry_s[min(failures, len(self._retry_s) - 1)]


def message_of(event: Recorded) -> Message:
    """The message that a `Sent` or `Digested` of `alert:<target>` stands for."""
    fact = event.fact
    assert isinstance(fact, Sent | Digested)
    moment = datetime.fromtimestamp(event.ts_ns // NS_PER_S, UTC)
    return Message(
        id=event.identity,
        at=moment.isoformat().replace("+00:00", "Z"),
        severity=fact.severity,
        target=split_stream(event.stream)[1],
        key=fact.key,
        text=fact.text,
        count=1 if isinstance(fact, Sent) else fact.count,
        about=fact.about,
    )
