"""`gridkeeper audit`: proves that the record is whole and that the states are what it says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec

from gridkeeper_cli.audit_answer import answer_checked
from gridkeeper_cli.audit_export_command import export_command
from gridkeeper_cli.audit_progress import progress_bar
from gridkeeper_cli.audit_replay_command import replay_command
from gridkeeper_cli.audit_verify import VerifyReport, verify
from gridkeeper_cli.price_segments import check_segments, segments_of
from gridkeeper_cli.render import counted, table
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.audit.heads import read_heads
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.datadir import read_run_file

_VERIFIED = (("app", "log"), ("streams", ">streams"), ("events", ">in PostgreSQL"), ("on_ev", ">on EV"))


@click.group()
def audit() -> None:
    """Prove the record: nothing missing, nothing changed, and every state follows from it.

    \b
    Example:
      gridkeeper audit verify
    """


@audit.command("verify")
@click.option("--heads", metavar="FILE", type=click.Path(path_type=Path), help="Also compare with heads kept earlier.")
@click.option("--no-prices", is_flag=True, help="Leave out the files of prices, where they are on another machine.")
@everywhere
@pass_session
def verify_command(session: Session, heads: Path | None, no_prices: bool) -> int:  # noqa: FBT001  # click's way
    """Check every event ever recorded, in PostgreSQL and on EV, and every file of prices.

    Per stream: versions without a hole, each event chained to the stored bytes before it, one writer; and both copies
    the same, byte for byte. Heads that were kept earlier reveal an end that was cut off. Services may go on working.

    \b
    Example:
      gridkeeper audit verify --heads kept.json --json
    """
    run = read_run_file(session.data_dir)
    kept = read_heads(_content(heads), str(heads)).logs if heads is not None else None
    with progress_bar("Checking", json=session.json) as progress:
        report = asyncio.run(
            verify(run.postgres_url, run.nats_url, progress=progress, kept=kept, data_dir=session.data_dir)
        )
    if not no_prices:
        segments = segments_of(run.postgres_url)
        report = report.with_files(len(segments), check_segments(session.data_dir, segments))
    return answer_verified(session, report)


for _command in (replay_command, export_command):
    audit.add_command(_command)


def answer_verified(session: Session, report: VerifyReport) -> int:
    """Show it; the exit code."""
    document = {"ok": report.ok, **msgspec.to_builtins(report)}
    events = sum(log.events for log in report.logs)
    shown = table(_VERIFIED, document["logs"])
    if report.ok:
        sentence = f"{events} events are whole, chained, and the same in both copies."
        if report.segments:
            sentence += f" Prices are as recorded ({counted(report.segments, 'file')})."
        return answer_checked(session, "audit", document, None, shown, sentence)
    first = [found.sentence for found in report.findings[:10]]
    return answer_checked(session, "audit", document, report.error, shown, *first)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise GridkeeperError("BAD_FILE", field="--heads", value=path, detail=error.strerror or "") from error
