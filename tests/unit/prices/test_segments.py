"""Every published price is in an hourly file that a crash, at any moment, leaves readable."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import PriceSegmentClosed
from gridkeeper_core.prices.price import Price
from gridkeeper_core.prices.segment import segment_prices
from gridkeeper_price_feed.adapters.segments import SegmentFiles

SOL = "SOL-PERP"
HOUR_NS = 3600 * 10**9
TWENTY_PAST_NS = 1_750_000_800 * 10**9  # 2025-06-15 15:20 UTC


def price(seq: int, ts_ns: int = TWENTY_PAST_NS) -> Price:
    return Price(market=SOL, source="tape", source_seq=seq, ts_ns=ts_ns, oracle_e6=150_000_000 + seq)


def files(folder: Path, *, closed_seq: int = 0) -> SegmentFiles:
    return SegmentFiles(folder, SOL, closed_seq=closed_seq)


def fresh(folder: Path) -> SegmentFiles:
    record = files(folder)
    assert record.recover() == []
    return record


def crash_after(folder: Path, *prices: Price) -> None:
    """What a process leaves that was killed after it wrote these."""
    record = fresh(folder)
    record.append(prices)
    assert record._file is not None
    record._file.close()


def test_an_hour_is_one_file_and_its_fact_says_what_is_in_it(tmp_path: Path) -> None:
    record = fresh(tmp_path)

    assert record.append([price(1), price(2)]) == []
    [closed] = record.append([price(3, TWENTY_PAST_NS + HOUR_NS)])
    record.close()

    path = tmp_path / SOL / closed.file
    assert closed == PriceSegmentClosed(
        market=SOL,
        file="2025-06-15T15-1.jsonl.gz",
        first_seq=1,
        last_seq=2,
        count=2,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    assert segment_prices(path.read_bytes()) == [price(1), price(2)]


def test_a_batch_over_several_hours_is_several_files(tmp_path: Path) -> None:
    record = fresh(tmp_path)

    closed = record.append([price(n, TWENTY_PAST_NS + n * HOUR_NS) for n in (1, 2, 3)]) + record.close()

    assert [(segment.first_seq, segment.last_seq) for segment in closed] == [(1, 1), (2, 2), (3, 3)]


def test_equal_prices_give_equal_bytes(tmp_path: Path) -> None:
    closed = []
    for name in ("a", "b"):
        record = fresh(tmp_path / name)
        record.append([price(1), price(2)])
        closed += record.close()

    assert closed[0] == closed[1]


def test_closing_twice_closes_once(tmp_path: Path) -> None:
    record = fresh(tmp_path)
    record.append([price(1)])

    assert len(record.close()) == 1
    assert record.close() == []


def test_after_a_crash_the_last_price_is_known_and_the_file_is_closed(tmp_path: Path) -> None:
    crash_after(tmp_path, price(1), price(2))

    again = files(tmp_path)
    [closed] = again.recover()

    assert (closed.first_seq, closed.last_seq) == (1, 2)
    assert (again.last, again.last_seq) == (price(2), 2)
    assert [path.name for path in (tmp_path / SOL).iterdir()] == [closed.file]


def test_a_line_torn_by_the_crash_was_never_published_and_is_cut_off(tmp_path: Path) -> None:
    crash_after(tmp_path, price(1), price(2))
    [path] = (tmp_path / SOL).iterdir()
    path.write_bytes(path.read_bytes()[:-9])

    again = files(tmp_path)
    [closed] = again.recover()

    assert again.last == price(1)
    assert (closed.last_seq, closed.count) == (1, 1)


def test_a_file_with_nothing_but_a_torn_line_is_forgotten(tmp_path: Path) -> None:
    crash_after(tmp_path, price(1))
    [path] = (tmp_path / SOL).iterdir()
    path.write_bytes(b'{"mark')

    again = files(tmp_path)

    assert again.recover() == []
    assert again.last_seq == 0
    again.append([price(1)])
    assert len(again.close()) == 1


def test_a_crash_between_packing_and_removing_loses_and_doubles_nothing(tmp_path: Path) -> None:
    record = fresh(tmp_path)
    record.append([price(1)])
    [path] = (tmp_path / SOL).iterdir()
    open_file = path.read_bytes()
    [before] = record.close()
    path.write_bytes(open_file)

    assert files(tmp_path).recover() == [before]


def test_a_closed_file_whose_fact_was_not_recorded_is_told_again_and_others_are_not(tmp_path: Path) -> None:
    record = fresh(tmp_path)
    first = record.append([price(1)]) + record.close()
    second = record.append([price(2, TWENTY_PAST_NS + HOUR_NS)]) + record.close()

    assert files(tmp_path, closed_seq=1).recover() == second
    assert files(tmp_path, closed_seq=0).recover() == first + second
    assert files(tmp_path, closed_seq=2).recover() == []


def test_numbers_go_on_after_a_restart_in_the_same_hour(tmp_path: Path) -> None:
    crash_after(tmp_path, price(1))
    again = files(tmp_path)
    again.recover()

    again.append([price(2)])

    assert [segment.file for segment in again.close()] == ["2025-06-15T15-2.jsonl.gz"]


def test_where_the_files_are_gone_the_log_still_knows_the_last_number_it_recorded(tmp_path: Path) -> None:
    record = files(tmp_path, closed_seq=40)

    assert record.recover() == []
    assert (record.last, record.last_seq) == (None, 40)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    record = fresh(tmp_path)
    record.append([price(1)])
    [closed] = record.close()
    path = tmp_path / SOL / closed.file
    path.write_bytes(path.read_bytes()[:-12])

    with pytest.raises(GridkeeperError) as caught:
        files(tmp_path).recover()

    assert caught.value.code == "BAD_DATA"
    assert closed.file in caught.value.field


def test_a_damaged_line_in_the_middle_is_not_taken_for_a_torn_one(tmp_path: Path) -> None:
    crash_after(tmp_path, price(1), price(2))
    [path] = (tmp_path / SOL).iterdir()
    path.write_bytes(b"{}\n" + path.read_bytes())

    with pytest.raises(GridkeeperError, match="BAD_DATA"):
        files(tmp_path).recover()


def test_a_price_keeps_all_it_says(tmp_path: Path) -> None:
    record = fresh(tmp_path)
    full = msgspec.structs.replace(price(1), confidence_e6=5, slot=6, bid_e6=7, ask_e6=8, size_e9=9, side=-1)
    record.append([full])
    [closed] = record.close()

    assert segment_prices((tmp_path / SOL / closed.file).read_bytes()) == [full]
