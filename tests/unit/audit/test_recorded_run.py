"""A whole recorded run, kept as it was written: every later release must come to the same states from it."""

from __future__ import annotations

from gridkeeper_cli.audit_decisions import decide_again
from gridkeeper_cli.audit_incident import replay_file
from gridkeeper_cli.audit_moment import past_at, past_document, read_moment
from gridkeeper_cli.record_source import FileSource
from support.recorded_run import FILE


async def test_every_state_is_the_one_that_was_written() -> None:
    report = replay_file(FileSource(FILE))
    assert [difference.sentence for difference in report.differences] == []
    assert (report.events, report.ticks, report.states) == (757, 1_500, 4)


async def test_the_books_tell_the_same_money_to_the_unit() -> None:
    past = past_document(await past_at(FileSource(FILE), read_moment("2100-01-01")))
    books = past["ledger"]["grids"][0]
    assert (books["fills"], books["turns"], books["position"]) == (34, 17, "0")
    assert (books["grid_profit"], books["fees"], books["total_pnl"]) == ("17", "-0.707", "17.707")
    assert past["ledger"]["accounts"][0]["last_proof"]["residual"] == "0"


async def test_the_ledger_still_decides_as_it_did() -> None:
    ledger = next(log for log in (await decide_again(FileSource(FILE))).logs if log.service == "ledger")
    assert ledger.differences == ()
    assert ledger.events == 223
