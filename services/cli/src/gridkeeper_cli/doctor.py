"""`gridkeeper doctor`: looks at everything that must be well, and says what to do where it is not."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import click
import msgspec

from gridkeeper_bus.connection import connect
from gridkeeper_cli.doctor_check import Check, fail
from gridkeeper_cli.doctor_durability import durability_checks
from gridkeeper_cli.doctor_machine import machine_checks
from gridkeeper_cli.doctor_services import service_checks, store_checks, stream_checks
from gridkeeper_cli.doctor_trading import trading_checks
from gridkeeper_cli.group import DONE, REFUSED
from gridkeeper_cli.render import table
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.datadir import RunFile

CONNECT_PATIENCE_S = 5.0
_COLUMNS = (("status", ""), ("name", "what"), ("told", "found"), ("do", "what to do"))


@click.command()
@everywhere
@pass_session
def doctor(session: Session) -> int:
    """Look at everything that must be well; ends with 1 when something fails.

    \b
    Example:
      gridkeeper doctor
      gridkeeper doctor --json
    """
    checks = asyncio.run(examine(session.data_dir))
    counts = Counter(check.status for check in checks)
    document = {"ok": not counts["fail"], "checks": msgspec.to_builtins(checks)}
    summary = f"{counts['ok']} ok, {counts['warn']} to know, {counts['fail']} failed."
    session.answer({"doctor": document}, table(_COLUMNS, document["checks"]), summary)
    return REFUSED if counts["fail"] else DONE


async def examine(data_dir: Path) -> list[Check]:
    """Every check that can be made on what is there."""
    checks, run = machine_checks(data_dir)
    return checks if run is None else checks + await _examine_running(data_dir, run)


async def _examine_running(data_dir: Path, run: RunFile) -> list[Check]:
    services = [*await service_checks(run), *await durability_checks(data_dir, run)]
    try:
        bus = await connect(run.nats_url, "gridkeeper-doctor", patience_s=CONNECT_PATIENCE_S)
    except GridkeeperError as error:
        return [*services, fail("nats", error.detail, "See logs/nats.log in the data directory.")]
    try:
        streams = await stream_checks(bus)
        return [*services, *streams, *await store_checks(bus, run), *await trading_checks(bus, run)]
    finally:
        await bus.close()
