"""A second PostgreSQL server that follows the first one and can be promoted in its place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg

from gridkeeper_runtime.embedded import EmbeddedPostgres
from gridkeeper_runtime.embedded.server import Endpoint
from gridkeeper_runtime.ports import choose_port
from support.servers import FAST_SETTINGS, RunningPostgres, private_folder

NAME = "standby"


class Standby(EmbeddedPostgres):
    """Begins as a copy of `primary` as it is now, and streams what comes after."""

    def __init__(self, data_dir: Path, primary: EmbeddedPostgres) -> None:
        super().__init__(data_dir, settings=FAST_SETTINGS)
        self._source = f"{primary.url}?application_name={NAME}"
        endpoint = Endpoint(port=choose_port(), password=primary.endpoint.password)
        (data_dir / f"{self.name}.json").write_bytes(msgspec.json.encode(endpoint))

    def promote(self) -> None:
        """Take writes from now on, on what has arrived."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            assert connection.execute("SELECT pg_promote(true, 20)").fetchone() == (True,)

    def _make_cluster(self) -> None:
        copy = ["pg_basebackup", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", self._source]
        self._run([*copy, "-D", str(self.cluster)])


@contextmanager
def running_standby(primary: RunningPostgres) -> Iterator[Standby]:
    """It follows `primary` without holding it up."""
    with private_folder() as folder:
        standby = Standby(folder, primary.server)
        try:
            standby.start()
            yield standby
        finally:
            standby.stop()
            shutil.rmtree(standby.home.area, ignore_errors=True)


def wait_for_standby(primary: RunningPostgres) -> None:
    """From now on the primary answers a commit only when the standby has it, too."""
    with psycopg.connect(primary.url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{NAME}'".encode())
        connection.execute("SELECT pg_reload_conf()")


def has_everything_of(primary: RunningPostgres) -> bool:
    """Whether the standby has all that was written so far."""
    with psycopg.connect(primary.url, autocommit=True) as connection:
        row = connection.execute("SELECT replay_lsn >= pg_current_wal_lsn() FROM pg_stat_replication").fetchone()
    return row == (True,)
