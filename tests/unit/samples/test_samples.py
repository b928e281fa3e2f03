"""Events stored by any release, ever, are read by this one.

`events.jsonl` holds a stored event of every shape, as the bytes lie in the log. Lines are added, never changed: a fact
that is new, or has a new field, gets one more line, made of what `encode` gives, in a stream whose chain it continues.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gridkeeper_core.events import FACTS, Fact
from gridkeeper_core.names import split_stream
from gridkeeper_core.record import GENESIS, decode, encode, hash_of, topic_of

LINES = (Path(__file__).parent / "events.jsonl").read_bytes().splitlines()
ALL_FACTS: list[type[Fact]] = list(dict.fromkeys(fact for facts in FACTS.values() for fact in facts))
# Of several samples of a fact only the newest has every field of today.
NEWEST = {topic_of(decode(line).fact): line for line in LINES}


@pytest.mark.parametrize("stored", LINES, ids=lambda stored: decode(stored).identity)
def test_a_stored_event_is_read_in_its_place(stored: bytes) -> None:
    event = decode(stored)

    assert type(event.fact) in FACTS[split_stream(event.stream)[0]]


@pytest.mark.parametrize("topic", NEWEST)
def test_an_event_of_today_is_stored_as_these_bytes(topic: str) -> None:
    assert encode(decode(NEWEST[topic])) == NEWEST[topic], "add a line with the new shape; the old one stays"


@pytest.mark.parametrize("fact", ALL_FACTS, ids=lambda fact: fact.__name__)
def test_every_fact_has_a_sample(fact: type[Fact]) -> None:
    assert str(fact.__struct_config__.tag) in NEWEST


def test_no_sample_was_changed() -> None:
    heads: dict[str, tuple[int, str]] = {}
    for line in LINES:
        event = decode(line)
        version, head = heads.get(event.stream, (0, GENESIS))
        assert (event.version, event.prev) == (version + 1, head), f"in {event.identity}"
        heads[event.stream] = (event.version, hash_of(line))
