"""`gridkeeper audit replay`: the record folded anew, looked at in the past, decided again, or played otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
import msgspec

from gridkeeper_cli.audit_answer import answer_checked
from gridkeeper_cli.audit_decisions import DecisionReport, decide_again
from gridkeeper_cli.audit_incident import FileReport, replay_file
from gridkeeper_cli.audit_moment import past_at, past_document, read_moment
from gridkeeper_cli.audit_progress import progress_bar
from gridkeeper_cli.audit_rehearsal import history_of, rehearsal_document, rehearsed
from gridkeeper_cli.audit_replay import SOURCES, ReplayReport, Source, replay
from gridkeeper_cli.documents import Document
from gridkeeper_cli.grid_source import read_grid_file
from gridkeeper_cli.offline_servers import postgres_reached
from gridkeeper_cli.price_segments import recorded_prices
from gridkeeper_cli.record_source import FileSource, PostgresSource, RecordSource, ev_source
from gridkeeper_cli.render import facts, table
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.price import Price
from gridkeeper_core.venue.state import FillModel
from gridkeeper_runtime.datadir import read_run_file

_REPLAYED = (("app", "log"), ("events", ">events"), ("states", ">states"), ("sources", "compared"))
_DECIDED = (("service", "log"), ("decisions", ">decisions"), ("events", ">events"), ("folded", ">not decided"))
_GRIDS = (("id", "grid"), ("state", "state"), ("price", ">price"), ("position", ">position"), ("fills", ">fills"))
_ORDERS = (("intent", "order"), ("side", "side"), ("price", ">price"), ("size", ">size"), ("filled", ">filled"))
_BOOKS = (("id", "books"), ("grid_profit", ">grid profit"), ("fees", ">fees"), ("total_pnl", ">total PnL"))
_ALERTS = (("time", "told at"), ("target", "about"), ("severity", "severity"), ("text", "message"))
_ALERTS_SHOWN = 20
_FILLS: tuple[FillModel, ...] = ("touch", "through", "queue")
_EVER_NS = 2**62


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--from", "source", type=click.Choice(SOURCES), help="Only this copy of the log (default: both).")
@click.option("--at", metavar="MOMENT", default="", help="Show the state at a time, a sequence of EV, or an event.")
@click.option("--decisions", is_flag=True, help="Make every decision again and compare the events.")
@click.option("--with", "config", metavar="GRID.toml", type=click.Path(path_type=Path), help="Rehearse other settings.")
@click.option("--grid", "grid_id", metavar="ID", default="", help="With --with: the grid (default: the file's id).")
@click.option("--fill", type=click.Choice(_FILLS), default="through", show_default=True, help="With --with: fills.")
@everywhere
@pass_session
def replay_command(
    session: Session,
    file: Path | None,
    source: Source | None,
    at: str,
    decisions: bool,  # noqa: FBT001  # click passes options by name
    config: Path | None,
    grid_id: str,
    fill: FillModel,
) -> int:
    """Fold every event anew and compare the states with those of the running services.

    FILE is an incident of `audit export`: it is replayed without any server. --at shows grids, orders and books at a
    past moment. --decisions makes every decision again on its recorded input. --with plays other settings on the
    recorded prices, beside those that ran.

    \b
    Example:
      gridkeeper audit replay --from ev --json
      gridkeeper audit replay --at 2025-05-04T12:00
      gridkeeper audit replay incident.jsonl.gz --decisions
      gridkeeper audit replay --with wider.toml --grid sol-range
    """
    if sum((bool(at), decisions, config is not None)) > 1:
        raise GridkeeperError("BAD_USAGE", field="--at", expected="one of --at, --decisions and --with")
    if at:
        return asyncio.run(_at(session, file, source, at))
    if decisions:
        return asyncio.run(_decisions(session, file, source))
    if config is not None:
        return asyncio.run(_rehearse(session, file, source, config, grid_id, fill))
    if file is not None:
        return _replayed_file(session, replay_file(FileSource(file)))
    run = read_run_file(session.data_dir)
    sources = SOURCES if source is None else (source,)
    with progress_bar("Folding", json=session.json) as progress:
        report = asyncio.run(
            replay(run.postgres_url, run.nats_url, sources=sources, progress=progress, data_dir=session.data_dir)
        )
    return _replayed(session, report)


@asynccontextmanager
async def _opened(session: Session, file: Path | None, source: Source | None) -> AsyncIterator[RecordSource]:
    if file is not None:
        yield FileSource(file)
    elif source == "ev":
        async with ev_source(read_run_file(session.data_dir).nats_url, session.data_dir) as ev:
            yield ev
    elif (session.data_dir / "postgres.json").exists():
        # Also where nothing runs: a restored copy is looked at before it trades.
        with postgres_reached(session.data_dir) as postgres_url:
            yield PostgresSource(postgres_url)
    else:
        yield PostgresSource(read_run_file(session.data_dir).postgres_url)


async def _at(session: Session, file: Path | None, source: Source | None, at: str) -> int:
    moment = read_moment(at)
    if moment.needs_order and file is None:
        source = "ev"  # only EV has one order over all services
    async with _opened(session, file, source) as opened:
        document = past_document(await past_at(opened, moment))
    orders = [order for grid in document["grids"] for order in grid["orders"]]
    session.answer(
        {"moment": document},
        f"After {document['events']} events, the newest of {document['newest']}:",
        table(_GRIDS, document["grids"]),
        table(_ORDERS, orders) if orders else "No orders are wanted.",
        table(_BOOKS, document["ledger"]["grids"]),
    )
    return 0


async def _decisions(session: Session, file: Path | None, source: Source | None) -> int:
    async with _opened(session, file, source) as opened:
        report = await decide_again(opened, is_whole=file is None)
    return _decided(session, report)


async def _rehearse(
    session: Session, file: Path | None, source: Source | None, config: Path, grid_id: str, fill: FillModel
) -> int:
    other = read_grid_file(config)
    async with _opened(session, file, source) as opened:
        history = await history_of(opened, grid_id or other.config.grid_id, fill)
    document = rehearsal_document(rehearsed(history, other, lambda market: _prices(session, file, market)))
    compared = (
        {"name": name, "before": document["before"][name], "after": document["after"][name]}
        for name in ("intents", "fills", "turns", "position", "grid_profit", "fees", "funding", "total_pnl")
    )
    intents = document["intents"]
    session.answer(
        {"rehearsal": document},
        f"Grid {document['grid']} on {document['prices']} recorded prices, fills by the model {fill!r}",
        f"(the recorded run itself had {document['fills_recorded']} fills):",
        table((("name", ""), ("before", ">as it ran"), ("after", ">with the file")), compared),
        f"{intents['in_both']} orders are the same, {intents['only_before']} go, {intents['only_after']} are new.",
    )
    return 0


def _prices(session: Session, file: Path | None, market: str) -> Iterator[Price]:
    if file is not None:
        return (price for price in FileSource(file).prices() if price.market == market)
    run = read_run_file(session.data_dir)
    return recorded_prices(session.data_dir, run.postgres_url, market, 0, _EVER_NS)


def _replayed(session: Session, report: ReplayReport) -> int:
    document = {"ok": report.ok, **msgspec.to_builtins(report)}
    shown = table(_REPLAYED, document["logs"])
    if report.ok:
        states = sum(log.states for log in report.logs)
        return answer_checked(session, "replay", document, None, shown, f"{states} states are what the events say.")
    return answer_checked(session, "replay", document, report.error, shown, *[d.sentence for d in report.differences])


def _replayed_file(session: Session, report: FileReport) -> int:
    document: Document = {"ok": report.ok, **msgspec.to_builtins(report)}
    shown = facts((name, document["head"][name]) for name in ("grid", "account", "market", "release"))
    told = f"{report.events} events and {report.ticks} prices are whole."
    if report.ok:
        told += f" They come to the same {report.states} states as when the file was written."
    alerts = table(_ALERTS, document["alerts"][-_ALERTS_SHOWN:]) if report.alerts else "Nobody was told of anything."
    return answer_checked(session, "replay", document, None if report.ok else report.error, shown, told, alerts)


def _decided(session: Session, report: DecisionReport) -> int:
    document: Document = {"ok": report.ok, **msgspec.to_builtins(report)}
    lacking = [
        f"{log.service}: {count} decisions were taken as recorded. {name}."
        for log in report.logs
        for name, count in log.lacking.items()
    ]
    differences = [found.sentence for log in report.logs for found in log.differences]
    count = sum(log.decisions for log in report.logs)
    done = f"{count} decisions come out the same, byte for byte."
    shown, told = table(_DECIDED, document["logs"]), (*lacking, *(differences or [done]))
    return answer_checked(session, "decisions", document, None if report.ok else report.error, shown, *told)
