"""`gridkeeper eventlog`: work on the record's copies while nothing runs."""

from __future__ import annotations

import asyncio

import click
import msgspec

from gridkeeper_cli.audit_commands import answer_verified
from gridkeeper_cli.audit_progress import progress_bar
from gridkeeper_cli.eventlog_rebuild import rebuild_ev
from gridkeeper_cli.eventlog_rotate import rotate_ev
from gridkeeper_cli.group import DONE
from gridkeeper_cli.offline_servers import offline_servers, require_cluster
from gridkeeper_cli.sealed_log import FOLDER
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError


@click.group()
def eventlog() -> None:
    """Work on the event log itself, while Gridkeeper is stopped.

    \b
    Example:
      gridkeeper eventlog rebuild --yes
    """


@eventlog.command("rebuild")
@click.option("--yes", is_flag=True, help="Do it; without it only what would happen is said.")
@everywhere
@pass_session
def rebuild_command(session: Session, yes: bool) -> int:  # noqa: FBT001  # click passes options by name
    """Delete the event stream EV and make it anew from PostgreSQL, every event byte for byte.

    Gridkeeper must be stopped: the servers are started for this alone. PostgreSQL is proven whole before anything is
    deleted, and both copies are compared afterwards.

    \b
    Example:
      gridkeeper eventlog rebuild --yes
    """
    data_dir = session.data_dir
    require_cluster(data_dir)
    if not yes:
        raise GridkeeperError(
            "BAD_USAGE",
            field="--yes",
            expected="--yes",
            detail="EV would be deleted and made anew from PostgreSQL.",
            do="Stop Gridkeeper, then add --yes.",
        )
    with (
        offline_servers(data_dir) as (nats_url, postgres_url),
        progress_bar("Publishing", json=session.json) as progress,
    ):
        report = asyncio.run(rebuild_ev(postgres_url, nats_url, progress=progress))
    if not report.verified.ok:
        return answer_verified(session, report.verified)
    count = sum(report.published.values())
    session.answer(
        {"rebuild": {"events": count, "published": report.published}},
        f"EV was made anew with {count} events. Both copies are the same, byte for byte.",
    )
    return DONE


@eventlog.command("rotate")
@click.option("--yes", is_flag=True, help="Do it; without it only what would happen is said.")
@everywhere
@pass_session
def rotate_command(session: Session, yes: bool) -> int:  # noqa: FBT001  # click passes options by name
    """Seal what EV holds into a file and begin EV anew, when it has grown too large.

    Gridkeeper must be stopped. Both copies are proven the same before; nothing is deleted in PostgreSQL. The sealed
    file stays in the data directory, under `sealed`, and is part of `audit verify` and `audit replay` from then on.

    \b
    Example:
      gridkeeper eventlog rotate --yes
    """
    data_dir = session.data_dir
    require_cluster(data_dir)
    if not yes:
        raise GridkeeperError(
            "BAD_USAGE",
            field="--yes",
            expected="--yes",
            detail="What EV holds would be sealed into a file, and EV would begin anew.",
            do="Stop Gridkeeper, then add --yes.",
        )
    with (
        offline_servers(data_dir) as (nats_url, postgres_url),
        progress_bar("Checking", json=session.json) as progress,
    ):
        report = asyncio.run(rotate_ev(data_dir, postgres_url, nats_url, progress=progress))
    if not report.verified.ok:
        return answer_verified(session, report.verified)
    part = report.part
    session.answer(
        {"rotate": {"carried": report.carried, **msgspec.to_builtins(part)}},
        f"{part.events} events are sealed in {data_dir / FOLDER / part.file}.",
        f"EV begins anew with {report.carried} of them. Nothing is missing in either copy.",
    )
    return DONE
