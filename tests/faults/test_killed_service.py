"""A service that is killed at any moment, or runs twice, decides on every input once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.reader import EventReader
from gridkeeper_bus.streams import declare, ev_config
from gridkeeper_core.events import GridPaused
from gridkeeper_core.record import decode
from gridkeeper_eventlog.store import EventStore, StoredRow
from support import toy_worker
from support.bus_messages import read, toy_messages
from support.servers import RunningNats, eventually
from support.toy_machine import APP, PRODUCER_SERVICE, SERVICE

pytestmark = pytest.mark.servers

TESTS = Path(__file__).resolve().parents[1]


@asynccontextmanager
async def bus_at(url: str) -> AsyncIterator[Bus]:
    bus = await connect(url, "test")
    await declare(bus, ev_config(max_bytes=64 * 1024 * 1024))
    try:
        yield bus
    finally:
        await bus.close()


@contextmanager
def worker(postgres_url: str, nats_url: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, str(TESTS / "support/toy_worker.py"), postgres_url, nats_url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_a_service_killed_in_mid_work_decides_on_every_input_once(
    postgres_url: str, nats_server: RunningNats
) -> None:
    count = 0
    async with bus_at(nats_server.url) as bus:
        producer, outcome = JetStreamPublisher(bus, service=PRODUCER_SERVICE), JetStreamPublisher(bus, service=SERVICE)
        for _ in range(4):
            with worker(postgres_url, nats_server.url):
                before = await outcome.last_published()
                for _ in range(20):
                    await producer.publish(toy_messages(count + 1, count + 50))
                    count += 50
                # Killed as soon as it does anything, with most of its input still before it.
                await eventually(lambda before=before: _has_passed(outcome, before), within_s=20)  # type: ignore[misc]
        with worker(postgres_url, nats_server.url):
            await eventually(lambda: _has_caught_up(outcome, postgres_url, count), within_s=20)

        rows = await asyncio.to_thread(_rows, postgres_url)
        assert _echoed(rows) == [f"account:main@{n}" for n in range(1, count + 1)]
        assert await _published(bus, count) == [(row.id, row.state) for row in rows]


async def test_of_two_copies_of_a_service_one_is_fenced_and_exits(postgres_url: str, nats_server: RunningNats) -> None:
    async with bus_at(nats_server.url) as bus:
        producer = JetStreamPublisher(bus, service=PRODUCER_SERVICE)
        with worker(postgres_url, nats_server.url) as first, worker(postgres_url, nats_server.url) as second:
            count = 0
            while first.poll() is None and second.poll() is None:
                await producer.publish(toy_messages(count + 1, count + 10))
                count += 10
                await asyncio.sleep(0.02)
            ended, living = (first, second) if first.poll() is not None else (second, first)
            assert ended.returncode == toy_worker.FENCED_EXIT
            outcome = JetStreamPublisher(bus, service=SERVICE)
            await eventually(lambda: _has_caught_up(outcome, postgres_url, count))
            assert living.poll() is None

        rows = await asyncio.to_thread(_rows, postgres_url)
        assert _echoed(rows) == [f"account:main@{n}" for n in range(1, count + 1)]
        assert await _published(bus, count) == [(row.id, row.state) for row in rows]


async def test_a_service_that_was_frozen_while_another_took_over_writes_nothing(
    postgres_url: str, nats_server: RunningNats
) -> None:
    async with bus_at(nats_server.url) as bus:
        producer, outcome = JetStreamPublisher(bus, service=PRODUCER_SERVICE), JetStreamPublisher(bus, service=SERVICE)
        with worker(postgres_url, nats_server.url) as old:
            await producer.publish(toy_messages(1, 50))
            await eventually(lambda: _has_passed(outcome, 0), within_s=20)
            await eventually(lambda: _has_caught_up(outcome, postgres_url, 50), within_s=20)
            old.send_signal(signal.SIGSTOP)
            await producer.publish(toy_messages(51, 100))
            with worker(postgres_url, nats_server.url) as new:
                await eventually(lambda: _has_caught_up(outcome, postgres_url, 100), within_s=20)
                before = await asyncio.to_thread(_rows, postgres_url)

                # What came meanwhile lies before the old one as before the new one: its first write is refused.
                old.send_signal(signal.SIGCONT)
                assert await asyncio.to_thread(old.wait, 20) == toy_worker.FENCED_EXIT

                assert await asyncio.to_thread(_rows, postgres_url) == before
                assert new.poll() is None
                await producer.publish(toy_messages(101, 110))
                await eventually(lambda: _has_caught_up(outcome, postgres_url, 110))

        rows = await asyncio.to_thread(_rows, postgres_url)
        assert _echoed(rows) == [f"account:main@{n}" for n in range(1, 111)]
        assert await _published(bus, 110) == [(row.id, row.state) for row in rows]


async def _has_passed(publisher: JetStreamPublisher, event_id: int) -> bool:
    return await publisher.last_published() > event_id


async def _has_caught_up(publisher: JetStreamPublisher, url: str, count: int) -> bool:
    rows = await asyncio.to_thread(_rows, url)
    return len(rows) == count and await publisher.last_published() == rows[-1].id


async def _published(bus: Bus, count: int) -> list[tuple[int, bytes]]:
    reader = EventReader(bus, [(SERVICE, 0)], {})
    messages = await read(reader, count)
    await reader.close()
    return [(message.id, message.body) for message in messages]


def _rows(url: str) -> list[StoredRow]:
    store = EventStore(url, APP)
    rows = store.select(0, 1_000_000)
    store.close()
    return rows


def _echoed(rows: list[StoredRow]) -> list[str]:
    facts = [decode(row.state).fact for row in rows]
    return [fact.reason for fact in facts if isinstance(fact, GridPaused)]
