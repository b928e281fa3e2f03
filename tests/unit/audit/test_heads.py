"""Heads that were kept elsewhere reveal what a record alone cannot: an end that was cut off, a chain made anew."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_core.audit.copies import LogAudit
from gridkeeper_core.audit.finding import Finding
from gridkeeper_core.audit.heads import KeptHeads, LogHeads, read_heads
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.record import hash_of
from support.audited_log import APP, LogRow, log_of, sent

STREAMS = ("grid:a", "grid:a", "grid:b", "grid:a", "grid:b")


def kept(rows: list[LogRow]) -> LogHeads:
    return LogHeads(head_id=rows[-1].id, streams={row.stream: (row.version, hash_of(row.state)) for row in rows})


def audited(rows: list[LogRow], heads: LogHeads) -> list[Finding]:
    audit = LogAudit("strategy", 0, heads)
    audit.add_rows(rows)
    for message in sent(rows):
        audit.take(message)
    audit.end()
    return audit.findings.kept


def test_a_record_that_only_grew_since_is_as_it_was_kept() -> None:
    rows = log_of(STREAMS)
    assert audited(rows, kept(rows[:3])) == []


def test_a_tail_that_was_cut_off_in_both_copies_is_named_with_what_lies_before_it() -> None:
    rows = log_of(STREAMS)

    found = audited(rows[:3], kept(rows))

    assert [(f.kind, f.app, f.event, f.before) for f in found] == [
        ("cut off", APP, "grid:a@3", "grid:a@2"),
        ("cut off", APP, "grid:b@2", "grid:b@1"),
    ]


def test_a_stream_that_is_gone_is_named_by_its_first_event() -> None:
    rows = log_of(STREAMS)
    found = audited([row for row in rows if row.stream == "grid:a"], kept(rows))
    assert [(f.kind, f.event, f.before) for f in found] == [("cut off", "grid:b@1", "")]


def test_a_chain_that_was_made_anew_from_another_history_is_found() -> None:
    rows = log_of(STREAMS)
    other = log_of(("grid:b", *STREAMS[:2], "grid:a", "grid:b"))

    found = audited(other, kept(rows))

    assert {(f.kind, f.event) for f in found} == {("rewritten", "grid:a@3"), ("rewritten", "grid:b@2")}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"kind": "other"}', b"\xff"])
def test_a_file_that_holds_no_heads_is_refused(content: bytes) -> None:
    with pytest.raises(GridkeeperError) as refusal:
        read_heads(content, "kept.json")
    assert (refusal.value.code, refusal.value.field) == ("BAD_FILE", "kept.json")


def test_heads_come_back_as_they_were_written() -> None:
    heads = KeptHeads(taken_at="2025-01-01T00:00:00Z", release="0.1.0", shard=0, logs={APP: kept(log_of(STREAMS))})
    assert read_heads(msgspec.json.encode(heads), "") == heads
