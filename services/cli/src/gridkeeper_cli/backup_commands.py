"""`gridkeeper backup` and `gridkeeper restore`."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from pathlib import Path

import click

from gridkeeper_cli.audit_commands import answer_verified
from gridkeeper_cli.audit_progress import progress_bar
from gridkeeper_cli.backup import load_dump, missing, place_files, unpacked, write_backup
from gridkeeper_cli.eventlog_rebuild import rebuild_ev
from gridkeeper_cli.group import DONE
from gridkeeper_cli.offline_servers import offline_servers, postgres_reached, require_cluster
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@everywhere
@pass_session
def backup(session: Session, file: Path) -> None:
    """Write everything the data directory needs to trade again into one file, running or stopped.

    The file holds the signing keys of the data directory: keep it as you keep them.

    \b
    Example:
      gridkeeper backup /safe/gridkeeper-2026-01-31.tar.gz
    """
    data_dir = session.data_dir
    require_cluster(data_dir)
    with postgres_reached(data_dir) as postgres_url:
        manifest = write_backup(file.absolute(), data_dir, postgres_url, version("gridkeeper-cli"))
    document = {
        "file": str(file),
        "made_at": manifest.made_at,
        "streams": manifest.streams,
        "events": manifest.events,
        "bytes": file.stat().st_size,
    }
    session.answer(
        {"backup": document},
        f"{file} holds {manifest.events} events of {manifest.streams} streams, settings, and signing keys.",
    )


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@everywhere
@pass_session
def restore(session: Session, file: Path) -> int:
    """Make a data directory from a backup, and prove that it is whole; then `gridkeeper up` trades on.

    The data directory must be empty or missing. What happened on the venue after the backup is found at the start;
    orders that the record does not know are shown as foreign by `gridkeeper account show`.

    \b
    Example:
      gridkeeper restore /safe/gridkeeper-2026-01-31.tar.gz --data-dir ~/restored
    """
    data_dir = session.data_dir
    if data_dir.exists() and any(data_dir.iterdir()):
        raise GridkeeperError(
            "BAD_FILE", field="data dir", value=data_dir, expected="an empty folder", do="Choose another --data-dir."
        )
    with unpacked(file) as (manifest, folder):
        place_files(folder, data_dir)
        with offline_servers(data_dir) as (nats_url, postgres_url):
            load_dump(folder, postgres_url)
            if lost := missing(manifest, postgres_url):
                raise GridkeeperError(
                    "CHAIN_BROKEN", field=lost[0], detail="The backup does not hold its newest event."
                )
            with progress_bar("Publishing", json=session.json) as progress:
                report = asyncio.run(rebuild_ev(postgres_url, nats_url, progress=progress))
    if not report.verified.ok:
        return answer_verified(session, report.verified)
    events = sum(log.events for log in report.verified.logs)
    session.answer(
        {"restore": {"data_dir": str(data_dir), "events": events, "made_at": manifest.made_at}},
        f"{data_dir} holds {events} events as of {manifest.made_at}; every chain is whole, and EV was made anew.",
        f"Go on with: gridkeeper up --data-dir {data_dir}",
    )
    return DONE
