"""A service's database role does what the service needs, and nothing else."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from gridkeeper_eventlog.roles import AUDITOR, as_role, grant_auditor, grant_writer
from gridkeeper_eventlog.store import EventStore, NewEvent

pytestmark = pytest.mark.servers

EVENT = NewEvent(stream="grid:sol", version=1, topic="toy.v1", state=b"{}")
REFUSED_OF_ITS_OWN = (
    "UPDATE strategy_0.strategy_0_events SET state = ''",
    "DELETE FROM strategy_0.strategy_0_events",
    "TRUNCATE strategy_0.strategy_0_events",
    "DELETE FROM strategy_0.strategy_0_tracking",
    "DROP TABLE strategy_0.strategy_0_events",
    "ALTER TABLE strategy_0.strategy_0_events DISABLE TRIGGER ALL",
    "CREATE TABLE strategy_0.mine (a int)",
    "CREATE TABLE public.mine (a int)",
    "CREATE SCHEMA mine",
)
REFUSED_OF_OTHERS = (
    "SELECT * FROM ledger_0.ledger_0_events",
    "INSERT INTO ledger_0.ledger_0_tracking VALUES ('strategy_0', 1)",
    "SELECT * FROM ledger_0.ledger_0_tracking",
)


@pytest.fixture
def roles(postgres_url: str) -> str:
    """The URL of the administrator of a database with two services' roles."""
    for app in ("strategy_0", "ledger_0"):
        grant_writer(postgres_url, app, "first")
    return postgres_url


def test_a_service_appends_and_reads_its_own_events(roles: str) -> None:
    store = EventStore(as_role(roles, "strategy_0", "first"), "strategy_0")
    store.open()

    assert store.append([EVENT]) == [1]
    assert [row.stream for row in store.select(0, 10)] == ["grid:sol"]
    assert store.positions() == {}
    store.close()


@pytest.mark.parametrize("statement", [*REFUSED_OF_ITS_OWN, *REFUSED_OF_OTHERS])
def test_everything_else_is_refused(roles: str, statement: str) -> None:
    with (
        psycopg.connect(as_role(roles, "strategy_0", "first")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


def test_the_auditor_reads_all_and_writes_nothing(roles: str) -> None:
    grant_auditor(roles, ["strategy_0", "ledger_0"], "eyes")

    with psycopg.connect(as_role(roles, AUDITOR, "eyes"), autocommit=True) as connection:
        connection.execute("SELECT * FROM strategy_0.strategy_0_events")
        connection.execute("SELECT * FROM ledger_0.ledger_0_tracking")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO ledger_0.ledger_0_tracking VALUES ('x', 1)")


def test_a_password_is_changed_by_granting_again(roles: str) -> None:
    grant_writer(roles, "strategy_0", "second")

    psycopg.connect(as_role(roles, "strategy_0", "second")).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(as_role(roles, "strategy_0", "first"))


async def test_several_may_grant_at_the_same_moment(postgres_url: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(grant_writer, postgres_url, "strategy_0", "first") for _ in range(4)))

    psycopg.connect(as_role(postgres_url, "strategy_0", "first")).close()
