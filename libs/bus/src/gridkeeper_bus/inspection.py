"""Looks at streams as the server holds them, message by message, without changing anything."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.streams import ev_config, px_config, require
from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError

FETCH_MESSAGES = 1_000
FETCH_WAIT_S = 5.0
SILENCES = 2
"""So often a server that answers may give nothing before it is believed to have no more."""
FORGOTTEN_AFTER_S = 60.0


class RawMessage(msgspec.Struct, frozen=True, gc=False):
    """A message as it lies in the stream, also one that no service of ours would write."""

    sequence: int
    subject: str
    headers: dict[str, str]
    body: bytes


class HeldStream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's size and end; `trouble` says where it is set up otherwise than needed, empty where it is not."""

    name: str
    messages: int
    stored_bytes: int
    max_bytes: int
    last_sequence: int
    trouble: str


async def held_stream(bus: Bus, name: str) -> HeldStream:
    """EV or PX as the server holds it. Raises GridkeeperError STORE_LOST, also where there is no such stream."""
    try:
        info = await bus.js.stream_info(name)
    except (nats.errors.Error, TimeoutError) as error:
        raise _lost(name, error) from error
    held = info.config
    replicas, max_bytes = held.num_replicas or 1, held.max_bytes or -1
    needed = ev_config(replicas=replicas, max_bytes=max_bytes)
    if name == names.PX_STREAM:
        needed = px_config(replicas=replicas)
    trouble = ""
    try:
        require(needed, held)
    except GridkeeperError as error:
        trouble = f"{error.field} is {error.value}, expected {error.expected}"
    return HeldStream(
        name=name,
        messages=info.state.messages,
        stored_bytes=info.state.bytes,
        max_bytes=max_bytes,
        last_sequence=info.state.last_seq,
        trouble=trouble,
    )


async def read_raw(bus: Bus, subject: str, first: int, last: int) -> AsyncGenerator[list[RawMessage], None]:
    """Every message of EV on the subject (wildcards allowed) from sequence `first` to `last`, in batches.

    Raises GridkeeperError STORE_LOST, also when one was lost on the way here.
    """
    try:
        async for batch in _batches(bus, subject, first, last):
            yield batch
    except (nats.errors.Error, TimeoutError) as error:
        raise _lost(names.EV_STREAM, error) from error


async def _batches(bus: Bus, subject: str, first: int, last: int) -> AsyncGenerator[list[RawMessage], None]:
    if last < first:
        return
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=first,
        ack_policy=AckPolicy.NONE,
        filter_subject=subject,
        inactive_threshold=FORGOTTEN_AFTER_S,
        mem_storage=True,
        num_replicas=1,
    )
    info = await bus.js.add_consumer(names.EV_STREAM, config)
    subscription = await bus.js.pull_subscribe_bind(consumer=info.name, stream=names.EV_STREAM)
    left, taken = info.num_pending or 0, 0
    try:
        while left > 0:
            arrived = await _fetch(bus, subscription, min(FETCH_MESSAGES, left))
            if not arrived:
                return
            batch = [_read(message, taken + number) for number, message in enumerate(arrived, start=1)]
            taken, left = taken + len(batch), left - len(batch)
            yield [message for message in batch if message.sequence <= last]
            if batch[-1].sequence >= last:
                break
    finally:
        if bus.ready:
            await subscription.unsubscribe()
            await bus.js.delete_consumer(names.EV_STREAM, info.name)


async def _fetch(bus: Bus, subscription: JetStreamContext.PullSubscription, count: int) -> list[Msg]:
    """The next messages; none where the server answers and has no more to give than it counts.

    It passes over what it cannot read on its disk, and counts it all the same: whoever asked finds what is missing.
    """
    for _ in range(SILENCES):
        try:
            return list(await subscription.fetch(count, timeout=FETCH_WAIT_S))
        except TimeoutError:
            await bus.js.stream_info(names.EV_STREAM)
    return []


def _read(message: Msg, delivery: int) -> RawMessage:
    sequence = message.metadata.sequence
    if sequence.consumer != delivery:
        raise GridkeeperError("STORE_LOST", field="NATS", detail=f"Message {delivery} of the consumer was lost.")
    return RawMessage(sequence.stream, message.subject, dict(message.headers or {}), message.data)


def _lost(name: str, error: Exception) -> GridkeeperError:
    return GridkeeperError("STORE_LOST", field="NATS", detail=f"{name} cannot be read: {error or type(error).__name__}")
