"""`audit verify` on real servers: an intact record passes, and whatever a superuser changes is named."""

from __future__ import annotations

import pytest

from gridkeeper_cli import audit_logs
from gridkeeper_cli.audit_verify import VerifyReport, verify
from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError
from support.audited_record import SERVICES, AuditedRecord

pytestmark = pytest.mark.servers

ROWS = "strategy_0.strategy_0_events"


async def verified(record: AuditedRecord) -> VerifyReport:
    return await verify(record.postgres_url, record.nats_url, services=SERVICES)


def found(report: VerifyReport) -> list[tuple[str, str, str]]:
    return [(finding.kind, finding.place, finding.event) for finding in report.findings]


async def test_an_intact_record_passes_with_all_its_events(record: AuditedRecord) -> None:
    seen: list[tuple[int, int]] = []

    report = await verify(
        record.postgres_url, record.nats_url, services=SERVICES, progress=lambda done, total: seen.append((done, total))
    )

    counts = {f"{service}_0": len(record.events(service)) for service in SERVICES}
    assert report.ok
    assert {log.app: log.events for log in report.logs} == counts
    assert {log.app: log.on_ev for log in report.logs} == counts
    assert seen[-1] == (sum(counts.values()), sum(counts.values()))


async def test_a_server_that_does_not_answer_is_named(record: AuditedRecord) -> None:
    with pytest.raises(GridkeeperError, match="STORE_LOST") as refused:
        await verify("postgresql://gridkeeper@127.0.0.1:9/gridkeeper", record.nats_url, services=SERVICES)

    assert refused.value.field == "PostgreSQL"


async def test_a_row_that_was_changed_is_named_as_the_copy_at_fault(record: AuditedRecord) -> None:
    record.sql(f"UPDATE {ROWS} SET state = set_byte(state, 60, get_byte(state, 60) # 1) WHERE originator_version = 3")

    report = await verified(record)

    assert found(report) == [("differs", "PostgreSQL", "grid:tale@3")]
    error = report.error
    assert (error.code, error.field) == ("CHAIN_BROKEN", "grid:tale@3")
    assert "grid:tale@2 and grid:tale@4" in error.detail


async def test_a_row_that_was_deleted_is_named(record: AuditedRecord) -> None:
    record.sql(f"DELETE FROM {ROWS} WHERE originator_version = 4")

    report = await verified(record)

    assert found(report)[0] == ("missing", "PostgreSQL", "grid:tale@4")


async def test_a_row_that_was_moved_to_another_version_is_named(record: AuditedRecord) -> None:
    record.sql(f"UPDATE {ROWS} SET originator_version = 1000 WHERE originator_version = 2")

    report = await verified(record)

    assert found(report)[:2] == [
        ("mislabelled", "PostgreSQL", "grid:tale@1000"),
        ("missing", "PostgreSQL", "grid:tale@2"),
    ]


async def test_an_event_put_on_ev_by_hand_is_named_and_ev_is_what_to_mend(record: AuditedRecord) -> None:
    event = record.events("strategy")[-1]
    count = len(record.events("strategy"))
    subject = names.event_subject(0, "strategy", event.stream, event.topic)
    headers = {names.HEADER_APP: "strategy_0", names.HEADER_ID: str(count), names.HEADER_PREVIOUS: str(count - 1)}
    await record.publish_on_ev(subject, event.state, headers)
    await record.publish_on_ev("ev.0.stranger.x.y.z", b"{}", {})

    report = await verified(record)

    assert ("doubled", "EV", f"{event.stream}@{event.version}") in found(report)
    assert ("wrong writer", "EV", f"message {_total(record) + 2}") in found(report)
    assert "eventlog rebuild" in report.error.do


async def test_an_event_only_ev_holds_is_named(record: AuditedRecord) -> None:
    event = record.events("strategy")[-1]
    count = len(record.events("strategy"))
    record.sql(f"DELETE FROM {ROWS} WHERE notification_id = {count}")

    report = await verified(record)

    assert found(report) == [("missing", "PostgreSQL", f"{event.stream}@{event.version}")]


async def test_an_event_that_never_gets_out_is_named(record: AuditedRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_logs, "PUBLISHED_WITHIN_S", 0.2)
    copied = "(notification_id, originator_id, originator_version, topic, state)"
    record.sql(f"INSERT INTO {ROWS} {copied} SELECT 999, originator_id, 999, topic, state FROM {ROWS} LIMIT 1")

    report = await verified(record)

    assert ("missing", "EV", "grid:tale@999") in found(report)


async def test_events_that_are_published_while_it_looks_are_waited_for(record: AuditedRecord) -> None:
    async with audit_logs.opened(record.postgres_url, record.nats_url, services=SERVICES) as logs:
        asked = 0

        def is_enough() -> bool:
            nonlocal asked
            asked += 1
            return asked == 3

        batches = [batch async for batch in logs.messages(is_enough)]

    assert asked == 3
    assert sum(map(len, batches)) == _total(record)


def _total(record: AuditedRecord) -> int:
    return sum(len(record.events(service)) for service in SERVICES)
