"""Whatever is done to one event of a record, the audit finds it and names it; an intact record has no findings."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core.audit.chain import ChainCheck
from gridkeeper_core.audit.finding import Finding
from support.audited_log import LogRow, audited, log_of, sent, spoiled

STREAMS = st.sampled_from(["grid:one", "grid:two", "grid:three"])
LOGS = st.builds(
    lambda streams, step: log_of(streams, id_step=step), st.lists(STREAMS, min_size=2, max_size=25), st.integers(1, 3)
)
PLACES = st.integers(min_value=0, max_value=10_000)
FLIPS = st.integers(min_value=1, max_value=255)


def chained(rows: list[LogRow]) -> list[Finding]:
    check = ChainCheck("strategy_0", "strategy")
    return [found for found, _ in map(check.take, rows) if found is not None]


@given(LOGS)
def test_an_intact_log_has_no_findings(rows: list[LogRow]) -> None:
    assert audited(rows, sent(rows)) == []


@given(LOGS, PLACES, PLACES, FLIPS)
def test_one_changed_byte_in_postgresql_is_found_and_named(rows: list[LogRow], which: int, at: int, by: int) -> None:
    index = which % len(rows)
    messages = sent(rows)
    rows[index] = msgspec.structs.replace(rows[index], state=spoiled(rows[index].state, at, by))

    findings = audited(rows, messages)

    assert {found.event for found in findings} == {rows[index].identity}
    assert all(found.place != "EV" for found in findings)


@given(LOGS, PLACES, PLACES, FLIPS)
def test_one_changed_byte_on_ev_is_found_and_named(rows: list[LogRow], which: int, at: int, by: int) -> None:
    index = which % len(rows)
    messages = sent(rows)
    messages[index] = msgspec.structs.replace(messages[index], body=spoiled(messages[index].body, at, by))

    (found,) = audited(rows, messages)

    assert (found.kind, found.event) == ("differs", rows[index].identity)
    is_last = not any(row.stream == rows[index].stream for row in rows[index + 1 :])
    assert found.place == ("PostgreSQL or EV" if is_last else "EV")


@given(LOGS, PLACES, PLACES, FLIPS)
def test_the_chain_alone_tells_of_every_event_but_the_last(rows: list[LogRow], which: int, at: int, by: int) -> None:
    index = which % len(rows)
    row = rows[index]
    rows[index] = msgspec.structs.replace(row, state=spoiled(row.state, at, by))
    has_next = any(other.stream == row.stream for other in rows[index + 1 :])

    findings = chained(rows)

    assert {name for found in findings for name in (found.event, found.before)} >= (
        {row.identity} if has_next else set()
    )


@given(LOGS, PLACES)
def test_a_row_that_was_taken_away_is_named(rows: list[LogRow], which: int) -> None:
    messages = sent(rows)
    gone = rows.pop(which % len(rows))

    first = audited(rows, messages)[0]

    assert (first.kind, first.place, first.event) == ("missing", "PostgreSQL", gone.identity)


@given(LOGS, PLACES)
def test_a_message_that_is_not_there_is_named(rows: list[LogRow], which: int) -> None:
    messages = sent(rows)
    index = which % len(rows)
    del messages[index]

    (found,) = audited(rows, messages)

    assert (found.kind, found.place, found.event) == ("missing", "EV", rows[index].identity)


@given(LOGS, PLACES)
def test_an_event_taken_out_of_both_copies_is_missed_by_the_next(rows: list[LogRow], which: int) -> None:
    index = which % (len(rows) - 1)
    messages = sent(rows)
    gone = rows.pop(index)
    del messages[index]

    findings = audited(rows, messages)

    has_next = any(row.stream == gone.stream for row in rows[index:])
    assert findings
    assert not has_next or ("missing", gone.identity) in {(found.kind, found.event) for found in findings}


@given(LOGS, PLACES)
def test_a_message_that_comes_twice_is_named(rows: list[LogRow], which: int) -> None:
    messages = sent(rows)
    index = which % len(rows)
    messages.insert(index, messages[index])

    (found,) = audited(rows, messages)

    assert (found.kind, found.place, found.event) == ("doubled", "EV", rows[index].identity)


@given(LOGS, PLACES)
def test_two_messages_that_changed_places_are_named(rows: list[LogRow], which: int) -> None:
    messages = sent(rows)
    index = which % (len(rows) - 1)
    messages[index], messages[index + 1] = messages[index + 1], messages[index]

    findings = audited(rows, messages)

    assert ("out of order", rows[index].identity) in {(found.kind, found.event) for found in findings}


@pytest.mark.parametrize("field", ["stream", "version", "topic"])
@given(LOGS, PLACES)
def test_a_row_that_lies_about_its_event_is_named(field: str, rows: list[LogRow], which: int) -> None:
    messages = sent(rows)
    index = which % len(rows)
    lies = {"stream": "grid:other", "version": rows[index].version + 100, "topic": "grid.resumed.v1"}
    rows[index] = msgspec.structs.replace(rows[index], **{field: lies[field]})

    first = audited(rows, messages)[0]

    assert (first.kind, first.event) == ("mislabelled", rows[index].identity)
