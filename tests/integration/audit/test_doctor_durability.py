"""`gridkeeper doctor` on what a power cut could take back: PostgreSQL tells, NATS does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridkeeper_cli.doctor_durability import NATS_CONFIG, durability_checks
from gridkeeper_runtime.datadir import RunFile
from gridkeeper_runtime.embedded import EmbeddedNats
from support.servers import RunningPostgres

pytestmark = pytest.mark.servers


async def found(data_dir: Path, postgres_url: str) -> dict[str, tuple[str, str]]:
    run = RunFile(version="0.1.0", started_at="", supervisor_pid=1, nats_url="", postgres_url=postgres_url, rpc_url="")
    return {check.name: (check.status, check.told) for check in await durability_checks(data_dir, run)}


async def test_every_setting_of_postgresql_that_could_lose_a_commit_is_named(
    session_postgres: RunningPostgres, tmp_path: Path
) -> None:
    # The servers of the tests do not flush.
    checks = await found(tmp_path, session_postgres.url)
    assert checks["power cut postgresql"] == ("fail", "What was committed may be lost: fsync is off.")

    checks = await found(tmp_path, f"{session_postgres.url}?options=-c%20synchronous_commit%3Dlocal")
    assert "fsync is off, synchronous_commit is local" in checks["power cut postgresql"][1]


async def test_nats_is_judged_by_the_configuration_it_was_given(postgres_url: str, tmp_path: Path) -> None:
    assert (await found(tmp_path, postgres_url))["power cut nats"][0] == "warn"

    server = EmbeddedNats(tmp_path)
    server.prepare()
    assert (await found(tmp_path, postgres_url))["power cut nats"][0] == "ok"

    written = (tmp_path / NATS_CONFIG).read_text()
    (tmp_path / NATS_CONFIG).write_text(written.replace("sync_interval: always", "sync_interval: 10s"))
    assert (await found(tmp_path, postgres_url))["power cut nats"] == (
        "fail",
        "sync_interval is 10s: so much may be lost.",
    )
