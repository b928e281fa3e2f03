"""Makes what services need before they start: streams, tables, and a database role for each (`python -m` this)."""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from gridkeeper_bus.connection import connect
from gridkeeper_bus.permissions import PRODUCERS
from gridkeeper_bus.streams import declare_all
from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_eventlog.roles import AUDITOR, grant_auditor, grant_writer, wait_for
from gridkeeper_runtime.life import run_until_stopped
from gridkeeper_runtime.settings import Secret, Settings, read_settings

PREFIX = "GRIDKEEPER_PROVISION_"
PATIENCE_S = 60.0


class ProvisionSettings(Settings, frozen=True, kw_only=True):
    """Both URLs are of administrators. `passwords` is a JSON object: role (`strategy_0`, `auditor`) -> password.

    `replicas`: how many NATS servers hold each stream.
    """

    nats_url: Secret
    postgres_url: Secret
    passwords: Secret
    shard: int = 0
    replicas: int = 1


def roles(shard: int) -> tuple[str, ...]:
    """Every database role of a shard: one per service that writes a log, named like the log, and the auditor."""
    return (*_apps(shard), AUDITOR)


async def provision(settings: ProvisionSettings) -> None:
    """Make all of it, or what is missing; new passwords replace old ones.

    Raises GridkeeperError STORE_LOST, SERVER_FAILED; MISSING_KEY for a role without a password.
    """
    passwords = msgspec.json.decode(settings.passwords, type=dict[str, str])
    for role in roles(settings.shard):
        if role not in passwords:
            raise GridkeeperError("MISSING_KEY", field=f"passwords.{role}")
    await asyncio.to_thread(_make_roles, settings.postgres_url, _apps(settings.shard), passwords)
    bus = await connect(settings.nats_url, "gridkeeper-provision", patience_s=PATIENCE_S)
    try:
        await declare_all(bus, replicas=settings.replicas)
    finally:
        await bus.close()


def _apps(shard: int) -> list[str]:
    return [names.app_name(service, shard) for service in PRODUCERS]


def _make_roles(url: str, apps: list[str], passwords: dict[str, str]) -> None:
    wait_for(url, PATIENCE_S)
    for app in apps:
        grant_writer(url, app, passwords[app])
    grant_auditor(url, apps, passwords[AUDITOR])


def main() -> int:
    """The exit code: 0 done, 1 failed, 2 wrong settings."""
    try:
        settings = read_settings(ProvisionSettings, PREFIX, os.environ)
    except GridkeeperError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return run_until_stopped(lambda _stop: provision(settings), service="provision")


if __name__ == "__main__":
    sys.exit(main())
