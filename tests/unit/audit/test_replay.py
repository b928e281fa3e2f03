"""Folding stored events anew: the same state from the same events, and differences with their streams."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_core import events as e
from gridkeeper_core.audit.replay import MACHINES, Replay, State, differences
from gridkeeper_core.events import WRITERS
from gridkeeper_core.names import split_stream
from gridkeeper_core.record import GENESIS, Recorded, encode, hash_of
from support.story import Story

SERVICES = ("strategy", "execution", "ledger")


@pytest.fixture(scope="module")
def story() -> Story:
    """A grid that bought and sold."""
    story = Story().opened_at(105).prices(103, 106, 102, 105)
    assert story.facts(e.OrderFilled)
    return story


def stored(story: Story, service: str) -> list[bytes]:
    return [encode(event) for event in story.lab.log if WRITERS[split_stream(event.stream)[0]] == service]


def folded(service: str, bodies: list[bytes], until_id: int | None = None) -> State:
    fold = Replay(MACHINES[service](), len(bodies) if until_id is None else until_id)
    for number, body in enumerate(bodies, start=1):
        fold.take(number, body)
    assert fold.is_done
    return fold.state()


@pytest.mark.parametrize("service", SERVICES)
def test_a_log_comes_to_the_state_of_the_machine_that_wrote_it(story: Story, service: str) -> None:
    machine = getattr(story.lab, service)

    state = folded(service, stored(story, service))

    assert state.digests == machine.digests()
    assert state.failure == ""


def test_events_after_the_end_are_left_out(story: Story) -> None:
    bodies = stored(story, "strategy")

    state = folded("strategy", bodies, until_id=len(bodies) - 1)

    assert state.events == len(bodies) - 1
    assert state.digests != story.lab.strategy.digests()


def test_the_last_event_of_each_stream_is_told_with_its_hash(story: Story) -> None:
    bodies = stored(story, "strategy")

    assert folded("strategy", bodies).streams == {"grid:tale": (len(bodies), hash_of(bodies[-1]))}


def test_equal_states_do_not_differ(story: Story) -> None:
    state = folded("strategy", stored(story, "strategy"))

    assert differences("strategy_0", {"postgres": state, "ev": state}) == []


def test_another_state_is_named_with_its_stream_and_every_source(story: Story) -> None:
    state = folded("strategy", stored(story, "strategy"))
    other = msgspec.structs.replace(state, digests={"grid:tale": "0"})

    (found,) = differences("strategy_0", {"postgres": state, "running": other})

    assert (found.app, found.stream, found.about) == ("strategy_0", "grid:tale", "state")
    assert found.values == {"postgres": state.digests["grid:tale"], "running": "0"}
    assert "grid:tale of strategy_0 differs in its state" in found.sentence


def test_a_state_one_source_does_not_know_is_a_difference(story: Story) -> None:
    state = folded("strategy", stored(story, "strategy"))
    empty = State(digests={}, streams={})

    found = differences("strategy_0", {"postgres": state, "ev": empty})

    assert [(difference.about, difference.values["ev"]) for difference in found] == [("state", ""), ("last event", "")]


def test_a_last_event_with_another_hash_is_a_difference_though_the_state_is_equal() -> None:
    one = State(digests={}, streams={"grid:a": (1, "aa")})
    two = State(digests={}, streams={"grid:a": (1, "bb")})

    (found,) = differences("strategy_0", {"postgres": one, "ev": two})

    assert (found.stream, found.about) == ("grid:a", "last event")


def test_an_event_that_cannot_be_folded_is_said_and_what_follows_is_left_out() -> None:
    fact = e.GridPaused(code="PAUSED", author="", reason="")
    event = Recorded(stream="grid:x", version=1, ts_ns=1, cause="", thread="", prev=GENESIS, fact=fact)

    state = folded("strategy", [b"{}", encode(event)])

    assert state.failure.startswith("event 1: UNKNOWN_TOPIC")
    assert state.events == 0
    (found,) = differences("strategy_0", {"postgres": state})
    assert (found.about, found.app) == ("fold", "strategy_0")


def test_every_service_with_a_log_can_be_folded() -> None:
    assert set(MACHINES) == set(WRITERS.values())
