"""A small record of strategy and execution on real servers, as their outboxes leave it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.audited_record import AuditedRecord
from support.story import Story


@pytest.fixture(scope="session")
def told() -> Story:
    """A grid that bought and sold."""
    return Story().opened_at(105).prices(103, 106, 102, 105)


@pytest.fixture
async def record(postgres_url: str, nats_url: str, told: Story) -> AsyncIterator[AuditedRecord]:
    """The story, stored and published."""
    record = AuditedRecord(postgres_url, nats_url, told)
    await record.write()
    yield record
    await record.close()
