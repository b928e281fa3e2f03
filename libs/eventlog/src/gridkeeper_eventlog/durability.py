"""Reads the settings of PostgreSQL on which it depends whether a power cut can take back what was committed."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from gridkeeper_core.errors import GridkeeperError

CONNECT_TIMEOUT_S = 3
NEEDED: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "data_checksums": "on",
}
_AS_GOOD = {"synchronous_commit": {"remote_apply"}}


def settings_that_lose(url: str) -> dict[str, str]:
    """Name -> value of each setting that is not as needed; empty when all are. Blocks.

    Raises GridkeeperError STORE_LOST when the server cannot be asked.
    """
    names = list(NEEDED)
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            rows = connection.execute(
                "SELECT name, setting FROM pg_settings WHERE name = ANY(%s) ORDER BY name", [names]
            ).fetchall()
    except psycopg.OperationalError as error:
        raise GridkeeperError("STORE_LOST", field="PostgreSQL", detail=f"It cannot be reached: {error}") from error
    return {name: value for name, value in rows if value not in {NEEDED[name]} | _AS_GOOD.get(name, set())}
