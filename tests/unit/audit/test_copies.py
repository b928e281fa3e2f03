"""What an audit says about single events: neighbours, the copy at fault, foreign writers, headers."""

from __future__ import annotations

import msgspec

from gridkeeper_core.audit.chain import ChainCheck
from gridkeeper_core.audit.copies import Audit
from gridkeeper_core.audit.finding import FINDINGS_KEPT, Findings
from gridkeeper_core.record import hash_of
from support.audited_log import audited, log_of, sent, spoiled

ROWS = log_of(["grid:one", "grid:two", "grid:one", "grid:one"])


def test_a_finding_names_its_neighbours_in_the_stream() -> None:
    messages = sent(ROWS)
    del messages[2]

    (found,) = audited(ROWS, messages)

    assert (found.before, found.event, found.after) == ("grid:one@1", "grid:one@2", "grid:one@3")
    assert "grid:one@2 (next to grid:one@1 and grid:one@3) in the log strategy_0, EV: missing." in found.sentence


def test_the_next_event_tells_which_copy_was_changed() -> None:
    rows = list(ROWS)
    rows[2] = msgspec.structs.replace(rows[2], state=rows[2].state.replace(b"event 3", b"event 4"))

    (found,) = audited(rows, sent(ROWS))

    assert (found.place, found.event, found.after) == ("PostgreSQL", "grid:one@2", "grid:one@3")
    assert found.detail == "The next event is chained to the bytes in EV."


def test_a_forged_event_whose_successor_was_chained_anew_still_differs_from_the_other_copy() -> None:
    first = ROWS[0].state.replace(b"event 1", b"event 9")
    old, new = hash_of(ROWS[0].state).encode(), hash_of(first).encode()
    states = [first, ROWS[1].state, ROWS[2].state.replace(old, new)]
    forged = [msgspec.structs.replace(row, state=state) for row, state in zip(ROWS, states, strict=False)]

    findings = audited(forged, sent(ROWS[:3]))

    assert [(found.kind, found.event) for found in findings] == [("differs", "grid:one@1"), ("differs", "grid:one@2")]


def test_a_stream_is_written_by_its_one_writer() -> None:
    row = log_of(["grid:one"])[0]

    found, _ = ChainCheck("execution_0", "execution").take(row)

    assert found is not None
    assert (found.kind, found.event, found.detail) == (
        "wrong writer",
        "grid:one@1",
        "Only strategy writes this stream.",
    )


def test_bytes_that_are_no_event_are_unreadable() -> None:
    row = msgspec.structs.replace(ROWS[0], state=spoiled(ROWS[0].state, 0, 1))

    found, envelope = ChainCheck("strategy_0", "strategy").take(row)

    assert found is not None
    assert (found.kind, envelope) == ("unreadable", None)


def test_a_first_event_with_a_predecessor_is_broken() -> None:
    state = ROWS[0].state.replace(b'"prev":""', b'"prev":"00"')
    assert state != ROWS[0].state

    found, _ = ChainCheck("strategy_0", "strategy").take(msgspec.structs.replace(ROWS[0], state=state))

    assert found is not None
    assert (found.kind, found.before) == ("broken", "")


def test_a_message_without_its_numbers_is_named() -> None:
    messages = sent(ROWS)
    messages[1] = msgspec.structs.replace(messages[1], id=-1)

    findings = audited(ROWS, messages)

    assert [(found.kind, found.event) for found in findings] == [
        ("unnumbered", "grid:two@1"),
        ("missing", "grid:two@1"),
    ]


def test_a_message_that_names_another_predecessor_is_named() -> None:
    messages = sent(ROWS)
    messages[3] = msgspec.structs.replace(messages[3], prev_id=1)

    (found,) = audited(ROWS, messages)

    assert (found.kind, found.event) == ("unnumbered", "grid:one@3")


def test_a_message_on_the_wrong_subject_is_named() -> None:
    messages = sent(ROWS)
    messages[3] = msgspec.structs.replace(messages[3], subject="ev.0.strategy.grid.two.grid-paused-v1")

    (found,) = audited(ROWS, messages)

    assert (found.kind, found.event) == ("mislabelled", "grid:one@3")


def test_rows_that_are_not_published_yet_are_left_out() -> None:
    messages = sent(ROWS)

    assert audited(ROWS[:3], messages[:3]) == []


def test_a_message_nobody_may_write_is_named() -> None:
    audit = Audit(("strategy",), 0)
    stranger = msgspec.structs.replace(sent(ROWS)[0], subject="ev.0.stranger.grid.one.grid-paused-v1")

    assert audit.log_of(stranger) is None
    assert audit.finding_count == 1
    assert [(found.kind, found.event) for found in audit.findings()] == [("wrong writer", "grid:one@1")]


def test_only_the_first_findings_are_kept_and_all_are_counted() -> None:
    findings = Findings()
    found = audited(ROWS, [])[0]

    kept = [findings.add(found) for _ in range(FINDINGS_KEPT + 5)]

    assert (len(findings.kept), findings.count) == (FINDINGS_KEPT, FINDINGS_KEPT + 5)
    assert kept[-1] is None
