"""Either server may be killed ten times under a client that keeps writing; nobody helps and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import nats
import nats.errors
import nats.js.errors
import psycopg
import pytest

from gridkeeper_runtime.embedded import EmbeddedNats, EmbeddedPostgres
from gridkeeper_runtime.supervisor import Supervisor
from support.servers import FAST_SETTINGS, eventually

pytestmark = pytest.mark.servers
KILLS = 10
WRITES_BETWEEN = 5


async def test_postgres_survives_ten_kills_under_a_writing_client(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    async with _supervised_postgres(tmp_path) as (supervisor, url):
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE written (number int PRIMARY KEY)")
        writing = asyncio.create_task(_keep_inserting(url, acknowledged))

        await _kill_ten_times(supervisor, writing, lambda: len(acknowledged))

        await _end(writing)
        with psycopg.connect(url) as connection:
            stored = {number for (number,) in connection.execute("SELECT number FROM written")}
    assert set(acknowledged) <= stored


async def test_nats_survives_ten_kills_under_a_writing_client(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    async with Supervisor(tmp_path) as supervisor:
        server = EmbeddedNats(tmp_path)
        await supervisor.start_servers([server])
        client = await nats.connect(
            server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05, error_cb=_expected, ping_interval=1
        )
        stream = client.jetstream()
        await stream.add_stream(name="EV", subjects=["ev.>"])

        async def publish() -> None:
            number = len(acknowledged)
            with suppress(nats.errors.Error, nats.js.errors.Error):
                ack = await stream.publish("ev.x", str(number).encode(), timeout=0.5)
                acknowledged.append(ack.seq)

        writing = asyncio.create_task(_forever(publish))

        await _kill_ten_times(supervisor, writing, lambda: len(acknowledged))

        await _end(writing)
        await eventually(lambda: client.is_connected)
        state = (await stream.stream_info("EV")).state
        await client.close()
    assert len(set(acknowledged)) == len(acknowledged)
    assert state.first_seq == 1
    assert state.messages == state.last_seq >= max(acknowledged)


async def _kill_ten_times(supervisor: Supervisor, writing: asyncio.Task[None], done: Callable[[], int]) -> None:
    """A kill as soon as a few writes went through since the last one: the server is up and busy."""
    for _ in range(KILLS):
        before = done()
        await eventually(lambda before=before: writing.done() or done() >= before + WRITES_BETWEEN, within_s=30)
        assert not writing.done(), writing
        (status,) = supervisor.status()
        assert status.pid is not None
        os.kill(status.pid, signal.SIGKILL)
    before = done()
    await eventually(lambda: done() > before, within_s=30)
    await eventually(lambda: supervisor.status()[0].state == "running")
    assert supervisor.status()[0].restarts == KILLS


async def _keep_inserting(url: str, acknowledged: list[int]) -> None:
    number = 0
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=2) as connection:
                while True:
                    number += 1
                    await connection.execute("INSERT INTO written VALUES (%s)", (number,))
                    acknowledged.append(number)
        except psycopg.OperationalError:
            await asyncio.sleep(0.05)


async def _forever(step: Callable[[], Awaitable[None]]) -> None:
    while True:
        await step()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _expected(_: Exception) -> None:
    """The client tells of every lost connection; here they are the point."""


@asynccontextmanager
async def _supervised_postgres(data_dir: Path) -> AsyncIterator[tuple[Supervisor, str]]:
    server = EmbeddedPostgres(data_dir, settings=FAST_SETTINGS)
    try:
        async with Supervisor(data_dir) as supervisor:
            await supervisor.start_servers([server])
            yield supervisor, server.url
    finally:
        shutil.rmtree(server.home.area, ignore_errors=True)
