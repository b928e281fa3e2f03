"""`gridkeeper ledger export`: statements for spreadsheets and tax, the same bytes from the same events for ever."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec

from gridkeeper_cli.documents import Document, iso_utc, optional_e6
from gridkeeper_cli.record_reading import log_opened, rows_of
from gridkeeper_cli.session import Session, everywhere, json_text, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import SolCounted
from gridkeeper_core.ledger.cost_basis import METHODS, Method
from gridkeeper_core.ledger.export import EventRange, ExportFold, ExportRow, Survey, WalletFold
from gridkeeper_core.names import app_name, split_stream
from gridkeeper_core.record import decode
from gridkeeper_core.times import parse_time_ns
from gridkeeper_core.units import E9, NS_PER_S, decimal_text, e6_text, e9_text
from gridkeeper_eventlog.store import EventStore
from gridkeeper_runtime.datadir import read_run_file

Format = Literal["csv", "koinly", "json"]
FORMATS: tuple[Format, ...] = ("csv", "koinly", "json")
QUOTE_ASSET = "USDC"
_KINDS = ("account", "tx")
_NEWEST = 1_000
"""Among so many of the newest events of a wallet is always a count: a reading has at most half as many moves."""
_KOINLY = (
    "Date",
    "Sent Amount",
    "Sent Currency",
    "Received Amount",
    "Received Currency",
    "Fee Amount",
    "Fee Currency",
    "Net Worth Amount",
    "Net Worth Currency",
    "Label",
    "Description",
    "TxHash",
)
_REALIZED, _PAID = "realized gain", "margin fee"
_KOINLY_LABELS = {
    "opening": "",
    "transfer": "",
    "interest": "",
    "sol_fee": "cost",
    "sol_rent_paid": "cost",
    "adoption": "",
    "settlement": "",
}


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of an interval, and the events they were made from."""

    method: Method
    rows: tuple[ExportRow, ...]
    range: EventRange


@click.command("export")
@click.option("--format", "kind", type=click.Choice(FORMATS), default="csv", show_default=True, help="The layout.")
@click.option("--method", type=click.Choice(METHODS), default="wac", show_default=True, help="How cost is matched.")
@click.option("--account", metavar="A", default="", help="Only this account (default: all).")
@click.option("--from", "since", metavar="TIME", default="", help="Only what was recorded from then on (UTC).")
@click.option("--to", "until", metavar="TIME", default="", help="Only what was recorded before then (UTC).")
@click.option("--tz", "zone", metavar="ZONE", default="", help="Also show times of this zone, such as Europe/Rome.")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write to a file.")
@everywhere
@pass_session
def export(
    session: Session,
    kind: Format,
    method: Method,
    account: str,
    since: str,
    until: str,
    zone: str,
    out: Path | None,
) -> None:
    """Write every trade, fee, funding payment and transfer, with realised PnL by a method of cost basis.

    The same events always give the same bytes. Each row names its event, and the hash of the whole range of events is
    part of the export. With --to an export stays the same while trading goes on.

    \b
    Example:
      gridkeeper ledger export --format koinly --method fifo --from 2025-01-01 --to 2026-01-01 --out 2025.csv
    """
    shown_in = _zone(zone)
    from_ns = parse_time_ns(since, "--from") if since else 0
    to_ns = parse_time_ns(until, "--to") if until else None
    made = exported(read_run_file(session.data_dir).postgres_url, method, account, from_ns, to_ns)
    if out is None:
        click.echo(written(made, "json" if session.json else kind, shown_in), nl=False)
        return
    try:
        out.write_bytes(written(made, kind, shown_in).encode())
    except OSError as error:
        raise GridkeeperError("BAD_FILE", field="--out", value=out, detail=error.strerror or "") from error
    told = f"{len(made.rows)} rows from {made.range.events} events, SHA-256 {made.range.sha256}, are in {out}."
    session.answer({"file": str(out), "rows": len(made.rows), "events": msgspec.to_builtins(made.range)}, told)


def exported(postgres_url: str, method: Method, account: str, from_ns: int, to_ns: int | None) -> Export:
    """Read the record twice: what was taken back and the hash, then the rows."""

    with log_opened(postgres_url, "execution") as store:
        end, wallets = store.head_id(), _wallets(store, account)

        def wants(name: str) -> bool:
            stream_kind, alias = split_stream(name)
            return name in wallets or (stream_kind in _KINDS and account in ("", alias))

        survey = Survey(app_name("execution", 0), to_ns)
        for row in rows_of(store, wants, end):
            survey.take(row.id, row.state, decode(row.state))
        paid: set[str] = set()
        folds: dict[str, ExportFold | WalletFold] = {name: WalletFold(wallets[name], paid) for name in wallets}
        rows: list[ExportRow] = []
        for row in rows_of(store, wants, survey.range.last_id):
            event = decode(row.state)
            name = row.stream if row.stream in wallets else split_stream(row.stream)[1]
            fold = folds.setdefault(name, ExportFold(method, survey.undone, paid))
            rows += [made for made in fold.take(event) if from_ns <= made.ts_ns]
    if account and account not in folds:
        raise GridkeeperError("ACCOUNT_UNKNOWN", field="account", value=account)
    return Export(method=method, rows=tuple(rows), range=survey.range)


def _wallets(store: EventStore, account: str) -> dict[str, str]:
    """Streams of wallets, each with an account that it signs for; a shared one belongs to no single account."""
    found: dict[str, str] = {}
    for name, head in store.heads().items():
        if split_stream(name)[0] != "wallet":
            continue
        newest = (decode(row.state).fact for row in reversed(store.stream(name, max(0, head.version - _NEWEST))))
        counted = next((fact for fact in newest if isinstance(fact, SolCounted)), None)
        if counted is not None and (not account or counted.accounts == (account,)):
            found[name] = counted.accounts[0]
    return found


def written(made: Export, kind: Format, zone: tzinfo | None) -> str:
    """The whole export as text."""
    match kind:
        case "csv":
            documents = [
                {**_document(row, zone), "method": made.method, "range_sha256": made.range.sha256} for row in made.rows
            ]
            header = list(documents[0]) if documents else ["time"]
            return _csv(header, (["" if v is None else v for v in document.values()] for document in documents))
        case "koinly":
            return _csv(_KOINLY, _koinly_rows(made))
        case "json":
            rows = [_document(row, zone) for row in made.rows]
            whole = {"method": made.method, "events": msgspec.to_builtins(made.range), "rows": rows}
            return json_text({"export": whole}) + "\n"


def _csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def _document(row: ExportRow, zone: tzinfo | None) -> Document:
    local = {} if zone is None else {"local_time": _in_zone(row.ts_ns, zone)}
    return {
        "time": iso_utc(row.ts_ns),
        **local,
        "account": row.account,
        "kind": row.kind,
        "market": row.market,
        "side": row.side,
        "size": e9_text(row.size_e9) if row.size_e9 else None,
        "price": optional_e6(row.price_e6),
        "quote": e6_text(row.quote_e6),
        "fee": e6_text(row.fee_e6),
        "preliminary": "yes" if row.preliminary else "",
        "realized_pnl": e6_text(row.realized_pnl_e6),
        "position": None if row.position_e9 is None else e9_text(row.position_e9),
        "average_price": optional_e6(row.average_price_e6),
        "sol": decimal_text(row.lamports, E9) if row.lamports else None,
        "signature": row.signature,
        "event": row.event,
    }


def _koinly_rows(made: Export) -> Iterator[list[str]]:
    """Outcomes only: a perpetual is never bought, so its trades are gains and losses of the quote asset."""
    for row in made.rows:
        description = f"{row.kind} {row.market} {row.event} of {made.range.sha256}".replace("  ", " ")
        for amount, currency, label in _koinly_amounts(row):
            text = decimal_text(abs(amount), 10**6 if currency == QUOTE_ASSET else E9)
            sent = [text, currency, "", ""] if amount < 0 else ["", "", text, currency]
            moment = datetime.fromtimestamp(row.ts_ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            yield [moment, *sent, "", "", "", "", label, description, row.signature]


def _koinly_amounts(row: ExportRow) -> Iterator[tuple[int, str, str]]:
    if row.lamports:
        yield row.lamports, "SOL", _KOINLY_LABELS.get(row.kind, "")
    elif row.side:
        if row.realized_pnl_e6:
            yield row.realized_pnl_e6, QUOTE_ASSET, _REALIZED
        if row.fee_e6:
            yield -row.fee_e6, QUOTE_ASSET, _PAID if row.fee_e6 > 0 else _REALIZED
    elif row.quote_e6 and row.kind != "settlement":
        label = _KOINLY_LABELS.get(row.kind, _PAID if row.quote_e6 < 0 else _REALIZED)
        yield row.quote_e6, QUOTE_ASSET, label


def _zone(name: str) -> tzinfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise GridkeeperError("BAD_VALUE", field="--tz", value=name, expected="a zone such as Europe/Rome") from error


def _in_zone(ts_ns: int, zone: tzinfo) -> str:
    moment = datetime.fromtimestamp(ts_ns // NS_PER_S, zone).replace(microsecond=ts_ns // 1000 % 10**6)
    return moment.isoformat(timespec="microseconds")
