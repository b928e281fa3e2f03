"""Declares the streams EV and PX and checks that the server holds them as they are needed."""

from __future__ import annotations

import contextlib

import nats.js.errors
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from gridkeeper_bus.connection import Bus
from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError

GIB = 1024**3
EV_BYTES_MAX = 8 * GIB
EV_DUPLICATE_WINDOW_S = 600.0
PX_AGE_MAX_S = 3600.0
PX_BYTES_MAX = 64 * 1024 * 1024
PX_PER_MARKET_MAX = 1_000


def ev_config(
    *,
    replicas: int = 1,
    max_bytes: int = EV_BYTES_MAX,
    duplicate_window_s: float = EV_DUPLICATE_WINDOW_S,
    first_sequence: int | None = None,
) -> StreamConfig:
    """EV: every event, for ever; when it is full the publisher is refused and nothing is dropped.

    `first_sequence` is where a stream that is made now begins to count.
    """
    return StreamConfig(
        name=names.EV_STREAM,
        subjects=[names.EV_SUBJECTS],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_bytes=max_bytes,
        num_replicas=replicas,
        deny_delete=True,
        deny_purge=True,
        allow_direct=True,
        allow_atomic=True,
        duplicate_window=duplicate_window_s,
        first_seq=first_sequence,
    )


def px_config(*, replicas: int = 1) -> StreamConfig:
    """PX: prices of the last hour in memory; the latest value wins."""
    return StreamConfig(
        name=names.PX_STREAM,
        subjects=[names.PX_SUBJECTS],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.MEMORY,
        discard=DiscardPolicy.OLD,
        max_age=PX_AGE_MAX_S,
        max_bytes=PX_BYTES_MAX,
        max_msgs_per_subject=PX_PER_MARKET_MAX,
        num_replicas=replicas,
        allow_direct=True,
        duplicate_window=PX_AGE_MAX_S / 60,
    )


async def declare(bus: Bus, config: StreamConfig) -> None:
    """Make the stream where it is missing; change its size where that differs; check the rest.

    Raises GridkeeperError SERVER_FAILED when the server holds the stream otherwise than needed.
    """
    assert config.name is not None
    try:
        held = (await bus.js.stream_info(config.name)).config
    except nats.js.errors.NotFoundError:
        held = (await bus.js.add_stream(config)).config
    if (held.max_bytes, held.num_replicas) != (config.max_bytes, config.num_replicas):
        held = (await bus.js.update_stream(config)).config
    require(config, held)


async def declare_all(bus: Bus, *, replicas: int = 1, ev_max_bytes: int = EV_BYTES_MAX) -> None:
    """EV and PX."""
    await declare(bus, ev_config(replicas=replicas, max_bytes=ev_max_bytes))
    await declare(bus, px_config(replicas=replicas))


async def make_anew(bus: Bus, config: StreamConfig) -> None:
    """Delete a stream with all it holds and declare it empty: only to fill it again from PostgreSQL at once."""
    assert config.name is not None
    with contextlib.suppress(nats.js.errors.NotFoundError):
        await bus.js.delete_stream(config.name)
    await declare(bus, config)


_NEEDED = (
    "subjects",
    "retention",
    "storage",
    "discard",
    "max_bytes",
    "max_age",
    "max_msgs_per_subject",
    "num_replicas",
    "deny_delete",
    "deny_purge",
    "allow_direct",
    "allow_atomic",
    "duplicate_window",
)


def require(wanted: StreamConfig, held: StreamConfig) -> None:
    """Check a stream as the server holds it. Raises GridkeeperError SERVER_FAILED where it is not as wanted."""
    for field in _NEEDED:
        want, have = getattr(wanted, field), getattr(held, field)
        if (want or None) != (have or None):
            raise GridkeeperError(
                "SERVER_FAILED", field=f"stream {wanted.name}: {field}", value=have, expected=str(want)
            )
    # The server syncs such a stream when it likes, whatever `sync_interval` says.
    if held.persist_mode is not None and held.persist_mode.value == "async":
        raise GridkeeperError("SERVER_FAILED", field=f"stream {wanted.name}: persist_mode", value="async")
