"""The stored form of an event says all of it, and its hash is over the bytes as they lie there."""

from __future__ import annotations

import hashlib

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import FACTS, WRITERS, FeedLost, FeedStarted
from gridkeeper_core.record import GENESIS, Recorded, decode, encode, hash_of, topic_of

EVENT = Recorded(
    stream="prices:SOL-PERP",
    version=1,
    ts_ns=1_735_689_600_000_000_000,
    cause="wake:1735689600000000000",
    thread="",
    prev=GENESIS,
    fact=FeedStarted(market="SOL-PERP", source="pyth", first_seq=1),
)
STORED = (
    b'{"stream":"prices:SOL-PERP","version":1,"ts_ns":1735689600000000000,"cause":"wake:1735689600000000000",'
    b'"thread":"","prev":"","fact":{"topic":"feed.started.v1","market":"SOL-PERP","source":"pyth","first_seq":1}}'
)


def test_an_event_is_stored_as_one_json_document() -> None:
    assert encode(EVENT) == STORED


def test_stored_bytes_are_read_back_as_the_same_event() -> None:
    assert decode(STORED) == EVENT


def test_an_event_is_identified_by_stream_and_version() -> None:
    assert EVENT.identity == "prices:SOL-PERP@1"


def test_the_topic_of_a_fact_is_its_stored_name() -> None:
    assert topic_of(EVENT.fact) == "feed.started.v1"


def test_the_hash_is_sha256_over_the_stored_bytes() -> None:
    assert hash_of(STORED) == hashlib.sha256(STORED).hexdigest()
    assert hash_of(STORED.replace(b'"version":1', b'"version": 1')) != hash_of(STORED)


@pytest.mark.parametrize(
    "stored",
    [
        STORED.replace(b"feed.started.v1", b"feed.started.v9"),
        STORED.replace(b'"first_seq":1', b'"first_seq":"1"'),
        STORED.replace(b',"first_seq":1', b""),
        STORED.replace(b'"version":1', b'"version":1.5'),
        b"{}",
    ],
)
def test_what_no_class_fits_is_refused_by_name(stored: bytes) -> None:
    with pytest.raises(GridkeeperError) as refused:
        decode(stored)

    assert refused.value.code == "UNKNOWN_TOPIC"


def test_a_field_that_a_newer_release_added_does_not_stop_an_older_one() -> None:
    newer = STORED.replace(b'"first_seq":1', b'"first_seq":1,"added_later":true')

    assert decode(newer) == EVENT


def test_every_kind_of_stream_has_one_writer() -> None:
    assert WRITERS.keys() == FACTS.keys()


def test_every_fact_has_a_stored_name_of_its_own_with_a_version() -> None:
    classes = {fact for group in FACTS.values() for fact in group}
    topics = [str(fact.__struct_config__.tag) for fact in classes]

    assert len(set(topics)) == len(classes)
    assert [topic for topic in topics if not topic.rpartition(".v")[2].isdigit()] == []


def test_facts_are_compared_by_kind_and_content() -> None:
    lost = FeedLost(market="SOL-PERP", source="pyth", reason="closed", last_seq=1)

    assert lost == FeedLost(market="SOL-PERP", source="pyth", reason="closed", last_seq=1)
    assert lost != EVENT.fact
