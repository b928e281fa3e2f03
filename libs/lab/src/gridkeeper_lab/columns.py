"""A whole tape in memory as columns of integers: what a backtest runs over, thousands of rows at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gridkeeper_core.prices.path import TradeRow
from gridkeeper_core.prices.price import Price
from gridkeeper_lab.tape import SOURCE, Tape, TapeSpec

Ints = npt.NDArray[np.int64]
UNKNOWN = -1
"""Stands in `size_e9` where the source states no size."""
_SIZE_MAX_E9 = 2**62
_ROW = np.dtype(
    [("ts_ns", "i8"), ("price_e6", "i8"), ("size_e9", "i8"), ("side", "i1"), ("good_for_ns", "i8")],
)
_OWN = ("ts_ns", "price_e6", "size_e9", "side")
"""What differs from row to row; how long a price holds is mostly one number for all."""
_ROOM = 1 << 22


class Columns:
    """The rows of one market in order of time; all columns have the same length.

    Units are those of `Price`; `size_e9` is UNKNOWN where there is none.
    """

    def __init__(
        self, ts_ns: Ints, price_e6: Ints, size_e9: Ints, side: npt.NDArray[np.int8], good_for_ns: Ints
    ) -> None:
        self.ts_ns = ts_ns
        self.price_e6 = price_e6
        self.size_e9 = size_e9
        self.side = side
        self.good_for_ns = good_for_ns

    def __len__(self) -> int:
        return len(self.ts_ns)

    def price(self, row: int, market: str) -> Price:
        """The row as a price; its `source_seq` is its number, from 1."""
        size_e9 = self.size_e9.item(row)
        return Price(
            market=market,
            source=SOURCE,
            source_seq=row + 1,
            ts_ns=self.ts_ns.item(row),
            oracle_e6=self.price_e6.item(row),
            size_e9=None if size_e9 == UNKNOWN else size_e9,
            side=self.side.item(row),
            good_for_ns=self.good_for_ns.item(row),
        )

    def part(self, first: int, end: int) -> Columns:
        """The rows from `first` up to, not including, `end`; nothing is copied."""
        return Columns(
            self.ts_ns[first:end],
            self.price_e6[first:end],
            self.size_e9[first:end],
            self.side[first:end],
            self.good_for_ns[first:end],
        )


def read_columns(files: Sequence[Path], spec: TapeSpec) -> Columns:
    """All rows of the files. Raises GridkeeperError BAD_FILE, BAD_DATA, as `Tape` does.

    Ordinary files are read column by column. Where anything about one is out of the ordinary, all are read row by row,
    which takes several times as long and says exactly what is wrong and where.
    """
    # Imported here: the reader of Parquet and CSV columns is large, and a service that plays a tape does not need it.
    from gridkeeper_lab.column_reader import read_ordinary

    columns = read_ordinary(files, spec)
    return columns if columns is not None else columns_of(Tape(files, spec).rows())


def columns_of(rows: object) -> Columns:
    """The rows of an iterable of `TradeRow` as columns."""
    table = np.fromiter(map(_plain, rows), dtype=_ROW)  # type: ignore[call-overload]
    return Columns(*(np.ascontiguousarray(table[name]) for name in _ROW.names or ()))


class Growing:
    """Columns that parts are added to in place, so that no part has to be kept until the last one has come.

    Room is taken for many rows at first: what is not written to costs no memory.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._columns: list[npt.NDArray[Any]] = [np.empty(_ROOM, dtype=_ROW[name]) for name in _OWN]
        self._good_for_ns: list[Ints] = []

    def add(self, part: Columns) -> None:
        """The next rows."""
        end = self._rows + len(part)
        for place, name in enumerate(_OWN):
            if end > len(self._columns[place]):
                self._columns[place] = _with_room(self._columns[place][: self._rows], 2 * end)
            self._columns[place][self._rows : end] = getattr(part, name)
        self._good_for_ns.append(part.good_for_ns)
        self._rows = end

    def columns(self) -> Columns:
        """All rows so far."""
        ts_ns, price_e6, size_e9, side = (column[: self._rows] for column in self._columns)
        return Columns(ts_ns, price_e6, size_e9, side, _one(self._good_for_ns))


def _with_room(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    larger = np.empty(rows, dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def _one(arrays: list[Ints]) -> Ints:
    """Several arrays as one; where each says one thing of all its rows, and all say the same, so does that."""
    said = {int(array[0]) for array in arrays if len(array) and array.strides == (0,)}
    count = sum(len(array) for array in arrays)
    if len(said) == 1 and all(array.strides == (0,) or not len(array) for array in arrays):
        return np.broadcast_to(np.int64(said.pop()), count)
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=np.int64)


def _plain(row: TradeRow) -> tuple[int, int, int, int, int]:
    return (
        row.ts_ns,
        row.price_e6,
        UNKNOWN if row.size_e9 is None else min(row.size_e9, _SIZE_MAX_E9),
        row.side,
        row.good_for_ns,
    )
