"""Real servers for tests: each with its own folder and port, gone when the test is over."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from gridkeeper_runtime.embedded import EmbeddedNats, EmbeddedPostgres

# A power cut is not among the faults these tests make; without the flushes they take half the time.
FAST_SETTINGS = {"fsync": "off", "shared_buffers": "32MB"}
_database_numbers = itertools.count(1)


class RunningNats:
    """A nats-server of one test."""

    def __init__(self, data_dir: Path) -> None:
        self.server = EmbeddedNats(data_dir)
        self.server.start()

    @property
    def url(self) -> str:
        """With user and password; the same after a restart."""
        return self.server.url

    def kill(self) -> None:
        """`kill -9`; `restart` brings it back with what it had stored."""
        self.server.kill()

    def restart(self) -> None:
        """Stop (where still alive) and start on the same port and store."""
        self.server.stop()
        self.server.start()

    def stop(self) -> None:
        """End in order."""
        self.server.stop()


class RunningPostgres:
    """A PostgreSQL server; `new_database` gives each test its own database."""

    def __init__(self, data_dir: Path) -> None:
        self.server = EmbeddedPostgres(data_dir, settings=FAST_SETTINGS)
        self.server.start()

    @property
    def url(self) -> str:
        """Of the database `gridkeeper`; the same after a restart."""
        return self.server.url

    def kill(self) -> None:
        """`kill -9` of the postmaster; `restart` recovers what was committed."""
        self.server.kill()

    def restart(self) -> None:
        """Stop (where still alive) and start on the same port and cluster."""
        self.server.stop()
        self.server.start()

    def stop(self) -> None:
        """End in order."""
        self.server.stop()

    def new_database(self) -> str:
        """Make an empty database and return its name."""
        name = f"test_{os.getpid()}_{next(_database_numbers)}"
        self._administer(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def drop_database(self, name: str) -> None:
        """Drop it, also under sessions a test left open."""
        self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def private_folder() -> Iterator[Path]:
    """A short-named folder (sockets have short names), removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="gk-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_nats() -> Iterator[RunningNats]:
    """A fresh nats-server."""
    with private_folder() as folder:
        running = RunningNats(folder)
        try:
            yield running
        finally:
            running.stop()


@contextmanager
def running_postgres() -> Iterator[RunningPostgres]:
    """A fresh cluster, removed afterwards also where it lies outside of the folder (as root)."""
    with private_folder() as folder:
        running = RunningPostgres(folder)
        try:
            yield running
        finally:
            running.stop()
            shutil.rmtree(running.server.home.area, ignore_errors=True)


async def eventually(condition: Callable[[], Awaitable[bool] | bool], *, within_s: float = 10.0) -> None:
    """Wait until the condition holds; fail when it does not `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return
        assert time.monotonic() < deadline, f"did not come true within {within_s} s"
        await asyncio.sleep(0.02)
