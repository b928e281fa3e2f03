"""Reads ordinary files column by column; gives up where a row would need an explanation, which is `tape`'s job."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gridkeeper_core.market import round_half_even_to
from gridkeeper_core.prices.path import POINTS_PER_BAR
from gridkeeper_core.units import E6, E9, NS_PER_MS
from gridkeeper_lab.columns import UNKNOWN, Columns, Growing, Ints
from gridkeeper_lab.table import PARQUET_MAGIC, magic_of
from gridkeeper_lab.tape import (
    BARS_LOOKED_AHEAD,
    BUYER_IS_MAKER,
    CANDLE,
    JUMP_MAX,
    LONE_BAR_NS,
    MAKER_TRADE,
    PRICE_MAX,
    SIDES,
    TapeSpec,
)

_SIZE_MAX_E9 = 2**62
_TIME_MAX_NS = 2**62
_HALF_TOLERANCE = 1e-4
_EXACT_FLOAT = 1e11
"""Up to here a double tells a unit from its neighbours by far more than the tolerance."""
_BATCH_BYTES = 1 << 22
_BATCH_ROWS = 1 << 16
_NINE = pa.decimal128(38, 9)


class _OutOfTheOrdinaryError(Exception):
    """Something that is not ordinary; the rows must be looked at one by one."""


class _Before:
    """What one file leaves to the next: the last time, price and aggressor."""

    def __init__(self) -> None:
        self.ts_ns = -1
        self.price_e6: int | None = None
        self.ruled_e6: int | None = None
        self.side = 1


def read_ordinary(files: Sequence[Path], spec: TapeSpec) -> Columns | None:
    """The rows of all files, or None when one of them is not ordinary. Raises GridkeeperError BAD_FILE."""
    before = _Before()
    try:
        columns = Growing()
        for file in files:
            for part in _read(file, spec, before):
                columns.add(part)
        return columns.columns()
    except (_OutOfTheOrdinaryError, pa.ArrowException, OSError, EOFError, UnicodeDecodeError, csv.Error, OverflowError):
        return None
    finally:
        pa.default_memory_pool().release_unused()


def _read(file: Path, spec: TapeSpec, before: _Before) -> Iterator[Columns]:
    """The rows of a file, trades in parts of some size, so that what is decoded is never in memory whole."""
    is_parquet = magic_of(file) == PARQUET_MAGIC
    names = _names(file, is_parquet=is_parquet)
    if len(set(names)) != len(names):
        raise _OutOfTheOrdinaryError
    wanted, read = _layout(names)
    choice = tuple(name for name in ("symbol", "venue") if name in names)
    load = _parquet if is_parquet else _csv
    tables = load(file, names, (*wanted, *choice))
    instrument: dict[str, str] = {}
    for table in tables if read is _trades else [pa.concat_tables(tables)]:
        yield read(_Cells(table, spec, choice, instrument), wanted, spec, before)


def _names(file: Path, *, is_parquet: bool) -> tuple[str, ...]:
    if is_parquet:
        import pyarrow.parquet as pq

        return tuple(name.strip().lower() for name in pq.read_schema(file).names)
    packed = magic_of(file)[:2] == b"\x1f\x8b"
    with gzip.open(file) if packed else file.open("rb") as raw, TextIOWrapper(raw, "utf-8", newline="") as text:
        first = text.readline()
    return tuple(cell.strip().lower() for cell in next(csv.reader([first], strict=True), []))


def _layout(names: tuple[str, ...]) -> tuple[tuple[str, ...], Callable[..., Columns]]:
    has = set(names)
    if has.issuperset(CANDLE):
        return CANDLE, _candles
    if has.issuperset(MAKER_TRADE):
        return MAKER_TRADE, _trades
    if has.issuperset(("price", "size", "side")) and has & {"ts_ns", "ts_ms"}:
        return ("ts_ns" if "ts_ns" in has else "ts_ms", "price", "size", "side"), _trades
    raise _OutOfTheOrdinaryError


# ---------------------------------------------------------------- files to Arrow


def _csv(file: Path, names: tuple[str, ...], wanted: tuple[str, ...]) -> Iterator[pa.Table]:
    import pyarrow.csv as pc

    packed = magic_of(file)[:2] == b"\x1f\x8b"
    with (
        pa.input_stream(str(file), compression="gzip" if packed else None) as stream,
        pc.open_csv(
            stream,
            read_options=pc.ReadOptions(column_names=list(names), skip_rows=1, block_size=_BATCH_BYTES),
            convert_options=pc.ConvertOptions(
                column_types={name: _csv_type(name) for name in wanted},
                include_columns=list(wanted),
                null_values=[""],
                strings_can_be_null=True,
            ),
        ) as batches,
    ):
        for batch in batches:
            yield pa.Table.from_batches([batch])


def _csv_type(name: str) -> Any:
    if name.endswith(("ts_ns", "ts_ms")):
        return pa.int64()
    if name in ("side", "is_buyer_maker", "symbol", "venue"):
        return pa.dictionary(pa.int32(), pa.string())
    return _NINE


def _parquet(file: Path, names: tuple[str, ...], wanted: tuple[str, ...]) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    own = dict(zip(names, pq.read_schema(file).names, strict=True))
    texts = [own[name] for name in wanted if name in ("side", "symbol", "venue")]
    with pq.ParquetFile(file, read_dictionary=texts, buffer_size=1 << 20, pre_buffer=False) as content:
        for batch in content.iter_batches(_BATCH_ROWS, columns=[own[name] for name in wanted], use_threads=False):
            table = pa.Table.from_batches([batch])
            yield table.rename_columns([name.strip().lower() for name in table.column_names])
            pa.default_memory_pool().release_unused()


# ---------------------------------------------------------------- Arrow to integers


class _Cells:
    """The columns of one part of a file, without other instruments' rows; each is given out once, and let go.

    `instrument` is what the file's parts before it say the instrument is, where nobody chose one.
    """

    def __init__(self, table: pa.Table, spec: TapeSpec, choice: tuple[str, ...], instrument: dict[str, str]) -> None:
        for name in choice:
            table = _chosen(table, name, getattr(spec, name), instrument)
        self._table = table

    def times_ns(self, name: str) -> Ints:
        column = self._take(name)
        if not pa.types.is_integer(column.type) or column.null_count:
            raise _OutOfTheOrdinaryError
        unit_ns = 1 if name == "ts_ns" else NS_PER_MS
        values = _numpy(column).astype(np.int64, copy=False)
        if len(values) and (values.min() < 0 or values.max() > _TIME_MAX_NS // unit_ns):
            raise _OutOfTheOrdinaryError
        in_ns: Ints = values * unit_ns if unit_ns > 1 else values
        return in_ns

    def scaled(self, name: str, *, scale: int, unit: int, most: int, or_unknown: bool = False) -> Ints:
        """Integers of 1/scale, rounded half-even to `unit`; at most `most`."""
        column = self._take(name)
        if column.null_count and not or_unknown:
            raise _OutOfTheOrdinaryError
        if column.null_count:
            missing = _numpy(column.is_null())
            column = column.fill_null(_zero_of(column.type))
            return np.where(missing, UNKNOWN, _rounded(column, scale, unit, most))
        return _rounded(column, scale, unit, most)

    def sides(self, name: str, words: Mapping[str, int], price_e6: Ints, before: _Before) -> npt.NDArray[np.int8]:
        column = self._take(name)
        if column.null_count == len(column):
            return _ruled(price_e6, before)
        if column.null_count:
            raise _OutOfTheOrdinaryError
        if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
            kinds, codes = np.unique(_numpy(column), return_inverse=True)
            texts = [str(kind).lower() for kind in kinds.tolist()]
        else:
            cells = column.combine_chunks()
            if not isinstance(cells.type, pa.DictionaryType):
                cells = cells.dictionary_encode()
            texts = [str(text).lower() for text in cells.dictionary.to_pylist()]
            codes = cells.indices.to_numpy(zero_copy_only=False)
        if any(text not in words for text in texts):
            raise _OutOfTheOrdinaryError
        return np.array([words[text] for text in texts], dtype=np.int8)[codes]

    def _take(self, name: str) -> Any:
        column = self._table.column(name)
        self._table = self._table.drop_columns([name])
        return column


def _chosen(table: pa.Table, name: str, value: str | None, instrument: dict[str, str]) -> pa.Table:
    """The rows of one instrument; without a choice there must be one only in the whole file."""
    cells = table.column(name).combine_chunks()
    if cells.null_count:
        raise _OutOfTheOrdinaryError
    if not isinstance(cells.type, pa.DictionaryType):
        cells = cells.dictionary_encode()
    codes = cells.indices.to_numpy(zero_copy_only=False)
    known = [str(text) for text in cells.dictionary.to_pylist()]
    if value is None:
        for code in np.unique(codes).tolist():
            if instrument.setdefault(name, known[code]) != known[code]:
                raise _OutOfTheOrdinaryError
        return table
    is_chosen = codes == (known.index(value) if value in known else UNKNOWN)
    return table if is_chosen.all() else table.filter(pa.array(is_chosen))


def _numpy(column: Any) -> Any:
    return column.combine_chunks().to_numpy(zero_copy_only=False)


def _zero_of(kind: Any) -> Any:
    return (
        pa.scalar(Decimal(0), kind)
        if pa.types.is_decimal(kind)
        else pa.scalar("0" if pa.types.is_string(kind) else 0, kind)
    )


def _rounded(column: Any, scale: int, unit: int, most: int) -> Ints:
    if pa.types.is_floating(column.type):
        return _rounded_floats(_numpy(column).astype(np.float64), scale, unit, most)
    if not pa.types.is_decimal(column.type) or column.type != _NINE:
        column = column.cast(_NINE)
    parts = [_low_words(chunk) for chunk in column.chunks] or [np.empty(0, np.int64)]
    exact = np.concatenate(parts) if len(parts) > 1 else parts[0]
    least_unit = unit * E9 // scale
    if unit * E9 % scale or (len(exact) and (exact.min() < 0 or exact.max() > min(most * (E9 // scale), _SIZE_MAX_E9))):
        raise _OutOfTheOrdinaryError
    whole, rest = np.divmod(exact, least_unit)
    twice = 2 * rest
    whole += (twice > least_unit) | ((twice == least_unit) & (whole % 2 == 1))
    return whole * unit


def _low_words(chunk: Any) -> Ints:
    """Decimals of 9 places as integers of 1e-9; refuses what does not fit 63 bits."""
    words = np.frombuffer(chunk.buffers()[1], dtype=np.int64)[2 * chunk.offset : 2 * (chunk.offset + len(chunk))]
    if words[1::2].any():
        raise _OutOfTheOrdinaryError
    return words[::2]


def _rounded_floats(values: npt.NDArray[np.float64], scale: int, unit: int, most: int) -> Ints:
    """A double stands for the shortest decimal text that reads back as it: near a half that text decides."""
    units = values * (scale / unit)
    if len(units) and not (units.min() >= 0 and units.max() <= min(most // unit, _EXACT_FLOAT)):
        raise _OutOfTheOrdinaryError
    nearest = np.rint(units)
    found = nearest.astype(np.int64)
    for row in np.flatnonzero(np.abs(np.abs(units - nearest) - 0.5) < _HALF_TOLERANCE).tolist():
        numerator, denominator = Decimal(repr(float(values[row]))).as_integer_ratio()
        found[row] = round_half_even_to(numerator * scale, denominator, unit) // unit
    found *= unit
    return found


# ---------------------------------------------------------------- integers to rows


def _trades(cells: _Cells, wanted: tuple[str, ...], spec: TapeSpec, before: _Before) -> Columns:
    time, price, size, side = wanted
    ts_ns = cells.times_ns(time)
    price_e6 = cells.scaled(price, scale=E6, unit=spec.tick_e6, most=PRICE_MAX * E6)
    _check_order(ts_ns, before.ts_ns, apart_ns=0)
    if len(price_e6):
        _check_jumps(price_e6[:-1], price_e6[1:])
        _check_prices(price_e6, spec, before)
    size_e9 = cells.scaled(size, scale=E9, unit=spec.step_e9, most=_SIZE_MAX_E9, or_unknown=True)
    words = BUYER_IS_MAKER if side == "is_buyer_maker" else SIDES
    sides = cells.sides(side, words, price_e6, before)
    if len(ts_ns):
        before.ts_ns, before.price_e6 = int(ts_ns[-1]), int(price_e6[-1])
    return Columns(ts_ns, price_e6, size_e9, sides, np.broadcast_to(np.int64(0), len(ts_ns)))


def _candles(cells: _Cells, wanted: tuple[str, ...], spec: TapeSpec, before: _Before) -> Columns:
    bar_ns = cells.times_ns("ts_ms")
    if not len(bar_ns):
        raise _OutOfTheOrdinaryError
    prices = {name: cells.scaled(name, scale=E6, unit=spec.tick_e6, most=PRICE_MAX * E6) for name in wanted[1:5]}
    opened, high, low, close = (prices[name] for name in ("open", "high", "low", "close"))
    _check_order(bar_ns, before.ts_ns, apart_ns=NS_PER_MS)
    if (high < opened).any() or (low > opened).any() or (close > high).any() or (close < low).any():
        raise _OutOfTheOrdinaryError
    if (high > opened * JUMP_MAX).any() or (low < opened // JUMP_MAX).any():
        raise _OutOfTheOrdinaryError
    _check_jumps(close[:-1], opened[1:])
    _check_jumps(opened, close)
    _check_prices(opened, spec, before)
    if low.min() < spec.tick_e6:
        raise _OutOfTheOrdinaryError
    ahead = np.diff(bar_ns[:BARS_LOOKED_AHEAD])
    length_ns = int(ahead.min()) if len(ahead) else LONE_BAR_NS
    quarter_ns = length_ns // POINTS_PER_BAR
    if (np.diff(bar_ns) <= 3 * quarter_ns).any():
        raise _OutOfTheOrdinaryError
    low_first = _low_first(opened, high, low, spec)
    price_e6 = np.stack((opened, np.where(low_first, low, high), np.where(low_first, high, low), close), 1).ravel()
    ts_ns = (bar_ns[:, None] + np.arange(POINTS_PER_BAR) * quarter_ns).ravel()
    sides = _ruled(price_e6, before)
    before.ts_ns, before.price_e6 = int(ts_ns[-1]), int(close[-1])
    return Columns(ts_ns, price_e6, _bar_sizes(cells, spec), sides, np.broadcast_to(np.int64(length_ns), len(ts_ns)))


def _low_first(opened: Ints, high: Ints, low: Ints, spec: TapeSpec) -> npt.NDArray[np.bool_]:
    if spec.path in ("low", "high"):
        return np.full(len(opened), spec.path == "low")
    low_is_near: npt.NDArray[np.bool_] = opened - low <= high - opened
    return low_is_near if spec.path == "near" else ~low_is_near


def _bar_sizes(cells: _Cells, spec: TapeSpec) -> Ints:
    part = spec.participation
    volume_e9 = cells.scaled("volume", scale=E9, unit=spec.step_e9, most=_SIZE_MAX_E9 // max(part.numerator, 1))
    each, rest = np.divmod(volume_e9 * part.numerator // (part.denominator * spec.step_e9), POINTS_PER_BAR)
    more = rest[:, None] > np.arange(POINTS_PER_BAR)
    return ((each[:, None] + more) * spec.step_e9).ravel()


def _check_order(ts_ns: Ints, before_ns: int, *, apart_ns: int) -> None:
    if len(ts_ns) and before_ns >= 0 and ts_ns[0] < before_ns + apart_ns:
        raise _OutOfTheOrdinaryError
    if (np.diff(ts_ns) < apart_ns).any():
        raise _OutOfTheOrdinaryError


def _check_prices(price_e6: Ints, spec: TapeSpec, before: _Before) -> None:
    if price_e6.min() < spec.tick_e6:
        raise _OutOfTheOrdinaryError
    if before.price_e6 is not None:
        _check_jumps(np.array([before.price_e6]), price_e6[:1])


def _check_jumps(earlier: Ints, later: Ints) -> None:
    if not ((earlier < later * JUMP_MAX) & (later < earlier * JUMP_MAX)).all():
        raise _OutOfTheOrdinaryError


def _ruled(price_e6: Ints, before: _Before) -> npt.NDArray[np.int8]:
    """The aggressor by the tick rule, see `prices.path.TickRule`."""
    if not len(price_e6):
        return np.empty(0, np.int8)
    first = before.ruled_e6 if before.ruled_e6 is not None else int(price_e6[0])
    moves = np.sign(np.diff(price_e6, prepend=np.int64(first))).astype(np.int8)
    newest = np.maximum.accumulate(np.where(moves != 0, np.arange(len(moves)), -1))
    sides = np.where(newest >= 0, moves[np.maximum(newest, 0)], np.int8(before.side)).astype(np.int8)
    before.ruled_e6, before.side = int(price_e6[-1]), int(sides[-1])
    return sides
