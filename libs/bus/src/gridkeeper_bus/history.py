"""Reads stored events of EV for a person who looks: the last ones, a certain one, or each new one as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.reader import BusMessage
from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError

FETCH_MESSAGES = 200
FETCH_WAIT_S = 1.0
FORGOTTEN_AFTER_S = 60.0


class Page(msgspec.Struct, frozen=True):
    """Messages in EV's order, and the sequence from which later ones can be followed."""

    messages: tuple[BusMessage, ...]
    next_sequence: int


def subjects_of(stream: str = "", topics: Sequence[str] = ()) -> list[str]:
    """The subjects of one stream's events, of some topics, or of both; all events where nothing is given."""
    kind, name = names.split_stream(stream) if stream else ("*", "*")
    name = name.replace(":", "-")
    tails = [topic.replace(".", "-").replace("_", "-") for topic in topics] or [">"]
    return [f"ev.*.*.{kind}.{name}.{tail}" for tail in tails]


async def read_last(bus: Bus, subjects: Sequence[str], count: int) -> Page:
    """The last `count` messages on the subjects, oldest first. Raises GridkeeperError STORE_LOST."""
    try:
        last = await _last_sequence(bus)
        start = await _start_of_last(bus, subjects, count, last)
        return Page(await _read_from(bus, subjects, start, count), last + 1)
    except (nats.errors.Error, TimeoutError) as e:
        raise _lost(e) from e


async def read_version(bus: Bus, stream: str, version: int) -> BusMessage | None:
    """One event of one stream (versions count from 1); None where EV has none. Raises GridkeeperError STORE_LOST."""
    subjects = subjects_of(stream)
    try:
        last = await _last_sequence(bus)
        total = await _count_from(bus, subjects, 1) if last else 0
        if not 1 <= version <= total:
            return None
        # Each version is on EV once, and a stream's versions rise along EV.
        start = await _start_of_last(bus, subjects, total - version + 1, last)
        messages = await _read_from(bus, subjects, start, 1)
    except (nats.errors.Error, TimeoutError) as e:
        raise _lost(e) from e
    return messages[0] if messages else None


async def follow(bus: Bus, subjects: Sequence[str], start_sequence: int) -> AsyncGenerator[BusMessage, None]:
    """Each message from `start_sequence` on, for ever. Raises GridkeeperError STORE_LOST."""
    try:
        async with _consumer(bus, subjects, start_sequence) as (info, subscription):
            assert info.name
            while True:
                try:
                    arrived = await subscription.fetch(FETCH_MESSAGES, timeout=FETCH_WAIT_S)
                except TimeoutError:
                    continue
                for message in arrived:
                    yield _read(message)
    except (nats.errors.Error, nats.js.errors.APIError, TimeoutError) as e:
        raise _lost(e) from e


async def _last_sequence(bus: Bus) -> int:
    return (await bus.js.stream_info(names.EV_STREAM)).state.last_seq


async def _start_of_last(bus: Bus, subjects: Sequence[str], count: int, last_sequence: int) -> int:
    """The highest sequence from which at least `count` messages follow; 1 where there are not so many."""
    low, high = 1, max(1, last_sequence)
    while low < high:
        middle = (low + high + 1) // 2
        if await _count_from(bus, subjects, middle) >= count:
            low = middle
        else:
            high = middle - 1
    return low


async def _count_from(bus: Bus, subjects: Sequence[str], sequence: int) -> int:
    info = await bus.js.add_consumer(names.EV_STREAM, _config(subjects, sequence))
    await bus.js.delete_consumer(names.EV_STREAM, info.name)
    return info.num_pending or 0


async def _read_from(bus: Bus, subjects: Sequence[str], sequence: int, count: int) -> tuple[BusMessage, ...]:
    messages: list[BusMessage] = []
    async with _consumer(bus, subjects, sequence) as (info, subscription):
        wanted = min(count, info.num_pending or 0)
        while len(messages) < wanted:
            batch = min(FETCH_MESSAGES, wanted - len(messages))
            messages += [_read(m) for m in await subscription.fetch(batch, timeout=FETCH_WAIT_S)]
    return tuple(messages)


@asynccontextmanager
async def _consumer(
    bus: Bus, subjects: Sequence[str], sequence: int
) -> AsyncIterator[tuple[ConsumerInfo, JetStreamContext.PullSubscription]]:
    info = await bus.js.add_consumer(names.EV_STREAM, _config(subjects, sequence))
    subscription = await bus.js.pull_subscribe_bind(consumer=info.name, stream=names.EV_STREAM)
    try:
        yield info, subscription
    finally:
        if bus.ready:
            await subscription.unsubscribe()
            await bus.js.delete_consumer(names.EV_STREAM, info.name)


def _config(subjects: Sequence[str], sequence: int) -> ConsumerConfig:
    return ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=sequence,
        ack_policy=AckPolicy.NONE,
        filter_subjects=list(subjects),
        inactive_threshold=FORGOTTEN_AFTER_S,
        mem_storage=True,
        num_replicas=1,
    )


def _read(message: Msg) -> BusMessage:
    headers = message.headers or {}
    return BusMessage(
        headers[names.HEADER_APP],
        int(headers[names.HEADER_ID]),
        int(headers[names.HEADER_PREVIOUS]),
        message.subject,
        message.metadata.sequence.stream,
        message.data,
    )


def _lost(error: Exception) -> GridkeeperError:
    return GridkeeperError("STORE_LOST", field="NATS", detail=f"EV cannot be read: {error or type(error).__name__}")
