"""Reads a file of rows (CSV, plain or gzip, or Parquet) and says where a cell is bad: file, row and column."""

from __future__ import annotations

import csv
import gzip
import operator
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.market import round_half_even_to
from gridkeeper_core.units import round_scaled

_GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
_CELLS_KEPT = 65_536


class RowReader(Protocol):
    """Gives rows of text, the header first, and knows the number of the one it gave last."""

    @property
    def line_num(self) -> int: ...
    def __iter__(self) -> Iterator[list[str]]: ...


class Table:
    """An open file with a header; rows are numbered as lines are (the header is row 1)."""

    def __init__(self, name: str, reader: RowReader) -> None:
        self._name = name
        self._reader = reader
        self._wanted: dict[int, str] = {}
        self._sole: dict[int, str | None] = {}
        self._raw = self._raw_rows()
        self.header = tuple(cell.strip().lower() for cell in next(self._raw, []))

    @property
    def line(self) -> int:
        """The number of the row read last."""
        return self._reader.line_num

    def choose(self, wanted: Mapping[str, str | None]) -> None:
        """Pass over rows with other values than these; None demands that all chosen rows have one and the same.

        Columns the file does not have are ignored.
        """
        for column, value in wanted.items():
            if column in self.header and value is None:
                self._sole[self.header.index(column)] = None
            elif column in self.header:
                self._wanted[self.header.index(column)] = str(value)

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The cells of these columns (two at least) of each chosen row; empty lines are passed over."""
        cells_of = operator.itemgetter(*(self.header.index(column) for column in columns))
        width, choosing = len(self.header), bool(self._wanted or self._sole)
        for row in self._raw:
            if len(row) != width:
                raise self._bad("", ",".join(row), f"{width} columns")
            if not choosing or self._is_chosen(row):
                yield cells_of(row)

    def bad_header(self, expected: str) -> GridkeeperError:
        """The columns are of no known layout."""
        return self._bad("", ",".join(self.header), expected)

    def bad_cell(self, column: str, value: str, why: Exception) -> GridkeeperError:
        """A cell of the row read last cannot be used; `why` says what was expected."""
        return self._bad(column, value, str(why))

    def _is_chosen(self, row: list[str]) -> bool:
        if any(row[index] != value for index, value in self._wanted.items()):
            return False
        for index, value in self._sole.items():
            if value is None:
                self._sole[index] = row[index]
            elif value != row[index]:
                column = self.header[index]
                raise self._bad(column, row[index], f"{value} in every row, or a choice of one {column}")
        return True

    def _raw_rows(self) -> Iterator[list[str]]:
        try:
            yield from filter(None, self._reader)
        except (EOFError, zlib.error, OSError, UnicodeDecodeError, csv.Error) as error:
            place = f"{self._name}, row {self.line + 1}"
            raise GridkeeperError(
                "BAD_DATA", field=place, expected="a whole, readable row", detail=str(error)
            ) from error

    def _bad(self, column: str, value: str, expected: str) -> GridkeeperError:
        place = f"{self._name}, row {self.line}" + (f", {column}" if column else "")
        return GridkeeperError("BAD_DATA", field=place, value=value[:80], expected=expected)


@contextmanager
def open_table(file: Path) -> Iterator[Table]:
    """Open a file; what is gzip or Parquet is told by its content. Raises GridkeeperError BAD_FILE, BAD_DATA."""
    magic = magic_of(file)
    if magic == PARQUET_MAGIC:
        # Imported here: a service that replays CSV starts without this library.
        from gridkeeper_lab.parquet import ParquetRows

        yield Table(str(file), ParquetRows(file))
        return
    with file.open("rb") as raw:
        content = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if magic[:2] == _GZIP_MAGIC else raw
        with TextIOWrapper(content, encoding="utf-8", newline="") as text:
            yield Table(str(file), csv.reader(text, strict=True))


def magic_of(file: Path) -> bytes:
    """The first four bytes. Raises GridkeeperError BAD_FILE."""
    try:
        with file.open("rb") as raw:
            return raw.read(4)
    except OSError as error:
        raise GridkeeperError("BAD_FILE", field="data", value=file, detail=error.strerror or "") from error


class ScaledCells(dict[str, int]):
    """Cell text -> integer of 1/scale rounded half-even to `unit`; remembers texts, which repeat in recorded data.

    Raises ValueError, saying what was expected, when it is not a number of `least` to `most` (both in 1/scale).
    """

    def __init__(self, *, scale: int, unit: int, least: int, most: int, expected: str) -> None:
        super().__init__()
        self._scale, self._digits = scale, len(str(scale)) - 1
        self._unit, self._least, self._most = unit, least, most
        self._expected = expected

    def __missing__(self, text: str) -> int:
        value = self._read(text)
        if not self._least <= value <= self._most:
            raise ValueError(self._expected)
        if len(self) >= _CELLS_KEPT:
            self.clear()
        self[text] = value
        return value

    def _read(self, text: str) -> int:
        whole, _, part = text.partition(".")
        digits = whole + part
        # Ordinary decimal text needs no Decimal, which takes several times as long.
        if digits.isascii() and digits.isdigit() and len(part) <= self._digits:
            return round_half_even_to(int(digits) * 10 ** (self._digits - len(part)), 1, self._unit)
        try:
            return round_scaled(text, self._scale, self._unit, "")
        except GridkeeperError as error:
            raise ValueError(self._expected) from error
