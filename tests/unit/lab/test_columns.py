"""Reading whole columns gives what reading row by row gives, and gives up where a row needs an explanation."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.path import PathOrder
from gridkeeper_lab.column_reader import read_ordinary
from gridkeeper_lab.columns import UNKNOWN, Columns, columns_of, read_columns
from gridkeeper_lab.tape import Tape, TapeSpec

SPEC = TapeSpec(market="SOL-PERP", tick_e6=10_000, step_e9=10_000_000)
TRADES = """ts_ns,price,size,side
1000,150.00,1.5,buy
1001,150.015,0.005,sell
1001,150.025,0.015,1
1009,149.99,,-1
"""
CANDLES = """ts_ms,open,high,low,close,volume
60000,100,101,99.5,100.5,40
120000,100.5,100.5,98,98,7
300000,98,103,98,102.25,0
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str, name: str = "data.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return written


def same(one: Columns, other: Columns) -> bool:
    names = ("ts_ns", "price_e6", "size_e9", "side", "good_for_ns")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


@pytest.mark.parametrize("text", [TRADES, CANDLES], ids=["trades", "candles"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_columns_are_what_rows_are(write: Write, text: str, name: str) -> None:
    file = write(text, name)

    columns = read_ordinary([file], SPEC)

    assert columns is not None
    assert same(columns, columns_of(Tape([file], SPEC).rows()))


@pytest.mark.parametrize("path", ["near", "far", "high", "low"])
def test_every_path_inside_of_a_bar_is_the_same(write: Write, path: PathOrder) -> None:
    file = write(CANDLES)
    spec = TapeSpec(market="SOL-PERP", tick_e6=10_000, step_e9=10_000_000, path=path)

    columns = read_ordinary([file], spec)

    assert columns is not None
    assert same(columns, columns_of(Tape([file], spec).rows()))


def test_prices_are_rounded_half_even_and_a_missing_size_is_unknown(write: Write) -> None:
    columns = read_columns([write(TRADES)], SPEC)

    assert columns.price_e6.tolist() == [150_000_000, 150_020_000, 150_020_000, 149_990_000]
    assert columns.size_e9.tolist() == [1_500_000_000, 0, 20_000_000, UNKNOWN]
    assert columns.side.tolist() == [1, -1, 1, -1]


def test_two_files_go_on_where_the_first_ended(write: Write) -> None:
    first = write(CANDLES, "first.csv")
    second = write(
        CANDLES.replace("60000,", "660000,").replace("120000,", "720000,").replace("300000,", "780000,"), "b.csv"
    )

    columns = read_ordinary([first, second], SPEC)

    assert columns is not None
    assert same(columns, columns_of(Tape([first, second], SPEC).rows()))


@pytest.mark.parametrize("kind", [pa.float64(), pa.string(), pa.decimal128(20, 4)], ids=str)
def test_parquet_may_hold_numbers_text_or_decimals(tmp_path: Path, kind: pa.DataType) -> None:
    file = tmp_path / "trades.parquet"
    prices = pa.array(["150", "150.015", "150.025"]).cast(kind)
    table = pa.table({"ts_ms": [1, 2, 3], "price": prices, "size": [1.0, 2.5, 0.015], "side": ["buy", "sell", "buy"]})
    pq.write_table(table, file)

    columns = read_ordinary([file], SPEC)

    assert columns is not None
    assert columns.price_e6.tolist() == [150_000_000, 150_020_000, 150_020_000]
    assert same(columns, columns_of(Tape([file], SPEC).rows()))


def test_a_float_stands_for_its_shortest_text(tmp_path: Path) -> None:
    file = tmp_path / "halves.parquet"
    prices = [1.005 + 0.01 * step for step in range(200)]
    ones = np.ones(200)
    pq.write_table(pa.table({"ts_ms": range(200), "price": prices, "size": ones, "side": ["buy"] * 200}), file)

    columns = read_ordinary([file], SPEC)

    assert columns is not None
    assert same(columns, columns_of(Tape([file], SPEC).rows()))


def test_one_instrument_is_chosen_out_of_several(write: Write) -> None:
    rows = "venue,symbol,trade_ts_ms,price,qty,is_buyer_maker\n"
    rows += "".join(f"{venue},{symbol},{10 + at},{100 + at},1,{at % 2}\n" for at, (venue, symbol) in enumerate(
        [("um", "A"), ("cm", "A"), ("um", "B"), ("um", "A")]
    ))  # fmt: skip
    spec = TapeSpec(market="SOL-PERP", tick_e6=10_000, step_e9=10_000_000, symbol="A", venue="um")
    file = write(rows)

    columns = read_ordinary([file], spec)

    assert columns is not None
    assert columns.price_e6.tolist() == [100_000_000, 103_000_000]
    assert columns.side.tolist() == [1, -1]
    assert read_ordinary([file], SPEC) is None


BAD = {
    "negative price": ("ts_ns,price,size,side\n1,100,1,buy\n2,-100,1,buy\n", "row 3, price"),
    "absurd price": ("ts_ns,price,size,side\n1,100,1,buy\n2,1000,1,buy\n", "row 3, price"),
    "no number": ("ts_ns,price,size,side\n1,100,1,buy\n2,abc,1,buy\n", "row 3, price"),
    "time falls": ("ts_ns,price,size,side\n5,100,1,buy\n4,100,1,buy\n", "row 3, ts_ns"),
    "no side": ("ts_ns,price,size,side\n5,100,1,up\n", "row 2, side"),
    "negative size": ("ts_ns,price,size,side\n5,100,-1,buy\n", "row 2, size"),
    "a column too few": ("ts_ns,price,size,side\n5,100,1\n", "row 2"),
    "a duplicate bar": (CANDLES + "300000,98,103,98,102,0\n", "row 5, ts_ms"),
    "high below open": (CANDLES + "360000,98,97,90,95,0\n", "row 5, high"),
    "other columns": ("time,bid,ask\n1,2,3\n", "row 1"),
}


@pytest.mark.parametrize(("text", "place"), BAD.values(), ids=BAD)
def test_bad_data_is_named_by_file_row_and_column(write: Write, text: str, place: str) -> None:
    file = write(text)

    assert read_ordinary([file], SPEC) is None
    with pytest.raises(GridkeeperError) as refused:
        read_columns([file], SPEC)
    assert refused.value.code == "BAD_DATA"
    assert refused.value.field == f"{file}, {place}"


def test_a_bad_cell_of_a_parquet_file_is_named_as_in_a_csv_file(tmp_path: Path) -> None:
    file = tmp_path / "bad.parquet"
    pq.write_table(
        pa.table({"ts_ms": [1, 2], "price": [100.0, -3.0], "size": [1.0, 1.0], "side": ["buy", "buy"]}), file
    )

    with pytest.raises(GridkeeperError) as refused:
        read_columns([file], SPEC)

    assert refused.value.field == f"{file}, row 3, price"


@pytest.mark.parametrize("name", ["cut.parquet", "cut.csv.gz"])
def test_a_file_that_was_cut_off_is_bad_data(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.table({"ts_ms": [1], "price": [1.0], "size": [1.0], "side": ["buy"]}), file)
    else:
        file.write_bytes(gzip.compress(("ts_ns,price,size,side\n" + "5,100,1,buy\n" * 5000).encode()))
    file.write_bytes(file.read_bytes()[:-20])

    with pytest.raises(GridkeeperError) as refused:
        read_columns([file], SPEC)

    assert refused.value.code == "BAD_DATA"
    assert str(file) in refused.value.field


def test_a_file_that_is_not_there_is_a_bad_file(tmp_path: Path) -> None:
    with pytest.raises(GridkeeperError) as refused:
        read_columns([tmp_path / "nothing.csv"], SPEC)

    assert refused.value.code == "BAD_FILE"


def many_trades(path: Path, *, other_from: int | None = None) -> Path:
    """More rows than are decoded at once; the side is left out from a later part on."""
    rows = np.arange(80_000)
    numbers = np.random.Generator(np.random.PCG64(7))
    sides = np.where(rows < 65_536, np.where(numbers.random(len(rows)) < 0.5, "buy", "sell"), "")
    table = {
        "ts_ns": 1000 + rows // 3,
        "price": 150 + np.cumsum(numbers.integers(-1, 2, len(rows))) / 100,
        "size": numbers.integers(1, 900, len(rows)) / 100,
        "side": pa.array([side or None for side in sides.tolist()]),
    }
    if other_from is not None:
        table["symbol"] = np.where(rows < other_from, "SOLUSDT", "BTCUSDT")
    pq.write_table(pa.table(table), path)
    return path


def test_a_file_of_many_rows_is_decoded_in_parts_that_fit_together(tmp_path: Path) -> None:
    file = many_trades(tmp_path / "a.parquet")

    columns = read_columns([file, file_after(file, tmp_path / "b.parquet")], SPEC)

    assert len(columns) == 160_000
    assert same(
        columns.part(65_000, 66_000),
        columns_of(itertools.islice(Tape([file], SPEC).rows(), 66_000)).part(65_000, 66_000),
    )
    assert columns.good_for_ns.strides == (0,)


def file_after(file: Path, path: Path) -> Path:
    """The same trades a while later."""
    table = pq.read_table(file)
    later = pa.array(table["ts_ns"].to_numpy() + 10**6)
    pq.write_table(table.set_column(0, "ts_ns", later), path)
    return path


@pytest.mark.parametrize("other_from", [3, 70_000])
def test_another_instrument_is_noticed_wherever_it_begins(tmp_path: Path, other_from: int) -> None:
    file = many_trades(tmp_path / "two.parquet", other_from=other_from)

    with pytest.raises(GridkeeperError) as refused:
        read_columns([file], SPEC)

    assert refused.value.code == "BAD_DATA"
    assert "symbol" in str(refused.value)
