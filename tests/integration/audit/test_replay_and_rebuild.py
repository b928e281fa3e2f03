"""`audit replay` and `eventlog rebuild` on real servers."""

from __future__ import annotations

import pytest

from gridkeeper_bus.streams import ev_config, make_anew
from gridkeeper_cli.audit_replay import ReplayReport, replay
from gridkeeper_cli.audit_verify import verify
from gridkeeper_cli.eventlog_rebuild import rebuild_ev
from gridkeeper_core.errors import GridkeeperError
from support.audited_record import SERVICES, AuditedRecord

pytestmark = pytest.mark.servers

ROWS = "strategy_0.strategy_0_events"
PAUSE = '{"topic":"grid.paused.v1","code":"PAUSED","author":"eve","reason":""}'


async def replayed(record: AuditedRecord, *, ask_services: bool = True) -> ReplayReport:
    return await replay(record.postgres_url, record.nats_url, services=SERVICES, ask_services=ask_services)


async def test_both_copies_fold_to_what_the_services_say(record: AuditedRecord) -> None:
    await record.serve_heads()

    report = await replayed(record)

    assert report.ok
    assert [log.sources for log in report.logs] == [("postgres", "ev", "running")] * 2
    assert all(log.states and log.events for log in report.logs)


async def test_a_state_the_events_do_not_lead_to_is_named(record: AuditedRecord) -> None:
    await record.serve_heads()
    # The last event becomes another one, so the chain before it holds.
    paused = f"jsonb_set(convert_from(state, 'UTF8')::jsonb, '{{fact}}', '{PAUSE}')"
    record.sql(
        f"UPDATE {ROWS} SET state = convert_to({paused}::text, 'UTF8') "
        f"WHERE originator_version = (SELECT max(originator_version) FROM {ROWS})"
    )

    report = await replayed(record)

    assert {difference.stream for difference in report.differences} == {"grid:tale"}
    assert {difference.about for difference in report.differences} == {"state", "last event"}
    assert (report.error.code, report.error.field) == ("REPLAY_DIFFERS", "grid:tale")


async def test_without_the_services_the_copies_are_compared_with_each_other(record: AuditedRecord) -> None:
    report = await replayed(record, ask_services=False)

    assert report.ok
    assert [log.sources for log in report.logs] == [("postgres", "ev")] * 2


async def test_a_service_that_does_not_answer_is_said(record: AuditedRecord) -> None:
    with pytest.raises(GridkeeperError) as caught:
        await replayed(record)

    assert caught.value.code == "SERVICE_SILENT"


async def test_ev_made_anew_is_the_same_byte_for_byte(record: AuditedRecord) -> None:
    await make_anew(record.bus, ev_config())

    report = await rebuild_ev(record.postgres_url, record.nats_url, services=SERVICES)

    assert report.published == {f"{service}_0": len(record.events(service)) for service in SERVICES}
    assert report.verified.ok
    assert (await verify(record.postgres_url, record.nats_url, services=SERVICES)).ok


async def test_what_was_put_on_ev_by_hand_is_gone_after_a_rebuild(record: AuditedRecord) -> None:
    await record.publish_on_ev("ev.0.stranger.x.y.z", b"{}", {})

    report = await rebuild_ev(record.postgres_url, record.nats_url, services=SERVICES)

    assert report.verified.ok


async def test_a_broken_postgresql_never_replaces_ev(record: AuditedRecord) -> None:
    record.sql(f"UPDATE {ROWS} SET state = set_byte(state, 60, get_byte(state, 60) # 1) WHERE originator_version = 3")
    before = (await record.bus.js.stream_info("EV")).state

    with pytest.raises(GridkeeperError) as caught:
        await rebuild_ev(record.postgres_url, record.nats_url, services=SERVICES)

    assert (caught.value.code, caught.value.field) == ("CHAIN_BROKEN", "grid:tale@4")
    after = (await record.bus.js.stream_info("EV")).state
    assert (after.messages, after.first_seq) == (before.messages, before.first_seq)
