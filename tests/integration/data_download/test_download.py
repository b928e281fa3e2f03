"""`gridkeeper data download` against a local server that answers like the archives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gridkeeper_cli.data_download import download, http_fetch
from gridkeeper_cli.data_sources import Wanted
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import E9
from gridkeeper_lab.columns import Columns, read_columns
from gridkeeper_lab.funding_file import read_funding
from gridkeeper_lab.tape import TapeSpec
from support.archive_server import FIRST_MS, MINUTE_MS, TRADE_EVERY_MS, Archive, running_archive
from support.command import document, run

DAY = ("--from", "2024-05-01", "--to", "2024-05-02")
HOUR = ("--from", "2024-05-01T00:00", "--to", "2024-05-01T01:00")
SPEC = TapeSpec(market="SOL-PERP", tick_e6=10_000, step_e9=E9 // 100)


@pytest.fixture
def archive() -> Iterator[Archive]:
    with running_archive() as running:
        yield running


def fetched(archive: Archive, out: Path, *words: str) -> Any:
    result = run("data", "download", "--base-url", archive.url, "--out", str(out), *words, "--json")
    assert result.exit_code == 0, result.output
    return document(result)


def tape(out: Path) -> Columns:
    return read_columns([out], SPEC)


@pytest.mark.parametrize(("source", "symbol"), [("binance", "SOLUSDT"), ("hyperliquid", "SOL")])
def test_a_day_of_candles_is_fetched_page_by_page_and_can_be_backtested(
    archive: Archive, tmp_path: Path, source: str, symbol: str
) -> None:
    out = tmp_path / "candles.parquet"

    answer = fetched(archive, out, "--source", source, "--symbol", symbol, *DAY)

    assert answer["rows"] == 1440
    assert answer["gaps"] == []
    assert (answer["first"], answer["last"]) == ("2024-05-01T00:00:00Z", "2024-05-01T23:59:00Z")
    assert len(archive.asked) >= 15
    assert len(tape(out)) == 4 * 1440


def test_trades_of_an_hour_are_fetched_once_each(archive: Archive, tmp_path: Path) -> None:
    out = tmp_path / "trades.parquet"

    answer = fetched(archive, out, "--source", "binance", "--kind", "trades", "--symbol", "SOLUSDT", *HOUR)

    rows = tape(out)
    expected = -(-60 * MINUTE_MS // TRADE_EVERY_MS)
    assert answer["rows"] == len(rows) == expected
    assert set((rows.ts_ns[1:] - rows.ts_ns[:-1]).tolist()) == {TRADE_EVERY_MS * 10**6}
    assert rows.side[:2].tolist() == [-1, 1]  # the buyer was the maker of the first


@pytest.mark.parametrize(
    ("source", "symbol", "payments", "rate_e12"),
    [("binance", "SOLUSDT", 3, 10**8), ("hyperliquid", "SOL", 24, -12_340_000), ("drift", "SOL-PERP", 1, 10_000_000)],
)
def test_funding_is_a_share_of_the_notional_whatever_the_source(
    archive: Archive, tmp_path: Path, source: str, symbol: str, payments: int, rate_e12: int
) -> None:
    out = tmp_path / "funding.parquet"

    fetched(archive, out, "--source", source, "--kind", "funding", "--symbol", symbol, *DAY)

    found = read_funding([out])
    assert len(found) == payments
    assert {payment.rate_e12 for payment in found} == {rate_e12}


def test_fills_of_drifts_archive_become_trades_and_days_it_does_not_have_are_passed(
    archive: Archive, tmp_path: Path
) -> None:
    out = tmp_path / "drift.parquet"

    answer = fetched(
        archive, out, "--source", "drift", "--kind", "trades", "--symbol", "SOL-PERP",
        "--from", "2024-04-30", "--to", "2024-05-03",
    )  # fmt: skip

    rows = tape(out)
    assert answer["rows"] == 2
    assert rows.price_e6.tolist() == [125_250_000, 133_330_000]
    assert rows.side.tolist() == [1, -1]
    assert len(archive.asked) == 3


def test_a_gap_between_candles_is_reported(archive: Archive, tmp_path: Path) -> None:
    archive.missing = {FIRST_MS + 10 * MINUTE_MS, FIRST_MS + 11 * MINUTE_MS}

    answer = fetched(archive, tmp_path / "c.parquet", "--source", "binance", "--symbol", "SOLUSDT", *HOUR)

    assert answer["rows"] == 58
    assert answer["gaps"] == [{"after": "2024-05-01T00:09:00Z", "before": "2024-05-01T00:12:00Z", "missing": 2}]


def test_a_broken_download_goes_on_where_it_stopped(archive: Archive, tmp_path: Path) -> None:
    out = tmp_path / "candles.parquet"
    words = ("--source", "binance", "--symbol", "SOLUSDT", *DAY)
    archive.breaks_after = 6

    broken = run("data", "download", "--base-url", archive.url, "--out", str(out), *words, "--json")
    assert broken.exit_code == 1
    assert document(broken)["error"]["code"] == "DOWNLOAD_FAILED"
    assert not out.exists()

    archive.breaks_after = None
    archive.asked.clear()
    answer = fetched(archive, out, *words)

    assert answer["rows"] == 1440
    assert answer["resumed_rows"] == 600
    assert len(archive.asked) <= 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["candles.parquet"]


def test_parts_of_another_download_are_not_mixed_in(archive: Archive, tmp_path: Path) -> None:
    out = tmp_path / "candles.parquet"
    archive.breaks_after = 3
    run("data", "download", "--base-url", archive.url, "--out", str(out), "--source", "binance", "--symbol", "A", *DAY)
    archive.breaks_after = None

    other = run(
        "data", "download", "--base-url", archive.url, "--out", str(out), "--source", "binance", "--symbol", "B", *DAY,
        "--json",
    )  # fmt: skip

    assert other.exit_code == 1
    assert document(other)["error"]["code"] == "BAD_FILE"


def test_a_busy_server_is_asked_again_after_the_time_it_names(archive: Archive, tmp_path: Path) -> None:
    archive.fails = [(429, b"", {"Retry-After": "7"}), (503, b"", {})]
    waited: list[float] = []
    wanted = Wanted(
        source="binance", kind="funding", symbol="S", interval="1m", first_ms=FIRST_MS, end_ms=FIRST_MS + 86_400_000
    )

    done = download(wanted, tmp_path / "f.parquet", http_fetch(archive.url, waited.append))

    assert done.rows == 3
    assert waited[:2] == [7.0, 1.0]


def test_rows_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    wanted = Wanted(
        source="drift", kind="funding", symbol="S", interval="1m", first_ms=FIRST_MS, end_ms=FIRST_MS + 2 * 86_400_000
    )

    def answers(path: str, _body: bytes | None) -> bytes | None:
        second = FIRST_MS // 1000 + 1
        rate = "0.1" if path.endswith("20240501") else "0.2"
        return f"ts,fundingRate,oraclePriceTwap\n{second},{rate},100\n".encode()

    with pytest.raises(GridkeeperError) as refused:
        download(wanted, tmp_path / "f.parquet", answers)

    assert refused.value.code == "BAD_DATA"


def test_what_a_source_does_not_keep_is_refused(tmp_path: Path) -> None:
    result = run(
        "data", "download", "--source", "hyperliquid", "--kind", "trades", "--symbol", "SOL", *DAY,
        "--out", str(tmp_path / "t.parquet"), "--json",
    )  # fmt: skip

    assert result.exit_code == 1
    assert document(result)["error"]["field"] == "--kind"
