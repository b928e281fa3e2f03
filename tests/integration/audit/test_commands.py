"""The commands around the record: exit codes, one document with --json, refusals."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridkeeper_runtime.datadir import RunFile, locked, write_run_file
from support.audited_record import SERVICES, AuditedRecord
from support.command import document, run
from support.servers import RunningNats, RunningPostgres, private_folder
from support.story import Story

pytestmark = pytest.mark.servers

CHANGE = (
    "UPDATE strategy_0.strategy_0_events SET state = set_byte(state, 60, get_byte(state, 60) # 1) "
    "WHERE originator_version = 3"
)


@pytest.fixture
def data_dir(record: AuditedRecord, tmp_path: Path) -> Iterator[Path]:
    """Of a Gridkeeper that runs on the record's servers, its services apart."""
    with locked(tmp_path, "0.1.0"):
        write_run_file(
            tmp_path,
            RunFile(
                version="0.1.0",
                started_at="2026-01-01T00:00:00Z",
                supervisor_pid=1,
                nats_url=record.nats_url,
                postgres_url=record.postgres_url,
            ),
        )
        yield tmp_path


async def test_a_whole_record_ends_with_0(record: AuditedRecord, data_dir: Path) -> None:
    result = await asyncio.to_thread(run, "audit", "verify", data_dir=data_dir)

    count = sum(len(record.events(service)) for service in SERVICES)
    assert result.exit_code == 0
    assert f"{count} events are whole, chained, and the same in both copies." in result.stdout


async def test_a_changed_event_ends_with_1_and_is_told_in_words(record: AuditedRecord, data_dir: Path) -> None:
    record.sql(CHANGE)

    result = await asyncio.to_thread(run, "audit", "verify", data_dir=data_dir)

    assert result.exit_code == 1
    assert result.stderr.startswith("CHAIN_BROKEN: grid:tale@3 (next to grid:tale@2 and grid:tale@4)")


async def test_a_changed_event_is_one_document_with_json(record: AuditedRecord, data_dir: Path) -> None:
    record.sql(CHANGE)

    result = await asyncio.to_thread(run, "audit", "verify", "--json", data_dir=data_dir)

    answer = document(result)
    assert result.exit_code == 1
    assert (answer["error"]["code"], answer["error"]["field"]) == ("CHAIN_BROKEN", "grid:tale@3")
    assert [found["event"] for found in answer["audit"]["findings"]] == ["grid:tale@3"]


async def test_a_replay_asks_the_services(record: AuditedRecord, data_dir: Path) -> None:
    result = await asyncio.to_thread(run, "audit", "replay", "--json", data_dir=data_dir)

    assert result.exit_code == 1
    assert document(result)["error"]["code"] == "SERVICE_SILENT"


@pytest.mark.parametrize("command", ["verify", "replay"])
def test_an_audit_needs_a_running_gridkeeper(command: str, tmp_path: Path) -> None:
    result = run("audit", command, "--json", data_dir=tmp_path)

    assert result.exit_code == 1
    assert document(result)["error"]["code"] == "NOT_RUNNING"


def test_a_rebuild_is_refused_while_the_data_dir_is_in_use(tmp_path: Path) -> None:
    with locked(tmp_path, "0.1.0"):
        (tmp_path / "postgres.json").write_text("{}")

        result = run("eventlog", "rebuild", "--yes", "--json", data_dir=tmp_path)

    assert result.exit_code == 1
    assert document(result)["error"]["code"] == "DATA_DIR_LOCKED"


def test_a_rebuild_needs_an_event_log(tmp_path: Path) -> None:
    result = run("eventlog", "rebuild", "--yes", "--json", data_dir=tmp_path)

    assert result.exit_code == 1
    assert document(result)["error"]["code"] == "BAD_FILE"
    assert list(tmp_path.iterdir()) == []


def test_a_rebuild_without_yes_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "postgres.json").write_text("{}")

    result = run("eventlog", "rebuild", "--json", data_dir=tmp_path)

    assert result.exit_code == 2
    assert document(result)["error"]["field"] == "--yes"
    assert [path.name for path in tmp_path.iterdir()] == ["postgres.json"]


def test_a_rebuild_starts_the_servers_of_a_stopped_gridkeeper(told: Story) -> None:
    with private_folder() as folder:
        postgres, nats = RunningPostgres(folder), RunningNats(folder)
        try:
            count = asyncio.run(_written(AuditedRecord(postgres.url, nats.url, told)))
        finally:
            postgres.stop()
            nats.stop()
        try:
            result = run("eventlog", "rebuild", "--yes", "--json", data_dir=folder)
        finally:
            shutil.rmtree(postgres.server.home.area, ignore_errors=True)

    assert result.exit_code == 0, result.output
    assert document(result)["rebuild"]["events"] == count


async def _written(record: AuditedRecord) -> int:
    await record.write()
    await record.close()
    return sum(len(record.events(service)) for service in SERVICES)
