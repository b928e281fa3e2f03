"""`gridkeeper audit export`: parts of the record in a file, to be kept or looked at elsewhere."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from pathlib import Path

import click
import msgspec

from gridkeeper_cli.audit_incident import Written, about, write_incident
from gridkeeper_cli.audit_logs import SERVICES
from gridkeeper_cli.documents import iso_now
from gridkeeper_cli.price_segments import recorded_prices
from gridkeeper_cli.record_reading import log_opened
from gridkeeper_cli.record_source import ev_source
from gridkeeper_cli.session import Session, everywhere, json_text, pass_session
from gridkeeper_core.audit.heads import KeptHeads, LogHeads
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.names import app_name
from gridkeeper_core.times import parse_time_ns
from gridkeeper_runtime.datadir import RunFile, read_run_file

_EVER_NS = 2**62


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--heads", is_flag=True, help="Version and hash of every stream's newest event.")
@click.option("--incident", metavar="GRID", default="", help="All that concerns a grid: events, prices, settings.")
@click.option("--from", "since", metavar="TIME", default="", help="With --incident: prices from then on (UTC).")
@click.option("--to", "until", metavar="TIME", default="", help="With --incident: events and prices until then (UTC).")
@everywhere
@pass_session
def export_command(session: Session, file: Path | None, heads: bool, incident: str, since: str, until: str) -> None:  # noqa: FBT001
    """Write heads to keep elsewhere, or one file that shows what happened to a grid.

    Heads that lie on another machine reveal later whether the end of a stream was cut off (`audit verify --heads`). An
    incident holds the account's events up to --to with what people were told of them, the prices of the interval,
    settings and release; `audit replay FILE` opens it anywhere.

    \b
    Example:
      gridkeeper audit export --heads kept.json
      gridkeeper audit export --incident sol-range --from 2025-05-04 --to 2025-05-05
    """
    if heads == bool(incident):
        raise GridkeeperError("BAD_USAGE", field="--heads", expected="either --heads or --incident GRID")
    run = read_run_file(session.data_dir)
    if heads:
        _export_heads(session, run, file)
        return
    interval = (
        parse_time_ns(since, "--from") if since else 0,
        parse_time_ns(until, "--to") if until else _EVER_NS,
    )
    path = file or Path(f"{incident}.incident.jsonl.gz")
    written = asyncio.run(_export_incident(session, run, incident, interval, path))
    told = f"{written.events} events and {written.ticks} prices of {incident} are in {path}."
    session.answer({"export": {"file": str(path), **msgspec.to_builtins(written)}}, told)


async def _export_incident(
    session: Session, run: RunFile, grid_id: str, interval: tuple[int, int], path: Path
) -> Written:
    async with ev_source(run.nats_url, session.data_dir) as source:
        concerned = await about(source, grid_id)
        market = concerned.proposed.config.market
        prices = recorded_prices(session.data_dir, run.postgres_url, market, *interval)
        return await write_incident(source, concerned, prices, interval, path)


def _export_heads(session: Session, run: RunFile, file: Path | None) -> None:
    kept = KeptHeads(
        taken_at=iso_now(),
        release=version("gridkeeper-core"),
        shard=0,
        logs={app_name(service, 0): _heads_of(run.postgres_url, service) for service in SERVICES},
    )
    text = json_text(msgspec.to_builtins(kept)) + "\n"
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise GridkeeperError("BAD_FILE", field="file", value=file, detail=error.strerror or "") from error
    streams = sum(len(log.streams) for log in kept.logs.values())
    session.answer(
        {"export": {"file": str(file), "streams": streams}}, f"The heads of {streams} streams are in {file}."
    )


def _heads_of(postgres_url: str, service: str) -> LogHeads:
    with log_opened(postgres_url, service) as store:
        head_id = store.head_id()
        return LogHeads(
            head_id=head_id, streams={name: (head.version, head.hash) for name, head in sorted(store.heads().items())}
        )
