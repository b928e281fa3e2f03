"""Fetches history page by page into one Parquet file; what was fetched is kept, so that it can go on after a break."""

from __future__ import annotations

import itertools
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from gridkeeper_cli.data_sources import COLUMNS, Fetch, Page, Row, Wanted, reader_of
from gridkeeper_core.errors import GridkeeperError

TRIES = 6
_WAIT_MAX_S = 60.0
_TIMEOUT_S = 30.0
_TOO_MANY, _NOT_FOUND, _SERVER_ERRORS = 429, 404, 500
_PART = "part-{:06d}.parquet"
_CURSOR = b"gridkeeper.cursor"
_WANTED = b"gridkeeper.wanted"
_END = b"-"


class Gap(msgspec.Struct, frozen=True):
    """Rows that should lie between two others and do not: the times (ms) around them, and how many."""

    after_ms: int
    before_ms: int
    missing: int


class Downloaded(msgspec.Struct, frozen=True, kw_only=True):
    """A finished file."""

    rows: int
    first_ms: int | None
    last_ms: int | None
    resumed_rows: int
    duplicates: int
    gaps: tuple[Gap, ...]


def http_fetch(base_url: str, wait_s: Callable[[float], None] = time.sleep) -> Fetch:
    """Asks over HTTP; waits and asks again when the server is busy or broken.

    Raises GridkeeperError DOWNLOAD_FAILED.
    """
    if urlsplit(base_url).scheme not in ("http", "https"):
        raise GridkeeperError("BAD_VALUE", field="--base-url", value=base_url, expected="an http or https address")

    def fetch(path: str, body: bytes | None) -> bytes | None:
        address = base_url.rstrip("/") + path
        trouble = ""
        for attempt in range(TRIES):
            headers = {"User-Agent": "gridkeeper", **({"Content-Type": "application/json"} if body else {})}
            request = urllib.request.Request(address, data=body, headers=headers)  # noqa: S310  (checked above)
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                    return bytes(answer.read())
            except urllib.error.HTTPError as error:
                if error.code == _NOT_FOUND:
                    return None
                trouble = f"{error.code} {error.reason}"
                if error.code != _TOO_MANY and error.code < _SERVER_ERRORS:
                    break
                wait_s(_pause_s(attempt, error.headers.get("Retry-After")))
            except (urllib.error.URLError, OSError) as error:
                trouble = str(error)
                wait_s(_pause_s(attempt, None))
        raise GridkeeperError("DOWNLOAD_FAILED", field="source", value=address, detail=trouble)

    return fetch


def download(wanted: Wanted, out: Path, fetch: Fetch, progress: Callable[[int], None] | None = None) -> Downloaded:
    """Fetch everything that is wanted into `out`. `progress` is told the time (ms) reached.

    Raises GridkeeperError DOWNLOAD_FAILED, BAD_DATA, BAD_FILE.
    """
    parts = out.with_name(out.name + ".parts")
    parts.mkdir(parents=True, exist_ok=True)
    cursor, done = _resume(parts, wanted)
    resumed = sum(pq.read_metadata(part).num_rows for part in _parts(parts))
    read = reader_of(wanted)
    while cursor is not None:
        page = _checked_page(read(fetch, wanted, cursor), wanted, cursor)
        _write_part(parts / _PART.format(done), page, wanted)
        done += 1
        cursor = page.cursor
        if progress is not None and page.rows:
            progress(int(page.rows[-1][0]))
    return _joined(parts, out, wanted, resumed)


def _pause_s(attempt: int, retry_after: str | None) -> float:
    if retry_after is not None and retry_after.isdigit():
        return min(float(retry_after), _WAIT_MAX_S)
    return min(0.5 * float(2**attempt), _WAIT_MAX_S)


def _resume(parts: Path, wanted: Wanted) -> tuple[str | None, int]:
    """Where an earlier attempt stopped: its cursor, and how many parts there are."""
    found = _parts(parts)
    if not found:
        return str(wanted.first_ms), 0
    metadata = pq.read_schema(found[-1]).metadata
    if metadata[_WANTED] != msgspec.json.encode(wanted):
        raise GridkeeperError(
            "BAD_FILE", field="--out", value=parts, expected="parts of this download",
            do="Remove this folder, or choose another file.",
        )  # fmt: skip
    cursor = metadata[_CURSOR]
    return (None if cursor == _END else cursor.decode()), len(found)


def _checked_page(page: Page, wanted: Wanted, cursor: str) -> Page:
    if page.cursor == cursor:
        raise GridkeeperError("BAD_DATA", field=f"{wanted.source} from {cursor}", expected="rows after this one")
    for earlier, later in itertools.pairwise(page.rows):
        if later[0] < earlier[0]:
            raise GridkeeperError(
                "BAD_DATA", field=f"{wanted.source}, ts_ms", value=str(later[0]), expected=f"a time after {earlier[0]}"
            )
    return page


def _write_part(path: Path, page: Page, wanted: Wanted) -> None:
    metadata = {_CURSOR: page.cursor.encode() if page.cursor else _END, _WANTED: msgspec.json.encode(wanted)}
    try:
        table = pa.Table.from_arrays(_arrays(page.rows, wanted), schema=_schema(wanted).with_metadata(metadata))
    except (pa.ArrowException, InvalidOperation) as error:
        raise GridkeeperError("BAD_DATA", field=f"{wanted.source} {wanted.symbol}", detail=str(error)) from error
    # Renamed when it is whole: a part that is there can be relied on.
    unfinished = path.with_suffix(".unfinished")
    pq.write_table(table, unfinished)
    unfinished.rename(path)


def _arrays(rows: list[Row], wanted: Wanted) -> list[pa.Array]:
    columns = list(zip(*rows, strict=True)) or [() for _ in COLUMNS[wanted.kind]]
    return [pa.array(column, kind) for column, kind in zip(columns, _types(wanted), strict=True)]


def _schema(wanted: Wanted) -> pa.Schema:
    return pa.schema(list(zip(COLUMNS[wanted.kind], _types(wanted), strict=True)))


def _types(wanted: Wanted) -> list[pa.DataType]:
    money = pa.decimal128(28, 12 if wanted.kind == "funding" else 9)
    return [pa.int64() if n == "ts_ms" else pa.string() if n == "side" else money for n in COLUMNS[wanted.kind]]


def _joined(parts: Path, out: Path, wanted: Wanted, resumed: int) -> Downloaded:
    """All parts as one file. Candles and payments that came twice are taken once; two that differ are refused."""
    check = _Check(wanted)
    unfinished = out.with_name(out.name + ".unfinished")
    with pq.ParquetWriter(unfinished, _schema(wanted)) as writer:
        for part in _parts(parts):
            rows = list(check.kept(_rows_of(pq.read_table(part))))
            writer.write_table(pa.Table.from_arrays(_arrays(rows, wanted), schema=_schema(wanted)))
    unfinished.rename(out)
    shutil.rmtree(parts)
    return Downloaded(
        rows=check.rows,
        first_ms=check.first_ms,
        last_ms=check.before[0] if check.before else None,
        resumed_rows=resumed,
        duplicates=check.duplicates,
        gaps=tuple(check.gaps),
    )


class _Check:
    """Looks at every row in order."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._every_ms = wanted.every_ms
        self.before: Row = ()
        self.first_ms: int | None = None
        self.rows = self.duplicates = 0
        self.gaps: list[Gap] = []

    def kept(self, rows: Iterable[Row]) -> Iterable[Row]:
        for row in rows:
            if self.before and self._wanted.kind != "trades" and row[0] == self.before[0]:
                self._take_twice(row)
                continue
            if self.before and row[0] < self.before[0]:
                raise self._bad(row, f"a time after {self.before[0]}")
            self._look_for_gap(row)
            self.before, self.rows = row, self.rows + 1
            self.first_ms = row[0] if self.first_ms is None else self.first_ms
            yield row

    def _take_twice(self, row: Row) -> None:
        if row != self.before:
            raise self._bad(row, "the same row when it comes twice")
        self.duplicates += 1

    def _look_for_gap(self, row: Row) -> None:
        if not self.before or self._every_ms is None:
            return
        missing = (row[0] - self.before[0]) // self._every_ms - 1
        if missing > 0:
            self.gaps.append(Gap(self.before[0], row[0], missing))

    def _bad(self, row: Row, expected: str) -> GridkeeperError:
        field = f"{self._wanted.source} {self._wanted.symbol}, ts_ms"
        return GridkeeperError("BAD_DATA", field=field, value=str(row[0]), expected=expected)


def _rows_of(table: pa.Table) -> Iterable[Row]:
    columns: list[list[int | Decimal | str]] = [column.to_pylist() for column in table.columns]
    return zip(*columns, strict=True)


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))
