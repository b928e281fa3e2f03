"""`gridkeeper audit`: proves that the record is whole and that the states are what it says."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import msgspec
from rich.console import RenderableType

from gridkeeper_cli.audit_progress import progress_bar
from gridkeeper_cli.audit_replay import SOURCES, ReplayReport, Source, replay
from gridkeeper_cli.audit_verify import VerifyReport, verify
from gridkeeper_cli.group import DONE, REFUSED
from gridkeeper_cli.render import table
from gridkeeper_cli.session import Session, everywhere, json_text, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.datadir import read_run_file

_VERIFIED = (("app", "log"), ("streams", ">streams"), ("events", ">in PostgreSQL"), ("on_ev", ">on EV"))
_REPLAYED = (("app", "log"), ("events", ">events"), ("states", ">states"), ("sources", "compared"))


@click.group()
def audit() -> None:
    """Prove the record: nothing missing, nothing changed, and every state follows from it.

    \b
    Example:
      gridkeeper audit verify
    """


@audit.command("verify")
@everywhere
@pass_session
def verify_command(session: Session) -> int:
    """Check every event ever recorded, in PostgreSQL and on EV.

    Per stream: versions without a hole, each event chained to the stored bytes before it, one writer; and both copies
    the same, byte for byte. Services may go on working.

    \b
    Example:
      gridkeeper audit verify --json
    """
    run = read_run_file(session.data_dir)
    with progress_bar("Checking", json=session.json) as progress:
        report = asyncio.run(verify(run.postgres_url, run.nats_url, progress=progress))
    return answer_verified(session, report)


@audit.command("replay")
@click.option("--from", "source", type=click.Choice(SOURCES), help="Only this copy of the log (default: both).")
@everywhere
@pass_session
def replay_command(session: Session, source: Source | None) -> int:
    """Fold every event anew, and compare the states with those of the running services.

    \b
    Example:
      gridkeeper audit replay
      gridkeeper audit replay --from ev --json
    """
    run = read_run_file(session.data_dir)
    sources = SOURCES if source is None else (source,)
    with progress_bar("Folding", json=session.json) as progress:
        report = asyncio.run(replay(run.postgres_url, run.nats_url, sources=sources, progress=progress))
    return _answer_replayed(session, report)


def answer_verified(session: Session, report: VerifyReport) -> int:
    """Show it; the exit code."""
    document = {"ok": report.ok, **msgspec.to_builtins(report)}
    events = sum(log.events for log in report.logs)
    shown = table(_VERIFIED, document["logs"])
    if report.ok:
        sentence = f"{events} events are whole, chained, and the same in both copies."
        return _answer(session, "audit", document, None, shown, sentence)
    first = [found.sentence for found in report.findings[:10]]
    return _answer(session, "audit", document, report.error, shown, *first)


def _answer_replayed(session: Session, report: ReplayReport) -> int:
    document = {"ok": report.ok, **msgspec.to_builtins(report)}
    shown = table(_REPLAYED, document["logs"])
    if report.ok:
        states = sum(log.states for log in report.logs)
        return _answer(session, "replay", document, None, shown, f"{states} states are what the events say.")
    return _answer(session, "replay", document, report.error, shown, *[d.sentence for d in report.differences])


def _answer(
    session: Session, name: str, document: dict[str, Any], error: GridkeeperError | None, *text: RenderableType
) -> int:
    """With --json a failed check is one document too: the error, and the report beside it."""
    if error is None:
        session.answer({name: document}, *text)
        return DONE
    if session.json:
        click.echo(json_text({"error": error.as_dict(), name: document}))
    else:
        session.answer({}, *text)
        session.refuse(error)
    return REFUSED
