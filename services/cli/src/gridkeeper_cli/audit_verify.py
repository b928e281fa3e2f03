"""Proves that both copies of every log are whole, unchanged, and the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gridkeeper_cli.audit_logs import SERVICES, Logs, Progress, opened, unseen
from gridkeeper_cli.sealed_log import SealedIndex, read_index, sealed_events
from gridkeeper_core.audit.copies import Audit, LogAudit, Sent
from gridkeeper_core.audit.envelope import envelope_of
from gridkeeper_core.audit.finding import Finding
from gridkeeper_core.audit.heads import LogHeads
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.names import app_name, event_subject


class LogReport(msgspec.Struct, frozen=True, kw_only=True):
    """One log as it was found; `events` are PostgreSQL's, `on_ev` EV's."""

    app: str
    streams: int
    events: int
    on_ev: int
    head_id: int


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at and what is wrong: the first findings of each log, and how many there are."""

    logs: tuple[LogReport, ...]
    findings: tuple[Finding, ...]
    finding_count: int
    segments: int = 0

    def with_files(self, count: int, findings: Sequence[Finding]) -> VerifyReport:
        """The same, with what the files of prices are."""
        return msgspec.structs.replace(
            self,
            segments=count,
            findings=(*self.findings, *findings),
            finding_count=self.finding_count + len(findings),
        )

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.finding_count

    @property
    def error(self) -> GridkeeperError:
        """What to tell the user; the first finding is named."""
        first = self.findings[0]
        more = f" And {self.finding_count - 1} more findings." if self.finding_count > 1 else ""
        only_ev = len(self.findings) == self.finding_count and all(found.place == "EV" for found in self.findings)
        mend = "Only EV is at fault: stop Gridkeeper and run `gridkeeper eventlog rebuild`."
        keep = "Keep the data directory as it is, and restore a backup elsewhere."
        return GridkeeperError(
            "CHAIN_BROKEN",
            field=first.event,
            value=first.kind,
            detail=first.sentence + more,
            do=mend if only_ev else keep,
        )


async def verify(
    postgres_url: str,
    nats_url: str,
    shard: int = 0,
    *,
    services: Sequence[str] = SERVICES,
    progress: Progress = unseen,
    kept: Mapping[str, LogHeads] | None = None,
    data_dir: Path | None = None,
) -> VerifyReport:
    """Look at every event of the shard, once in PostgreSQL and once on EV. Raises GridkeeperError STORE_LOST.

    Services may go on working: what they write meanwhile is left out. `kept` are heads that were exported earlier, by
    app: what they name must still be there, unchanged. What was sealed in `data_dir` is looked at as part of EV; raises
    GridkeeperError BAD_FILE where a sealed file is not there or was changed.
    """
    async with opened(postgres_url, nats_url, shard, services) as logs:
        return await verify_logs(logs, progress, kept, data_dir)


async def verify_logs(
    logs: Logs,
    progress: Progress = unseen,
    kept: Mapping[str, LogHeads] | None = None,
    data_dir: Path | None = None,
) -> VerifyReport:
    """The same for logs that are open."""
    audit = Audit(tuple(logs.stores), logs.shard, kept)
    heads = await logs.head_ids()
    sealed = await _take_sealed(logs, audit, data_dir)
    total, done = await logs.last_sequence(), 0
    async for batch in logs.messages(lambda: all(audit.logs[s].on_ev_to >= head for s, head in heads.items())):
        for message in batch:
            await _take(logs, audit, message, sealed)
        done += len(batch)
        progress(done, max(done, total))
    for service, head_id in heads.items():
        await _finish(logs, service, audit.logs[service], head_id)
        audit.logs[service].end()
    reports = (_report(log, heads[service]) for service, log in audit.logs.items())
    return VerifyReport(logs=tuple(reports), findings=audit.findings(), finding_count=audit.finding_count)


async def _take_sealed(logs: Logs, audit: Audit, data_dir: Path | None) -> dict[str, int]:
    """What left EV when it was rotated is the beginning of EV; service -> id of the newest event of it."""
    index = SealedIndex() if data_dir is None else read_index(data_dir)
    if data_dir is None or not index.parts:
        return {}
    newest: dict[str, int] = {}
    for stored in sealed_events(data_dir, index):
        envelope = envelope_of(stored.body)
        stream, topic = (envelope.stream, envelope.fact.topic) if envelope is not None else ("", "")
        message = Sent(
            sequence=stored.sequence,
            subject=event_subject(logs.shard, stored.service, stream, topic),
            app=app_name(stored.service, logs.shard),
            id=stored.id,
            prev_id=newest.get(stored.service, 0),
            body=stored.body,
        )
        newest[stored.service] = stored.id
        await _take(logs, audit, message, {})
    return newest


async def _take(logs: Logs, audit: Audit, message: Sent, sealed: Mapping[str, int]) -> None:
    log = audit.log_of(message)
    if log is None:
        return
    service = log.service
    if 0 < message.id <= sealed.get(service, 0) and message.app == log.app:
        row = await logs.thread.run(logs.stores[service].select, message.id - 1, 1)
        log.take_again(message, row[0] if row else None)
        return
    while log.read_to < message.id:
        # An event is committed before it is published, so its row is there unless it was taken away.
        rows = await logs.rows(service, log.read_to)
        if not rows:
            break
        log.add_rows(rows)
    log.take(message)


async def _finish(logs: Logs, service: str, log: LogAudit, head_id: int) -> None:
    """What PostgreSQL held at the beginning is on EV by now, or it is missing there."""
    log.pass_rows(head_id)
    while log.read_to < head_id:
        rows = await logs.rows(service, log.read_to)
        if not rows:
            return
        log.add_rows(rows)
        log.pass_rows(head_id)


def _report(log: LogAudit, head_id: int) -> LogReport:
    return LogReport(
        app=log.app, streams=log.streams, events=log.rows_checked, on_ev=log.messages_checked, head_id=head_id
    )
