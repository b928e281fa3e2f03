"""Laws of names, for any id that is allowed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core import names

IDS = st.from_regex(names.ID_PATTERN, fullmatch=True)
NUMBERS = st.integers(0, 10**9)


@given(IDS)
def test_an_id_that_matches_is_allowed(text: str) -> None:
    assert names.check_id(text, "any") == text


@given(grid_id=IDS, kind=st.sampled_from(names.ORDER_KINDS), key=NUMBERS, cycle=NUMBERS)
def test_an_intent_is_split_into_what_it_was_made_of(grid_id: str, kind: str, key: int, cycle: int) -> None:
    intent = names.intent_id(grid_id, kind, key, cycle)

    assert names.split_intent(intent) == names.IntentParts(grid_id, kind, key, cycle)
    assert names.grid_of(intent) == grid_id


@given(kind=st.sampled_from(["grid", "account", "tx"]), name=IDS)
def test_a_stream_is_split_into_what_it_was_made_of(kind: str, name: str) -> None:
    assert names.split_stream(names.stream(kind, name)) == (kind, name)


@given(shard=st.integers(0, 99), name=IDS)
def test_no_id_can_leave_its_place_in_a_subject(shard: int, name: str) -> None:
    subject = names.event_subject(shard, "strategy", names.stream("grid", name), "order.wanted.v1")

    assert subject.split(".") == ["ev", str(shard), "strategy", "grid", name, "order-wanted-v1"]
