"""`ledger proof`, `export` and `show --turns` on a record in real servers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gridkeeper_cli.ledger_export import exported
from gridkeeper_cli.ledger_proof import prove
from gridkeeper_cli.ledger_statement import read_statement
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import CycleClosed, OrderFilled
from gridkeeper_core.inputs import StopGrid
from support import audited_record
from support.audited_record import AuditedRecord
from support.story import Story

pytestmark = pytest.mark.servers

ALL = ("strategy", "execution", "ledger")


@pytest.fixture
def told() -> Story:
    """A grid that bought and sold, between two snapshots, and was stopped."""
    story = Story(capital_e6=1_000_000_000).opened_at(105).prices(103, 106, 102, 105).command(StopGrid())
    story.lab.reconcile()
    return story


@pytest.fixture(autouse=True)
def with_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """The books are part of this record."""
    monkeypatch.setattr(audited_record, "SERVICES", ALL)


async def test_the_proof_of_a_stored_record_leaves_nothing_over(record: AuditedRecord) -> None:
    proven = await asyncio.to_thread(prove, record.postgres_url, "main", None, None)

    assert (proven.ok, proven.equity.residual_e6) == (True, 0)
    terms = {term.name: term for term in proven.equity.terms}
    assert terms["grid profit"].quote_e6 == sum(fact.profit_e6 + fact.fee_e6 for fact in cycles(record))
    assert len(terms["rebates"].events) == len(record.story.facts(OrderFilled))


async def test_an_export_of_a_stored_record_has_a_row_per_fill(record: AuditedRecord) -> None:
    made = await asyncio.to_thread(exported, record.postgres_url, "fifo", "", 0, None)

    trades = [row for row in made.rows if row.kind == "trade"]
    assert len(trades) == len(record.story.facts(OrderFilled))
    held = trades[-1].position_e9
    account = record.story.lab.venue.read("main", "main")
    assert held == sum(position.base_e9 for position in account.positions)


async def test_an_account_that_is_not_there_is_refused(record: AuditedRecord) -> None:
    with pytest.raises(GridkeeperError, match="ACCOUNT_UNKNOWN"):
        await asyncio.to_thread(exported, record.postgres_url, "wac", "other", 0, None)


async def test_the_statement_of_a_stopped_grid_lists_every_turn(record: AuditedRecord) -> None:
    statement = await asyncio.to_thread(read_statement, record.postgres_url, "tale", None)
    assert [turn.profit_e6 for turn in statement.turns] == [fact.profit_e6 for fact in cycles(record)]
    assert statement.turns_profit_e6 == sum(fact.profit_e6 for fact in cycles(record)) > 0


def cycles(record: AuditedRecord) -> list[Any]:
    return record.story.facts(CycleClosed)
