"""Laws of the stored form, for any fact with any content."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridkeeper_core.events import FACTS, Fact
from gridkeeper_core.record import Recorded, decode, encode

CLASSES = tuple(dict.fromkeys(fact for group in FACTS.values() for fact in group))
# Text of any kind but half characters, which no JSON can hold.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
st.register_type_strategy(str, TEXT)
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))


@st.composite
def events(draw: st.DrawFn, fact_class: type[Fact]) -> Recorded:
    """An event that holds a fact of this class."""
    return Recorded(
        stream=draw(TEXT),
        version=draw(st.integers(1, 2**31)),
        ts_ns=draw(st.integers(0, 2**63 - 1)),
        cause=draw(TEXT),
        thread=draw(TEXT),
        prev=draw(st.binary(min_size=32, max_size=32)).hex(),
        fact=draw(st.from_type(fact_class)),
    )


@pytest.mark.parametrize("fact_class", CLASSES, ids=lambda fact_class: fact_class.__name__)
@settings(max_examples=30)  # for each of a hundred facts
@given(data=st.data())
def test_an_event_survives_its_storage(fact_class: type[Fact], data: st.DataObject) -> None:
    event = data.draw(events(fact_class))
    stored = encode(event)

    assert decode(stored) == event
    assert encode(decode(stored)) == stored
    assert "\n" not in stored.decode()
    assert json.loads(stored)["fact"]["topic"] == fact_class.__struct_config__.tag
