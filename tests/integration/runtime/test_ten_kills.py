"""Either server may be killed ten times under a client that keeps writing; nobody helps and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
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
        stop = asyncio.Event()
        writing = asyncio.create_task(_keep_inserting(url, acknowledged, stop))

        await _kill_ten_times(supervisor, writing, lambda: len(acknowledged))

        stop.set()
        await asyncio.wait_for(writing, 30)
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

        stop = asyncio.Event()
        writing = asyncio.create_task(_repeat(publish, stop))

        await _kill_ten_times(supervisor, writing, lambda: len(acknowledged))

        stop.set()
        await asyncio.wait_for(writing, 30)
        await eventually(lambda: client.is_connected)
        state = (await stream.stream_info("EV")).state
        await client.close()
    assert len(set(acknowledged)) == len(acknowledged)
    assert state.first_seq == 1
    assert state.messages == state.last_seq >= max(acknowledged)


async def _kill_ten_times(supervisor: Supervisor, writing: asyncio.Task[None], done: Callable[[], int]) -> None:
    """A kill as soon as a few writes went through since the last one: the server is up and busy."""
    for kills in range(KILLS):
        await eventually(partial(_is_running, supervisor, restarts=kills), within_s=30)
        enough = done() + WRITES_BETWEEN
        await eventually(partial(_has_written, writing, done, enough), within_s=30)
        assert not writing.done(), writing
        pid = supervisor.status()[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    await eventually(lambda: _is_running(supervisor, restarts=KILLS), within_s=30)
    before = done()
    await eventually(lambda: done() > before, within_s=30)


def _is_running(supervisor: Supervisor, *, restarts: int) -> bool:
    (status,) = supervisor.status()
    return status.state == "running" and status.pid is not None and status.restarts == restarts


async def _keep_inserting(url: str, acknowledged: list[int], stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        try:
            async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=2) as connection:
                while not stop.is_set():
                    number += 1
                    await connection.execute("INSERT INTO written VALUES (%s)", (number,))
                    acknowledged.append(number)
        except psycopg.OperationalError:
            await asyncio.sleep(0.05)


async def _repeat(step: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    while not stop.is_set():
        await step()


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


def _has_written(writing: asyncio.Task[None], done: Callable[[], int], enough: int) -> bool:
    return writing.done() or done() >= enough
