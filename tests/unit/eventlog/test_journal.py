"""Versions, the hash chain and commands' answers, without a database."""

from __future__ import annotations

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import GridPaused
from gridkeeper_core.machine import Draft
from gridkeeper_core.record import GENESIS, decode, hash_of
from gridkeeper_eventlog.journal import COMMAND_KEYS_MAX, Answer, Journal
from gridkeeper_eventlog.store import StreamHead


def draft(cause: str = "", stream: str = "grid:one") -> Draft:
    return Draft(stream=stream, ts_ns=1, cause=cause, thread="", fact=GridPaused(code="X", author="", reason=""))


def test_versions_count_from_one_in_each_stream() -> None:
    stamped = Journal().stamp([draft(), draft(stream="grid:two"), draft()])

    assert [s.recorded.identity for s in stamped] == ["grid:one@1", "grid:two@1", "grid:one@2"]


def test_prev_is_the_hash_of_the_predecessors_bytes() -> None:
    first, second = Journal().stamp([draft(), draft()])

    assert first.recorded.prev == GENESIS
    assert second.recorded.prev == hash_of(first.body)


def test_the_bytes_hold_what_was_recorded() -> None:
    (stamped,) = Journal().stamp([draft("cmd:k")])

    assert decode(stamped.body) == stamped.recorded
    assert stamped.new_event.topic == "grid.paused.v1"
    assert stamped.new_event.state is stamped.body


def test_what_was_not_committed_is_taken_back() -> None:
    journal = Journal()
    (first,) = journal.stamp([draft("cmd:a")])
    journal.settle()
    journal.stamp([draft("cmd:b"), draft(stream="grid:new")])

    journal.rollback()

    assert journal.heads() == {"grid:one": StreamHead(1, hash_of(first.body))}
    assert journal.answer("grid:one", "a") == Answer("grid:one", 1, 1)
    assert journal.answer("grid:one", "b") is None
    assert journal.stamp([draft()])[0].recorded.version == 2


def test_a_stream_without_events_has_version_zero() -> None:
    assert Journal().head("grid:none") == StreamHead(0, GENESIS)


def test_a_command_that_led_to_several_events_remembers_first_and_last() -> None:
    journal = Journal()
    journal.stamp([draft("cmd:a"), draft("cmd:k"), draft("cmd:k"), draft("cmd:k")])

    assert journal.answer("grid:one", "k") == Answer("grid:one", 2, 4)
    assert journal.answer("grid:two", "k") is None


def test_the_last_hundred_commands_of_a_stream_are_remembered() -> None:
    journal = Journal()
    journal.stamp([draft(f"cmd:{n}") for n in range(COMMAND_KEYS_MAX + 1)])

    assert journal.answer("grid:one", "0") is None
    assert journal.answer("grid:one", "1") == Answer("grid:one", 2, 2)


def test_folding_stored_events_gives_the_same_heads_and_answers() -> None:
    journal, again = Journal(), Journal()
    for stamped in journal.stamp([draft("cmd:k"), draft(), draft(stream="grid:two")]):
        again.fold(stamped.recorded, stamped.body)

    assert again.heads() == journal.heads()
    assert again.answer("grid:one", "k") == journal.answer("grid:one", "k")


def test_a_stored_event_that_skips_a_version_is_refused() -> None:
    _, second = Journal().stamp([draft(), draft()])

    with pytest.raises(GridkeeperError) as caught:
        Journal().fold(second.recorded, second.body)

    assert caught.value.code == "CHAIN_BROKEN"
