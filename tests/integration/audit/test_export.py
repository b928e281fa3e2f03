"""What is exported from real servers: heads that reveal a cut tail, and an incident that needs no server any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gridkeeper_cli.audit_verify import verify
from gridkeeper_cli.eventlog_rebuild import rebuild_ev
from gridkeeper_core.audit.heads import KeptHeads, read_heads
from gridkeeper_core.events import WRITERS, OrderFilled
from gridkeeper_core.names import split_stream
from gridkeeper_runtime.datadir import RunFile, locked, write_run_file
from support.audited_record import SERVICES, AuditedRecord
from support.command import document, run

pytestmark = pytest.mark.servers


@pytest.fixture
def data_dir(record: AuditedRecord, tmp_path: Path) -> Iterator[Path]:
    """Of a Gridkeeper that runs on the record's servers."""
    with locked(tmp_path, "0.1.0"):
        run_file = RunFile(
            version="0.1.0",
            started_at="2026-01-01T00:00:00Z",
            supervisor_pid=1,
            nats_url=record.nats_url,
            postgres_url=record.postgres_url,
        )
        write_run_file(tmp_path, run_file)
        yield tmp_path


async def told(data_dir: Path, *arguments: str) -> Any:
    return document(await asyncio.to_thread(run, *arguments, "--json", data_dir=data_dir))


async def kept_heads(data_dir: Path) -> KeptHeads:
    file = data_dir / "heads.json"
    answer = await told(data_dir, "audit", "export", str(file), "--heads")
    assert answer["export"]["streams"] > 0
    return read_heads(file.read_bytes(), "heads.json")


async def test_a_tail_cut_off_in_both_copies_is_revealed_by_heads_kept_before(
    record: AuditedRecord, data_dir: Path
) -> None:
    heads = await kept_heads(data_dir)
    last = next(e for e in reversed(record.story.lab.log) if WRITERS[split_stream(e.stream)[0]] in SERVICES)
    app = f"{WRITERS[split_stream(last.stream)[0]]}_0"
    record.sql(
        f"DELETE FROM {app}.{app}_events WHERE originator_id = '{last.stream}' AND originator_version = {last.version}"
    )
    await rebuild_ev(record.postgres_url, record.nats_url, services=SERVICES)

    without = await verify(record.postgres_url, record.nats_url, services=SERVICES)
    report = await verify(record.postgres_url, record.nats_url, services=SERVICES, kept=heads.logs)

    assert without.ok
    assert [(f.kind, f.event, f.before) for f in report.findings] == [
        ("cut off", last.identity, f"{last.stream}@{last.version - 1}")
    ]


async def test_a_record_that_was_kept_whole_holds_against_its_heads(record: AuditedRecord, data_dir: Path) -> None:
    heads = await kept_heads(data_dir)
    assert (await verify(record.postgres_url, record.nats_url, services=SERVICES, kept=heads.logs)).ok


async def test_an_incident_is_replayed_from_its_file_when_the_servers_are_forgotten(
    record: AuditedRecord, data_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "incident.gz"
    exported = await told(data_dir, "audit", "export", str(file), "--incident", "tale")
    nowhere = tmp_path / "nowhere"

    replayed = await told(nowhere, "audit", "replay", str(file))
    decided = await told(nowhere, "audit", "replay", str(file), "--decisions")
    past = await told(nowhere, "audit", "replay", str(file), "--at", "2100-01-01")

    assert replayed["replay"]["ok"]
    assert replayed["replay"]["events"] == exported["export"]["events"] == sum(len(record.events(s)) for s in SERVICES)
    assert decided["decisions"]["ok"]
    fills = sum(isinstance(event.fact, OrderFilled) for event in record.story.lab.log)
    assert past["moment"]["grids"][0]["fills"] == fills > 0


async def test_the_past_is_the_same_in_both_copies(record: AuditedRecord, data_dir: Path) -> None:
    moment = ("--at", "2100-01-01", "--from")
    postgres = await told(data_dir, "audit", "replay", *moment, "postgres")
    ev = await told(data_dir, "audit", "replay", *moment, "ev")
    assert postgres == ev
    assert postgres["moment"]["events"] == sum(len(record.events(service)) for service in SERVICES)


async def test_neither_heads_nor_an_incident_is_wrong_usage(data_dir: Path) -> None:
    answer = await told(data_dir, "audit", "export")
    assert answer["error"]["code"] == "BAD_USAGE"
