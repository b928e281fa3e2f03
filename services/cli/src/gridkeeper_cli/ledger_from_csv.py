"""`gridkeeper ledger from-csv`: the cost basis of fills from a file, needing no running Gridkeeper."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TextIO, cast

import click

from gridkeeper_cli.documents import Document, iso_utc, optional_e6
from gridkeeper_cli.render import table
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.ledger.cost_basis import METHODS, Method
from gridkeeper_core.ledger.foreign_fills import (
    COLUMNS,
    FEES,
    Column,
    Fees,
    FillRow,
    ForeignFill,
    fill_rows,
    in_time_order,
    market_totals,
    read_fill,
)
from gridkeeper_core.units import e6_text, e9_text

_GZIP_MAGIC = b"\x1f\x8b"
_SHOWN = (
    ("line", ">line"),
    ("time", "time"),
    ("market", "market"),
    ("side", "side"),
    ("size", ">size"),
    ("quote", ">quote"),
    ("fee", ">fee"),
    ("realized_pnl", ">realised"),
    ("position", ">position"),
    ("average_price", ">average"),
)
_ROWS_SHOWN = 50


def _mapped(command: click.decorators.FC) -> click.decorators.FC:
    for column in reversed(COLUMNS):
        option = click.option(f"--{column}", metavar="NAME", default="", help=f"The file's column for {column}.")
        command = option(command)
    return command


@click.command("from-csv")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--method", type=click.Choice(METHODS), default="wac", show_default=True, help="How cost is matched.")
@click.option(
    "--fees", type=click.Choice(FEES), default="apart", show_default=True, help="Beside the result, or in the cost."
)
@_mapped
@everywhere
@pass_session
def from_csv(session: Session, /, file: Path, method: Method, fees: Fees, **names: str) -> None:
    """Work out realised PnL and position of the fills in a CSV file, row by row.

    The header names the columns, in any order and without regard to case: time, market, side, price, size, fee, and
    quote where the exact amount is known. Side, size and a price or quote are needed. Rows are taken oldest first.

    \b
    Example:
      gridkeeper ledger from-csv fills.csv --method fifo --json
      gridkeeper ledger from-csv export.csv --time "Date(UTC)" --size Executed
    """
    with _opened(file) as text:
        fills = in_time_order(list(_read(text, file, {c: names[c] for c in COLUMNS if names[c]})))
    rows = fill_rows(method, fills, fees)
    shown = [_row(row) for row in rows]
    totals = _totals(rows, method, fees)
    cut = [] if len(shown) <= _ROWS_SHOWN else [f"({len(shown) - _ROWS_SHOWN} rows before these are not shown.)"]
    realized, paid = totals["realized_pnl"], totals["fees"]
    sentence = f"{len(rows)} fills by {method}: realised {realized}, fees {paid}, net {totals['net_pnl']}."
    session.answer({"rows": shown, "totals": totals}, *cut, table(_SHOWN, shown[-_ROWS_SHOWN:]), sentence)


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    try:
        with file.open("rb") as raw:
            packed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            content = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw
            with TextIOWrapper(content, encoding="utf-8-sig", newline="") as text:
                yield text
    except (UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile, csv.Error) as error:
        raise GridkeeperError("BAD_DATA", field=str(file), detail=str(error)) from error
    except OSError as error:
        raise GridkeeperError("BAD_FILE", field="file", value=file, detail=error.strerror or "") from error


def _read(text: TextIO, file: Path, names: Mapping[Column, str]) -> Iterator[ForeignFill]:
    sample = text.readline()
    reader = csv.reader([sample], delimiter=_delimiter(sample))
    header = [cell.strip().lower() for cell in next(reader, [])]
    places = _places(header, file, names)
    body = csv.reader(text, delimiter=_delimiter(sample))
    for row in body:
        if not any(cell.strip() for cell in row):
            continue
        line = body.line_num + 1
        if len(row) < len(header):
            raise GridkeeperError(
                "BAD_DATA", field=f"line {line}", value=",".join(row)[:80], expected=f"{len(header)} columns"
            )
        yield read_fill({column: row[place] for column, place in places.items()}, line)


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _places(header: list[str], file: Path, names: Mapping[Column, str]) -> dict[Column, int]:
    places: dict[Column, int] = {}
    for column in COLUMNS:
        wanted = names.get(column, column).strip().lower()
        if wanted in header:
            places[column] = header.index(wanted)
        elif column in names:
            raise GridkeeperError(
                "BAD_VALUE", field=f"--{column}", value=names[column], expected=" or ".join(filter(None, header))
            )
    missing = [column for column in ("side", "size") if column not in places]
    if not {"price", "quote"} & places.keys():
        missing.append("price")
    if missing:
        raise GridkeeperError(
            "BAD_DATA",
            field=f"{file}, header",
            value=",".join(header)[:120],
            expected=f"a column {' and '.join(missing)}",
            do=f"Name it, for example --{missing[0]} NAME.",
        )
    return places


def _row(row: FillRow) -> Document:
    fill, basis = row.fill, row.basis
    return {
        "line": fill.line,
        "time": iso_utc(fill.ts_ns) if fill.ts_ns else None,
        "market": fill.market,
        "side": fill.side,
        "size": e9_text(fill.size_e9),
        "quote": e6_text(fill.quote_e6),
        "fee": e6_text(fill.fee_e6),
        "realized_pnl": e6_text(basis.realized_pnl_e6),
        "position": e9_text(basis.position_e9),
        "average_price": optional_e6(basis.average_price_e6),
    }


def _totals(rows: list[FillRow], method: Method, fees: Fees) -> Document:
    markets = market_totals(rows)
    realized = sum(market.realized_pnl_e6 for market in markets)
    paid = sum(market.fees_e6 for market in markets)
    return {
        "method": method,
        "fees_are": fees,
        "fills": len(rows),
        "realized_pnl": e6_text(realized),
        "fees": e6_text(paid),
        "net_pnl": e6_text(realized - (paid if fees == "apart" else 0)),
        "markets": [
            {
                "market": market.market,
                "fills": market.fills,
                "realized_pnl": e6_text(market.realized_pnl_e6),
                "fees": e6_text(market.fees_e6),
                "position": e9_text(market.position_e9),
                "cost": e6_text(market.cost_e6),
                "average_price": optional_e6(market.average_price_e6),
            }
            for market in markets
        ],
    }
