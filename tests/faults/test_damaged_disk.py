"""One bit on a disk is no longer what it was: it is found out, no wrong state comes of it, and EV is made anew."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from eventsourcing.persistence import InternalError

from gridkeeper_cli import audit_logs
from gridkeeper_cli.audit_verify import verify
from gridkeeper_cli.eventlog_rebuild import rebuild_ev
from support.audited_record import SERVICES, AuditedRecord
from support.servers import RunningNats, RunningPostgres
from support.story import Story
from support.toy_service import toy_service

pytestmark = pytest.mark.servers

EVENTS = "strategy_0.strategy_0_events"


@pytest.fixture
async def record(postgres_url: str, nats_server: RunningNats) -> AsyncIterator[AuditedRecord]:
    story = Story().opened_at(105).prices(103, 106, 102, 105)
    record = AuditedRecord(postgres_url, nats_server.url, story)
    await record.write()
    yield record
    await record.close()


@pytest.mark.parametrize("seed", range(3))
async def test_a_flipped_bit_of_ev_is_found_and_ev_made_anew(
    record: AuditedRecord, nats_server: RunningNats, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(audit_logs, "PUBLISHED_WITHIN_S", 0.2)
    nats_server.stop()
    (block,) = nats_server.server.folder.glob("store/jetstream/*/streams/EV/msgs/*.blk")
    _flip_a_bit(block, random.Random(seed).randrange(block.stat().st_size))
    nats_server.restart()

    report = await verify(record.postgres_url, record.nats_url, services=SERVICES)

    assert {finding.place for finding in report.findings} == {"EV"}
    rebuilt = await rebuild_ev(record.postgres_url, record.nats_url, services=SERVICES)
    assert rebuilt.verified.ok


async def test_a_flipped_bit_of_postgresql_is_an_error_and_never_a_state(postgres_server: RunningPostgres) -> None:
    async with toy_service(postgres_server.url) as service:
        await service.feed(1, 200)
    table = postgres_server.server.cluster / await asyncio.to_thread(_file_of_events, postgres_server.url)
    postgres_server.stop()
    _flip_a_bit(table, table.stat().st_size // 2)
    postgres_server.restart()

    with pytest.raises(InternalError, match="invalid page"):
        async with toy_service(postgres_server.url):
            pass


def _flip_a_bit(file: Path, at: int) -> None:
    with file.open("r+b") as handle:
        handle.seek(at)
        (byte,) = handle.read(1)
        handle.seek(at)
        handle.write(bytes([byte ^ 1]))


def _file_of_events(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"SELECT pg_relation_filepath('{EVENTS}')".encode()).fetchone()
    assert row is not None
    return str(row[0])
