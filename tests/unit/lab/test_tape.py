"""Recorded files of each layout become one tape, and a row that cannot be used is named by file, row and column."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.prices.path import TradeRow
from gridkeeper_core.units import E9
from gridkeeper_lab.tape import Tape, TapeSpec
from support.recorded_data import recorded_folder

SPEC = TapeSpec(market="SOL-PERP", tick_e6=10_000, step_e9=E9 // 100)
CANDLES = "ts_ms,open,high,low,close,volume\n"
TRADES = "ts_ns,price,size,side\n"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str, name: str = "tape.csv") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return written


def rows(*files: Path, spec: TapeSpec = SPEC) -> list[TradeRow]:
    return list(Tape(files, spec).rows())


def refusal(*files: Path, spec: TapeSpec = SPEC) -> GridkeeperError:
    with pytest.raises(GridkeeperError) as caught:
        rows(*files, spec=spec)
    return caught.value


def test_trades_with_nanoseconds_and_any_spelling_of_the_side(write: Write) -> None:
    file = write(TRADES + "5,150.00,1.5,buy\n6,150.01,2,sell\n6,150.02,3,1\n7,150.03,4,-1\n")

    assert rows(file) == [
        TradeRow(5, 150_000_000, 1_500_000_000, 1),
        TradeRow(6, 150_010_000, 2 * E9, -1),
        TradeRow(6, 150_020_000, 3 * E9, 1),
        TradeRow(7, 150_030_000, 4 * E9, -1),
    ]


def test_trades_with_milliseconds(write: Write) -> None:
    assert rows(write("ts_ms,price,size,side\n5,1,1,1\n"))[0].ts_ns == 5_000_000


def test_an_empty_size_is_unknown_and_an_empty_side_follows_the_tick_rule(write: Write) -> None:
    found = rows(write(TRADES + "5,150,,\n6,149,,\n7,151,,\n"))

    assert [(row.size_e9, row.side) for row in found] == [(None, 1), (None, -1), (None, 1)]


def test_the_aggressor_is_the_seller_where_the_buyer_was_the_maker(write: Write) -> None:
    file = write("trade_ts_ms,price,qty,is_buyer_maker\n5,150,1,1\n6,150,1,0\n7,150,1,True\n8,150,1,false\n")

    assert [row.side for row in rows(file)] == [-1, 1, -1, 1]


def test_columns_may_stand_in_any_order_among_others(write: Write) -> None:
    file = write("note,side,price,ts_ns,size\nx,buy,150,5,1\n")

    assert rows(file) == [TradeRow(5, 150_000_000, E9, 1)]


def test_prices_and_sizes_are_rounded_half_even_to_tick_and_step(write: Write) -> None:
    found = rows(write(TRADES + "1,150.005,1.005,1\n2,150.015,1.015,1\n3,150.0151,1.0151,1\n4,1.5e2,1E0,1\n"))

    assert [row.price_e6 for row in found] == [150_000_000, 150_020_000, 150_020_000, 150_000_000]
    assert [row.size_e9 for row in found] == [1_000_000_000, 1_020_000_000, 1_020_000_000, E9]


def test_a_candle_becomes_four_trades_inside_its_bar(write: Write) -> None:
    found = rows(write(CANDLES + "60000,100,103,98,102,400\n120000,102,102,102,102,0\n240000,102,103,101,102,4\n"))

    assert [row.price_e6 // 1_000_000 for row in found[:4]] == [100, 98, 103, 102]
    assert [row.ts_ns // 10**9 for row in found] == [60, 75, 90, 105, 120, 135, 150, 165, 240, 255, 270, 285]
    assert [row.size_e9 for row in found[:4]] == [10 * E9] * 4
    assert {row.good_for_ns for row in found} == {60 * 10**9}


def test_prices_count_their_rows_from_one_over_all_files(write: Write) -> None:
    first = write(TRADES + "5,150,1,1\n6,151,1,1\n", "a.csv")
    second = write("ts_ms,price,size,side\n1,152,1,1\n", "b.csv")

    prices = list(Tape([first, second], SPEC).prices())

    assert [(p.source_seq, p.oracle_e6 // 10**6, p.ts_ns) for p in prices] == [
        (1, 150, 5),
        (2, 151, 6),
        (3, 152, 10**6),
    ]
    assert {(p.market, p.source) for p in prices} == {("SOL-PERP", "tape")}


def test_a_tape_is_taken_up_again_after_any_row(write: Write) -> None:
    tape = Tape([write(TRADES + "5,150,1,\n6,151,1,\n7,151,1,\n8,150,1,\n")], SPEC)

    assert list(tape.prices(after_row=2)) == list(tape.prices())[2:]


def test_a_tape_goes_on_with_the_numbers_of_the_one_before_it(write: Write) -> None:
    tape = Tape([write(TRADES + "5,150,1,\n6,151,1,\n7,151,1,\n")], SPEC)

    assert [price.source_seq for price in tape.prices(after_row=1, base_seq=40)] == [42, 43]


def test_gzip_is_told_by_the_content(tmp_path: Path) -> None:
    file = tmp_path / "whatever"
    file.write_bytes(gzip.compress((TRADES + "5,150,1,1\n").encode()))

    assert len(rows(file)) == 1


SYMBOLS = "venue,symbol,ts_ns,price,size,side\nx,SOL,5,150,1,1\nx,BTC,6,60000,1,1\ny,SOL,7,151,1,1\nx,SOL,8,152,1,1\n"


def test_one_instrument_is_chosen_by_symbol_and_venue(write: Write) -> None:
    spec = TapeSpec(market="SOL-PERP", tick_e6=10_000, step_e9=E9, symbol="SOL", venue="x")

    assert [row.ts_ns for row in rows(write(SYMBOLS), spec=spec)] == [5, 8]


def test_a_file_of_several_instruments_is_refused_without_a_choice(write: Write) -> None:
    error = refusal(write(SYMBOLS))

    assert (error.code, error.value) == ("BAD_DATA", "BTC")
    assert error.field.endswith("tape.csv, row 3, symbol")


def test_the_venue_must_be_chosen_where_the_symbol_is_on_two(write: Write) -> None:
    spec = TapeSpec(market="SOL-PERP", tick_e6=10_000, step_e9=E9, symbol="SOL")

    assert refusal(write(SYMBOLS), spec=spec).field.endswith("row 4, venue")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (TRADES + "5,150,1,1\n4,150,1,1\n", "row 3, ts_ns"),
        (TRADES + "x,150,1,1\n", "row 2, ts_ns"),
        (TRADES + "-5,150,1,1\n", "row 2, ts_ns"),
        (TRADES + "99999999999999999999,150,1,1\n", "row 2, ts_ns"),
        (TRADES + "5,-150,1,1\n", "row 2, price"),
        (TRADES + "5,0,1,1\n", "row 2, price"),
        (TRADES + "5,0.004,1,1\n", "row 2, price"),
        (TRADES + "5,nan,1,1\n", "row 2, price"),
        (TRADES + "5,inf,1,1\n", "row 2, price"),
        (TRADES + "5,,1,1\n", "row 2, price"),
        (TRADES + "5,1e30,1,1\n", "row 2, price"),
        (TRADES + "5,150,1,1\n6,1500,1,1\n", "row 3, price"),
        (TRADES + "5,150,1,1\n6,15,1,1\n", "row 3, price"),
        (TRADES + "5,150,-1,1\n", "row 2, size"),
        (TRADES + "5,150,1e99,1\n", "row 2, size"),
        (TRADES + "5,150,1,up\n", "row 2, side"),
        (TRADES + "5,150,1\n", "row 2"),
        (TRADES + "5,150,1,1,1\n", "row 2"),
        (TRADES + "5,150,1,1\n\n6,150,1,0\n", "row 4, side"),
        ("ts_ns,price,size\n5,150,1\n", "row 1"),
        ("", "row 0"),
        (CANDLES + "60000,100,99,98,99,1\n", "row 2, high"),
        (CANDLES + "60000,100,101,100.5,101,1\n", "row 2, low"),
        (CANDLES + "60000,100,101,99,101.5,1\n", "row 2, close"),
        (CANDLES + "60000,100,101,99,98,1\n", "row 2, close"),
        (CANDLES + "60000,100,1000.01,99,100,1\n", "row 2, high"),
        (CANDLES + "60000,100,101,99,100,-1\n", "row 2, volume"),
        (CANDLES + "60000,100,101,99,100,1\n60000,100,101,99,100,1\n", "row 3, ts_ms"),
        (CANDLES + "60000,100,101,99,100,1\n0,100,101,99,100,1\n", "row 3, ts_ms"),
        (CANDLES + "60000,100,101,99,100,1\n120000,1000,1001,999,1000,1\n", "row 3, open"),
        ("trade_ts_ms,price,qty,is_buyer_maker\n5,150,1,yes\n", "row 2, is_buyer_maker"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_file_row_and_column(write: Write, text: str, place: str) -> None:
    error = refusal(write(text))

    assert error.code == "BAD_DATA"
    assert error.field == f"{error.field.partition(',')[0]}, {place}"
    assert "tape.csv" in error.field


def test_rows_before_a_bad_one_are_given(write: Write) -> None:
    tape = Tape([write(TRADES + "5,150,1,1\n6,x,1,1\n")], SPEC).rows()

    assert next(tape).ts_ns == 5
    with pytest.raises(GridkeeperError):
        next(tape)


def test_bars_that_overlap_later_in_the_file_are_refused(write: Write) -> None:
    minutes = "".join(f"{60_000 * n},100,101,99,100,1\n" for n in range(1, 100))

    assert refusal(write(CANDLES + minutes + f"{60_000 * 99 + 30_000},100,101,99,100,1\n")).field.endswith(
        "row 101, ts_ms"
    )


def test_a_file_that_begins_before_the_one_before_it_ended_is_refused(write: Write) -> None:
    first = write(CANDLES + "60000,100,101,99,100,1\n120000,100,101,99,100,1\n", "a.csv")
    second = write(TRADES + "130000000000,100,1,1\n", "b.csv")

    assert refusal(first, second).field.endswith("b.csv, row 2, ts_ns")


def test_a_truncated_gzip_file_is_named_with_its_row(tmp_path: Path) -> None:
    whole = gzip.compress((TRADES + "".join(f"{n},150,1,1\n" for n in range(5_000))).encode())
    file = tmp_path / "cut.csv.gz"
    file.write_bytes(whole[: len(whole) // 2])

    error = refusal(file)

    assert error.code == "BAD_DATA"
    assert "cut.csv.gz, row " in error.field


def test_a_file_that_is_no_text_is_bad_data(tmp_path: Path) -> None:
    file = tmp_path / "picture.csv"
    file.write_bytes(b"ts_ns,price,size,side\n\xff\xfe\x00,1,1,1\n")

    assert refusal(file).code == "BAD_DATA"


def test_a_file_that_is_not_there_is_a_bad_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.csv").code == "BAD_FILE"


@pytest.mark.parametrize(
    ("name", "bars"),
    [
        ("candles/binance_um_SOLUSDT_1m_20250504_20250624.csv.gz", 73_141),
        ("candles/binance_um_SOLUSDT_5m_20241231_20260219.csv.gz", 119_724),
    ],
)
def test_recorded_candles_are_read_to_the_end(name: str, bars: int) -> None:
    found = Tape([recorded_folder() / name], SPEC).rows()

    assert sum(1 for _ in found) == 4 * bars


def test_recorded_trades_of_one_instrument_are_read() -> None:
    file = recorded_folder() / "ticks/binance_trades_btc_eth_2023_2024.csv.gz"
    spec = TapeSpec(market="BTC-PERP", tick_e6=100_000, step_e9=E9 // 1000, symbol="BTCUSDT", venue="binance_um")

    found: Sequence[TradeRow] = rows(file, spec=spec)

    assert len(found) == 44_949
    assert found[0] == TradeRow(1680652700452 * 10**6, 28_145_100_000, 2_000_000, -1)
