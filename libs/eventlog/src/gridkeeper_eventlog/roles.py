"""One PostgreSQL role per service: it appends to its own events and can neither change nor see anything else."""

from __future__ import annotations

import secrets
import time

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Composed, Identifier, Literal

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_eventlog.store import EventStore

AUDITOR = "auditor"
RETRY_S = 0.5


def new_password() -> str:
    """A secret that needs no quoting anywhere."""
    return secrets.token_hex(24)


def as_role(url: str, role: str, password: str) -> str:
    """How a role reaches the same database: a secret."""
    return make_conninfo(url, user=role, password=password)


def wait_for(url: str, patience_s: float) -> None:
    """Return once the server takes connections. Raises GridkeeperError STORE_LOST after the patience."""
    end_s = time.monotonic() + patience_s
    while True:
        try:
            psycopg.connect(url, connect_timeout=3).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > end_s:
                raise GridkeeperError("STORE_LOST", field="PostgreSQL", detail=str(error)) from error
            time.sleep(RETRY_S)
        else:
            return


def grant_writer(admin_url: str, app: str, password: str) -> None:
    """Make the app's tables where they are missing, and the role named like the app, which may append to them.

    Run it again to set a new password. The role reads and appends its events, keeps its positions, and that is all: no
    UPDATE, DELETE or TRUNCATE of events, no schema of another service, no table of its own making.
    """
    store = EventStore(admin_url, app)
    try:
        store.create_tables()
    finally:
        store.close()
    schema, role = Identifier(app), Identifier(app)
    events, tracking = Identifier(app, f"{app}_events"), Identifier(app, f"{app}_tracking")
    _run(
        admin_url,
        app,
        password,
        SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role),
        # MAINTAIN is what locking a table needs, which keeps ids in the order of the commits.
        SQL("GRANT SELECT, INSERT, MAINTAIN ON {} TO {}").format(events, role),
        SQL("GRANT SELECT, INSERT, UPDATE ON {} TO {}").format(tracking, role),
        SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {}").format(schema, role),
    )


def grant_auditor(admin_url: str, apps: list[str], password: str) -> None:
    """Make the role that reads every service's events and positions and writes nothing."""
    grants = [
        SQL(statement).format(Identifier(app), Identifier(AUDITOR))
        for app in apps
        for statement in ("GRANT USAGE ON SCHEMA {} TO {}", "GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}")
    ]
    _run(admin_url, AUDITOR, password, *grants)


def _run(admin_url: str, role: str, password: str, *grants: Composed) -> None:
    name = Identifier(role)
    with psycopg.connect(admin_url) as connection:
        # Two preparing at the same moment would both find no role.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('gridkeeper:roles'))")
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        verb = SQL("ALTER" if known else "CREATE")
        connection.execute(SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, name, Literal(password)))
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        for grant in grants:
            connection.execute(grant)
