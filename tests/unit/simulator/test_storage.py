"""The simulated database and bus refuse what the real ones refuse."""

from __future__ import annotations

import pytest

from gridkeeper_lab.simulator.broken import FencedError
from gridkeeper_lab.simulator.storage import Bus, Database, Message, Row, Step


def test_a_writer_that_does_not_know_the_newest_row_is_fenced_and_leaves_nothing() -> None:
    database = Database()
    database.append(0, [("grid:tale", 1, b"one")], [])
    known = database.last_id
    database.append(known, [("grid:tale", 2, b"two")], [])

    with pytest.raises(FencedError):
        database.append(known, [("grid:tale", 3, b"three")], [])

    assert [row.body for row in database.rows] == [b"one", b"two"]


def test_a_version_that_does_not_follow_is_refused() -> None:
    database = Database()

    with pytest.raises(FencedError):
        database.append(0, [("grid:tale", 2, b"two")], [])


def test_a_position_moves_only_from_where_it_stands_and_takes_no_event_with_it_otherwise() -> None:
    database = Database()
    database.append(0, [], [Step("execution", 0, 4)])

    with pytest.raises(FencedError):
        database.append(0, [("grid:tale", 1, b"one")], [Step("execution", 2, 7)])

    assert database.positions == {"execution": 4}
    assert database.rows == []


def test_a_publisher_that_counts_fewer_messages_than_there_are_is_fenced() -> None:
    bus = Bus()
    first, second = message(1, 0), message(3, 1)
    bus.publish(0, [first])

    with pytest.raises(FencedError):
        bus.publish(0, [second])

    assert bus.of["strategy"] == [first]


def test_a_reader_is_given_what_lies_behind_its_position() -> None:
    bus = Bus()
    messages = [message(1, 0), message(2, 1), message(4, 2)]
    bus.publish(0, messages)

    assert bus.after("strategy", 0) == messages
    assert bus.after("strategy", 2) == messages[2:]
    assert bus.after("strategy", 4) == []
    assert bus.after("ledger", 0) == []


def message(row_id: int, prev: int) -> Message:
    return Message("strategy", row_id, prev, Row(row_id, "grid:tale", row_id, b"", {}))
