"""Gives the rows of a Parquet file as text, so that they are read and judged like those of a CSV file."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_ROWS_AT_A_TIME = 65_536


class ParquetRows:
    """See `gridkeeper_lab.table.RowReader`. The names of the columns count as row 1, as in a CSV file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.line_num = 0

    def __iter__(self) -> Iterator[list[str]]:
        try:
            yield from self._rows()
        except pa.ArrowException as error:
            # What the library cannot read is a broken file to its user.
            raise OSError(str(error).splitlines()[0]) from error

    def _rows(self) -> Iterator[list[str]]:
        with pq.ParquetFile(self._file) as content:
            self.line_num = 1
            yield list(content.schema_arrow.names)
            for batch in content.iter_batches(_ROWS_AT_A_TIME):
                columns = [column.to_pylist() for column in batch.columns]
                for cells in zip(*columns, strict=True):
                    self.line_num += 1
                    yield [_text(cell) for cell in cells]


def _text(cell: object) -> str:
    """The shortest text that means the same number; empty where there is none."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return format(cell, "f") if isinstance(cell, Decimal) else str(cell)
