"""The gap rule."""

from __future__ import annotations

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_eventlog.inbox import Inbox


def test_the_next_event_is_taken_and_moves_the_position() -> None:
    inbox = Inbox({"a_0": 4})

    assert inbox.admit("a_0", 7, 4)
    assert inbox.position("a_0") == 7


@pytest.mark.parametrize("event_id", [1, 4])
def test_an_event_at_or_before_the_position_is_dropped(event_id: int) -> None:
    inbox = Inbox({"a_0": 4})

    assert not inbox.admit("a_0", event_id, event_id - 1)
    assert inbox.position("a_0") == 4


@pytest.mark.parametrize("previous", [0, 3, 5])
def test_an_event_that_does_not_follow_the_position_is_a_gap(previous: int) -> None:
    inbox = Inbox({"a_0": 4})

    with pytest.raises(GridkeeperError) as caught:
        inbox.admit("a_0", 7, previous)

    assert caught.value.code == "EVENT_GAP"
    assert inbox.position("a_0") == 4


def test_producers_do_not_know_of_each_other() -> None:
    inbox = Inbox({})

    assert inbox.admit("a_0", 2, 0)
    assert inbox.admit("b_0", 1, 0)
    assert inbox.positions() == {"a_0": 2, "b_0": 1}
