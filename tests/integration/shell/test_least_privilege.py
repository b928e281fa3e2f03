"""What each service's credentials are refused on both servers, once `provision` has made them: clause by clause."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import product

import msgspec
import nats
import psycopg
import pytest

from gridkeeper_bus.permissions import PRODUCERS, SERVICES, authorization, inbox_of, new_seed, public_key
from gridkeeper_core.names import app_name
from gridkeeper_eventlog.roles import AUDITOR, as_role, new_password
from gridkeeper_runtime.embedded import EmbeddedNats
from gridkeeper_shell.provision import ProvisionSettings, provision, roles
from support.servers import RunningPostgres, eventually, private_folder

pytestmark = pytest.mark.servers

SEEDS = {service: new_seed() for service in SERVICES}
PASSWORDS = {role: new_password() for role in roles(0)}
STREAM_CALLS = ("DELETE", "PURGE", "UPDATE", "CREATE", "SNAPSHOT", "RESTORE", "MSG.DELETE")
COMMANDS = ("cmd.0.grid.sol.pause", "cmd.0.account.main.halt", "cmd.0.alert.fleet.test")
OWN_COMMANDS = {"strategy": "cmd.0.grid.*.*", "execution": "cmd.0.account.*.*", "notifier": "cmd.0.alert.*.*"}
ON_EVENTS = (
    "UPDATE {0}.{0}_events SET state = ''",
    "DELETE FROM {0}.{0}_events",
    "TRUNCATE {0}.{0}_events",
    "DROP TABLE {0}.{0}_events",
    "ALTER TABLE {0}.{0}_events ADD COLUMN mine int",
    "CREATE TRIGGER mine BEFORE INSERT ON {0}.{0}_events EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE mine AS ON INSERT TO {0}.{0}_events DO INSTEAD NOTHING",
    "DELETE FROM {0}.{0}_tracking",
    "TRUNCATE {0}.{0}_tracking",
    "CREATE TABLE {0}.mine (a int)",
)
ON_OTHERS = (
    "SELECT * FROM {0}.{0}_events",
    "INSERT INTO {0}.{0}_events (originator_id, originator_version, topic, state) VALUES ('x', 1, 'x', '')",
    "LOCK TABLE {0}.{0}_events IN ACCESS EXCLUSIVE MODE",
    "SELECT * FROM {0}.{0}_tracking",
    "UPDATE {0}.{0}_tracking SET notification_id = 0",
    "INSERT INTO {0}.{0}_tracking VALUES ('x', 1)",
)
ON_THE_SERVER = (
    "CREATE TABLE public.mine (a int)",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "ALTER ROLE auditor SUPERUSER",
    "SET ROLE auditor",
    "SELECT pg_read_file('postgresql.conf')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
)


@pytest.fixture(scope="module")
def nats_port(postgres: str) -> Iterator[int]:
    """Of a server whose streams were made by `provision`, and which knows the services by their keys."""
    keys = {service: public_key(seed) for service, seed in SEEDS.items()}
    with private_folder() as folder:
        server = EmbeddedNats(folder, authorization=lambda user, password: authorization(user, password, keys))
        server.start()
        wish = ProvisionSettings(
            nats_url=server.url, postgres_url=postgres, passwords=msgspec.json.encode(PASSWORDS).decode()
        )
        asyncio.run(provision(wish))
        yield server.endpoint.port
        server.stop()


@pytest.fixture(scope="module")
def postgres(session_postgres: RunningPostgres) -> Iterator[str]:
    name = session_postgres.new_database()
    yield session_postgres.server.database_url(name)
    session_postgres.drop_database(name)


def not_to_be_published(service: str) -> list[str]:
    """Subjects of others, and what would change or delete a stream."""
    others = [other for other in SERVICES if other != service]
    subjects = [f"ev.0.{other}.grid.sol.x" for other in others] + [f"ev.1.{service}.grid.sol.x"]
    subjects += [f"{inbox_of(other)}.x" for other in others]
    subjects += [f"query.0.{other}.heads" for other in others]
    subjects += [f"$JS.API.STREAM.{call}.{name}" for call, name in product(STREAM_CALLS, ("EV", "PX", "MINE"))]
    subjects += ["$SYS.REQ.SERVER.PING", *COMMANDS]
    return subjects if service == "price_feed" else [*subjects, "px.SOL-PERP", "tape.clock"]


def not_to_be_heard(service: str) -> list[str]:
    """What is said to others, and events past the consumer."""
    others = [other for other in SERVICES if other != service]
    subjects = [f"{inbox_of(other)}.>" for other in others] + [f"query.0.{other}.*" for other in others]
    subjects += [subject for owner, subject in OWN_COMMANDS.items() if owner != service]
    return [*subjects, ">", "ev.>", "$JS.>", "$SYS.>"]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_services_key_is_refused_every_subject_that_is_not_its_own(nats_port: int, service: str) -> None:
    told: list[str] = []

    async def hear(error: Exception) -> None:
        told.append(str(error).lower())

    client = await nats.connect(
        f"nats://127.0.0.1:{nats_port}",
        nkeys_seed_str=SEEDS[service],
        inbox_prefix=inbox_of(service).encode(),
        error_cb=hear,
    )
    wanted = {f'publish to "{subject.lower()}"' for subject in not_to_be_published(service)}
    wanted |= {f'subscription to "{subject.lower()}"' for subject in not_to_be_heard(service)}
    for subject in not_to_be_published(service):
        await client.publish(subject, b"{}")
    for subject in not_to_be_heard(service):
        await client.subscribe(subject)
    await client.flush()
    await eventually(lambda: len(told) >= len(wanted))
    await client.close()

    assert {words for words in wanted if not any(words in error for error in told)} == set()


@pytest.mark.parametrize("service", PRODUCERS)
def test_a_services_role_is_refused_change_deletion_and_everything_of_others(
    nats_port: int, postgres: str, service: str
) -> None:
    assert nats_port  # provision has run
    own = app_name(service, 0)
    others = [app_name(other, 0) for other in PRODUCERS if other != service]
    statements = [statement.format(own) for statement in ON_EVENTS]
    statements += [statement.format(other) for statement, other in product((*ON_EVENTS, *ON_OTHERS), others)]

    with psycopg.connect(as_role(postgres, own, PASSWORDS[own]), autocommit=True) as connection:
        allowed = [statement for statement in (*statements, *ON_THE_SERVER) if not is_refused(connection, statement)]

    assert allowed == []


def test_the_auditor_is_refused_every_write(nats_port: int, postgres: str) -> None:
    assert nats_port
    statements = [statement.format(app_name(service, 0)) for statement, service in product(ON_EVENTS, PRODUCERS)]

    with psycopg.connect(as_role(postgres, AUDITOR, PASSWORDS[AUDITOR]), autocommit=True) as connection:
        assert [statement for statement in statements if not is_refused(connection, statement)] == []


def is_refused(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> bool:
    try:
        with connection.transaction():
            connection.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False
