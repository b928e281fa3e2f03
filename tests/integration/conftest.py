"""A connection to a server that has every stream."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.streams import declare_all


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """What a test publishes by, in place of the services that are not there."""
    bus = await connect(nats_url, "test")
    await declare_all(bus, ev_max_bytes=64 * 1024 * 1024)
    yield bus
    await bus.close()
