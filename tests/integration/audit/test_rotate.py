"""`eventlog rotate` on real servers: EV becomes small, and nothing of the record is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridkeeper_cli.audit_replay import replay
from gridkeeper_cli.audit_verify import VerifyReport, verify
from gridkeeper_cli.eventlog_rebuild import rebuild_ev
from gridkeeper_cli.eventlog_rotate import RotateReport, rotate_ev
from gridkeeper_cli.record_source import ev_source
from gridkeeper_cli.sealed_log import FOLDER
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_eventlog.recorder import Position
from gridkeeper_eventlog.store import EventStore
from support.audited_record import SERVICES, AuditedRecord

pytestmark = pytest.mark.servers

ROWS = "strategy_0.strategy_0_events"


async def rotated(record: AuditedRecord, data_dir: Path) -> RotateReport:
    return await rotate_ev(data_dir, record.postgres_url, record.nats_url, services=SERVICES)


async def verified(record: AuditedRecord, data_dir: Path) -> VerifyReport:
    return await verify(record.postgres_url, record.nats_url, services=SERVICES, data_dir=data_dir)


def read_all(record: AuditedRecord) -> None:
    """Each service has taken everything of the other."""
    ends = {f"{service}_0": store(record, f"{service}_0").head_id() for service in SERVICES}
    for reader, producer in (("strategy_0", "execution_0"), ("execution_0", "strategy_0")):
        store(record, reader).append([], [Position(app=producer, id=ends[producer], previous=0)])


def store(record: AuditedRecord, app: str) -> EventStore:
    opened = EventStore(record.postgres_url, app)
    opened.open()
    return opened


async def test_ev_begins_anew_with_the_newest_event_of_each_log_and_its_sequences_go_on(
    record: AuditedRecord, tmp_path: Path
) -> None:
    read_all(record)
    before = (await record.bus.js.stream_info("EV")).state

    report = await rotated(record, tmp_path)

    after = (await record.bus.js.stream_info("EV")).state
    assert (report.part.events, report.carried, after.messages) == (before.messages, 2, 2)
    assert after.first_seq == before.last_seq + 1
    assert report.verified.ok
    assert (await verified(record, tmp_path)).ok


async def test_what_a_reader_has_not_taken_yet_stays_on_ev(record: AuditedRecord, tmp_path: Path) -> None:
    read_all(record)
    record.sql("UPDATE execution_0.execution_0_tracking SET notification_id = 5 WHERE application_name = 'strategy_0'")

    report = await rotated(record, tmp_path)

    assert report.carried == len(record.events("strategy")) - 4 + 1
    assert report.verified.ok


async def test_states_and_order_come_out_of_the_sealed_part_and_the_stream_together(
    record: AuditedRecord, tmp_path: Path
) -> None:
    read_all(record)
    async with ev_source(record.nats_url, tmp_path) as source:
        before = [(stored.sequence, stored.body) async for stored in source.events()]

    await rotated(record, tmp_path)

    async with ev_source(record.nats_url, tmp_path) as source:
        assert [(stored.sequence, stored.body) async for stored in source.events()] == before
    report = await replay(
        record.postgres_url, record.nats_url, services=SERVICES, ask_services=False, data_dir=tmp_path
    )
    assert report.ok


async def test_without_the_sealed_part_ev_lacks_what_was_in_it(record: AuditedRecord, tmp_path: Path) -> None:
    read_all(record)
    await rotated(record, tmp_path)

    (tmp_path / FOLDER / "EV-0001.jsonl.gz").unlink()

    with pytest.raises(GridkeeperError) as caught:
        await verified(record, tmp_path)
    assert caught.value.code == "BAD_FILE"
    assert not (await verify(record.postgres_url, record.nats_url, services=SERVICES)).ok


async def test_a_row_that_was_changed_after_its_copy_was_sealed_is_named(record: AuditedRecord, tmp_path: Path) -> None:
    read_all(record)
    await rotated(record, tmp_path)
    record.sql(f"UPDATE {ROWS} SET state = set_byte(state, 60, get_byte(state, 60) # 1) WHERE originator_version = 3")

    report = await verified(record, tmp_path)

    assert ("differs", "grid:tale@3") in {(found.kind, found.event) for found in report.findings}


async def test_a_broken_record_is_not_sealed(record: AuditedRecord, tmp_path: Path) -> None:
    record.sql(f"UPDATE {ROWS} SET state = set_byte(state, 60, get_byte(state, 60) # 1) WHERE originator_version = 3")
    before = (await record.bus.js.stream_info("EV")).state.messages

    with pytest.raises(GridkeeperError) as caught:
        await rotated(record, tmp_path)

    assert caught.value.code == "CHAIN_BROKEN"
    assert (await record.bus.js.stream_info("EV")).state.messages == before
    assert not (tmp_path / FOLDER).exists()


async def test_a_rotation_with_nothing_new_is_refused(record: AuditedRecord, tmp_path: Path) -> None:
    read_all(record)
    await rotated(record, tmp_path)

    with pytest.raises(GridkeeperError) as caught:
        await rotated(record, tmp_path)

    assert caught.value.code == "BAD_USAGE"


async def test_a_rebuild_brings_everything_back_to_ev_beside_the_sealed_part(
    record: AuditedRecord, tmp_path: Path
) -> None:
    read_all(record)
    events = (await rotated(record, tmp_path)).part.events

    await rebuild_ev(record.postgres_url, record.nats_url, services=SERVICES)

    assert (await record.bus.js.stream_info("EV")).state.messages == events
    assert (await verified(record, tmp_path)).ok
