"""The price-feed's machine says once when a source begins and ends and which file holds what."""

from __future__ import annotations

from gridkeeper_core.events import FeedLost, FeedStarted, PriceSegmentClosed
from gridkeeper_core.inputs import Wake
from gridkeeper_core.machine import Draft
from gridkeeper_core.prices.machine import FeedMachine, SegmentFinished, SourceBegan, SourceEnded
from gridkeeper_core.record import Recorded

SOL = "SOL-PERP"


def began(first_seq: int, *, now_ns: int = 1) -> SourceBegan:
    return SourceBegan(now_ns=now_ns, market=SOL, source="tape", first_seq=first_seq)


def ended(last_seq: int) -> SourceEnded:
    return SourceEnded(now_ns=2, market=SOL, reason="end of tape", last_seq=last_seq)


def segment(first_seq: int, last_seq: int) -> SegmentFinished:
    closed = PriceSegmentClosed(
        market=SOL, file="f", first_seq=first_seq, last_seq=last_seq, count=last_seq - first_seq + 1, sha256="00"
    )
    return SegmentFinished(now_ns=3, segment=closed)


def facts(drafts: list[Draft]) -> list[object]:
    return [draft.fact for draft in drafts]


def test_a_source_begins_and_ends_on_its_market_s_stream() -> None:
    machine = FeedMachine()

    drafts = machine.accept(began(1)) + machine.accept(ended(40))

    assert facts(drafts) == [
        FeedStarted(market=SOL, source="tape", first_seq=1),
        FeedLost(market=SOL, source="tape", reason="end of tape", last_seq=40),
    ]
    assert {draft.stream for draft in drafts} == {"prices:SOL-PERP"}
    assert drafts[0].ts_ns == 1


def test_a_source_that_begins_again_without_an_end_was_broken_off() -> None:
    machine = FeedMachine()
    machine.accept(began(1))

    assert facts(machine.accept(began(8))) == [
        FeedLost(market=SOL, source="tape", reason="ended without notice", last_seq=7),
        FeedStarted(market=SOL, source="tape", first_seq=8),
    ]


def test_an_end_without_a_beginning_says_nothing() -> None:
    assert FeedMachine().accept(ended(3)) == []


def test_a_segment_is_recorded_once() -> None:
    machine = FeedMachine()

    assert len(machine.accept(segment(1, 10))) == 1
    assert machine.accept(segment(1, 10)) == []
    assert machine.feed(SOL).closed_seq == 10


def test_a_source_that_takes_over_counts_its_rows_from_the_last_number() -> None:
    machine = FeedMachine()
    machine.accept(began(1))

    assert machine.base_seq(SOL, "tape", 40) == 0
    assert machine.base_seq(SOL, "synthetic:1", 40) == 40
    machine.accept(SourceBegan(now_ns=5, market=SOL, source="synthetic:1", first_seq=41))
    assert machine.base_seq(SOL, "synthetic:1", 99) == 40


def test_time_alone_leads_to_nothing() -> None:
    machine = FeedMachine()
    machine.accept(began(1))

    assert machine.next_wake_ns() is None
    assert machine.accept(Wake(now_ns=10**18)) == []


def test_a_machine_folded_from_its_log_equals_the_one_that_decided() -> None:
    machine, again = FeedMachine(), FeedMachine()
    drafts = [d for item in (began(1), segment(1, 5), ended(6), began(7)) for d in machine.accept(item)]
    for version, draft in enumerate(drafts, 1):
        again.restore(
            Recorded(
                stream=draft.stream, version=version, ts_ns=draft.ts_ns, cause="", thread="", prev="", fact=draft.fact
            )
        )

    assert again.digests() == machine.digests()
    assert facts(again.accept(began(9))) == facts(machine.accept(began(9)))


def test_the_digest_tells_states_apart() -> None:
    machine = FeedMachine()
    machine.accept(began(1))
    running = machine.digests()
    machine.accept(ended(2))

    assert list(running) == ["prices:SOL-PERP"]
    assert machine.digests() != running
