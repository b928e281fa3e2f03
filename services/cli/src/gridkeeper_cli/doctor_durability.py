"""What the doctor looks at of the servers' promise that nothing acknowledged is lost in a power cut."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from gridkeeper_cli.doctor_check import Check, fail, ok, warn
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_eventlog.durability import settings_that_lose
from gridkeeper_runtime.datadir import RunFile

NATS_CONFIG = Path("nats") / "nats.conf"
_SYNC_INTERVAL = re.compile(r'^\s*sync_interval\s*[:=]\s*"?(\w+)"?\s*$', re.MULTILINE)


async def durability_checks(data_dir: Path, run: RunFile) -> list[Check]:
    """One for each server."""
    return [_nats(data_dir), await _postgresql(run)]


def _nats(data_dir: Path) -> Check:
    """A server tells nobody its `sync_interval`, so only the configuration we wrote ourselves can be looked at."""
    title = "power cut nats"
    try:
        text = (data_dir / NATS_CONFIG).read_text("utf-8")
    except OSError:
        told = "Not known: NATS does not tell its sync_interval, and its configuration is not in the data directory."
        return warn(title, told, "See that it is `always`.")
    found = _SYNC_INTERVAL.search(text)
    interval = found.group(1) if found else "2m, the server's default"
    if interval == "always":
        return ok(title, "sync_interval is always: what is acknowledged is on the disk.")
    return fail(title, f"sync_interval is {interval}: so much may be lost.", "Set it to `always` and start NATS again.")


async def _postgresql(run: RunFile) -> Check:
    title = "power cut postgresql"
    try:
        losing = await asyncio.to_thread(settings_that_lose, run.postgres_url)
    except GridkeeperError as error:
        return fail(title, error.detail, "See logs/postgres.log in the data directory.")
    if losing:
        told = ", ".join(f"{name} is {value}" for name, value in losing.items())
        return fail(title, f"What was committed may be lost: {told}.", "Turn it on; checksums with `pg_checksums`.")
    return ok(title, "fsync, synchronous_commit, full_page_writes and data_checksums are on.")
