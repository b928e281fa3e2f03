"""A whole tape in memory as columns of integers: what a backtest runs over, thousands of rows at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
        size_e9 = int(self.size_e9[row])
        return Price(
            market=market,
            source=SOURCE,
            source_seq=row + 1,
            ts_ns=int(self.ts_ns[row]),
            oracle_e6=int(self.price_e6[row]),
            size_e9=None if size_e9 == UNKNOWN else size_e9,
            side=int(self.side[row]),
            good_for_ns=int(self.good_for_ns[row]),
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


def joined(parts: Sequence[Columns]) -> Columns:
    """One after the other."""
    if len(parts) == 1:
        return parts[0]
    return Columns(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("ts_ns", "price_e6", "size_e9", "side", "good_for_ns")
        )
    )


def _plain(row: TradeRow) -> tuple[int, int, int, int, int]:
    return (
        row.ts_ns,
        row.price_e6,
        UNKNOWN if row.size_e9 is None else min(row.size_e9, _SIZE_MAX_E9),
        row.side,
        row.good_for_ns,
    )
