"""Making every recorded decision again: the same events, or the first one that differs."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_cli.audit_decisions import decide_again
from gridkeeper_core import events as e
from gridkeeper_core.audit.decisions import LogDecisions
from gridkeeper_core.inputs import PauseGrid, ResumeGrid
from gridkeeper_core.record import Recorded, decode, encode
from support.lab_record import LabRecord
from support.story import Story
from support.two_markets import TwoMarkets


@pytest.fixture(scope="module")
def log() -> list[Recorded]:
    """A grid that bought, sold, was paused and traded on."""
    story = Story().opened_at(105).prices(103, 106, 102, 105)
    story.command(PauseGrid()).prices(104).command(ResumeGrid()).prices(102, 106).price(105, after_s=700)
    return story.lab.log


async def decided(record: LabRecord) -> dict[str, LogDecisions]:
    return {found.service: found for found in (await decide_again(record)).logs}


def spoiled(log: list[Recorded], kind: type[e.Fact], **changes: object) -> list[Recorded]:
    """The log with the last fact of a kind changed."""
    place = max(index for index, event in enumerate(log) if isinstance(event.fact, kind))
    event = log[place]
    changed = msgspec.structs.replace(event, fact=msgspec.structs.replace(event.fact, **changes))
    return [*log[:place], changed, *log[place + 1 :]]


async def test_every_decision_of_strategy_and_ledger_comes_out_the_same(log: list[Recorded]) -> None:
    found = await decided(LabRecord(log))

    for service, kind in (("strategy", "grid:"), ("ledger", ("ledger:", "books:"))):
        assert found[service].differences == ()
        assert found[service].lacking == {}
        assert found[service].events == sum(event.stream.startswith(kind) for event in log) > 20


async def test_execution_is_decided_again_as_a_whole_because_what_it_met_is_in_the_log(log: list[Recorded]) -> None:
    found = (await decided(LabRecord(log)))["execution"]

    own = sum(event.stream.startswith(("account:", "tx:", "market:")) for event in log)
    assert (found.differences, found.lacking, found.folded) == ((), {}, 0)
    assert found.events == own > 100


async def test_a_log_from_before_inputs_were_recorded_is_taken_as_it_is_where_it_lacks_them(
    log: list[Recorded],
) -> None:
    older = [event for event in log if not isinstance(event.fact, e.TransactionMet | e.AccountMet)]

    found = (await decided(LabRecord(older)))["execution"]

    assert found.differences == ()
    assert {name.partition(":")[0] for name in found.lacking} == {"AccountRead", "TransactionSeen"}
    assert found.folded > 20


async def test_a_fill_that_the_venue_did_not_tell_is_found(log: list[Recorded]) -> None:
    found = (await decided(LabRecord(spoiled(log, e.OrderFilled, fee_e6=7))))["execution"]

    assert "fee_e6 7" in found.differences[0].recorded


async def test_a_grid_whose_prices_led_to_nothing_is_left_alone_when_another_one_wakes() -> None:
    story = TwoMarkets().opened()
    for _ in range(10):
        story.price("BTC-PERP", 205).price("SOL-PERP", 105, after_s=60)
    for _ in range(20):
        story.price("BTC-PERP", 205, after_s=60)
    log = story.lab.log
    assert any(event.cause.startswith("wake:") and event.stream == "grid:sol" for event in log)

    found = await decided(LabRecord(log))

    assert [(log.differences, log.lacking) for log in found.values()] == [((), {})] * 4


async def test_an_order_that_would_not_be_wanted_now_is_named(log: list[Recorded]) -> None:
    changed = spoiled(log, e.OrdersWanted, reference_e6=1)

    found = (await decided(LabRecord(changed)))["strategy"]

    assert [d.event for d in found.differences] == [
        next(a.identity for a, b in zip(log, changed, strict=True) if a != b)
    ]
    assert "reference_e6 1" in found.differences[0].recorded


async def test_what_follows_a_difference_is_still_looked_at(log: list[Recorded]) -> None:
    first = spoiled(log[: len(log) // 2], e.FillBooked, fee_e6=7) + log[len(log) // 2 :]

    found = (await decided(LabRecord(spoiled(first, e.FillBooked, fee_e6=8))))["ledger"]

    told = [d.recorded for d in found.differences]
    assert told[0].endswith("fee_e6 7")
    assert any(text.endswith("fee_e6 8") for text in told[1:])


async def test_an_event_that_no_decision_leads_to_is_found(log: list[Recorded]) -> None:
    last = next(event for event in reversed(log) if event.stream == "grid:tale")
    invented = msgspec.structs.replace(
        last,
        version=last.version + 1,
        fact=e.OrderGone(intent_id="tale/buy/1/0", why="x", not_before_ns=0, tries=0, reference_e6=0),
    )

    found = (await decided(LabRecord([*log, invented])))["strategy"]

    assert [d.now for d in found.differences] == ["nothing"]


async def test_bytes_of_an_older_release_without_newer_fields_are_the_same_decision(log: list[Recorded]) -> None:
    record = LabRecord(log)
    older = []
    for one in record.stored:
        event = msgspec.json.decode(one.body)
        if event["fact"]["topic"] == "grid.orders_wanted.v1":
            del event["fact"]["shadow"]
        older.append(msgspec.structs.replace(one, body=msgspec.json.encode(event)))
    record.stored = older

    assert any(encode(decode(one.body)) != one.body for one in older)
    assert (await decided(record))["strategy"].differences == ()
