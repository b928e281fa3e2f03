"""`ledger from-csv`: other people's fills, row by row, by every method, and files that are refused with their place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from support.command import document, run
from support.recorded_data import recorded_folder

FILLS = """Time,Market,Side,Price,Size,Fee
2024-01-01T00:00:00Z,SOL-PERP,buy,100,1,0.02
2024-01-02T00:00:00Z,SOL-PERP,BUY,110,1,0.02
2024-01-03T00:00:00Z,SOL-PERP,sell,120,1.5,-0.01
2024-01-04T00:00:00Z,SOL-PERP,-1,90,1,0.02
"""


def answer(tmp_path: Path, text: str, *options: str) -> Any:
    file = tmp_path / "fills.csv"
    file.write_text(text)
    result = run("ledger", "from-csv", str(file), "--json", *options)
    return document(result)


def realized(told: Any) -> list[str]:
    return [row["realized_pnl"] for row in told["rows"]]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("wac", ["0", "0", "22.5", "-7.5"]),  # at 105: 15 x 1.5; then 0.5 x (90 - 105)
        ("fifo", ["0", "0", "25", "-10"]),  # 20 + 10 / 2; then 0.5 x (90 - 110)
        ("lifo", ["0", "0", "20", "-5"]),  # 10 + 20 / 2; then 0.5 x (90 - 100)
        ("hifo", ["0", "0", "20", "-5"]),  # the dearest first: here the later one
    ],
)
def test_each_row_tells_what_it_realised_and_what_is_held(tmp_path: Path, method: str, expected: list[str]) -> None:
    told = answer(tmp_path, FILLS, "--method", method)

    assert realized(told) == expected
    assert [row["position"] for row in told["rows"]] == ["1", "2", "0.5", "-0.5"]
    assert [row["line"] for row in told["rows"]] == [2, 3, 4, 5]
    assert told["rows"][-1]["average_price"] == "90"
    assert (told["totals"]["realized_pnl"], told["totals"]["fees"], told["totals"]["net_pnl"]) == (
        "15",
        "0.05",
        "14.95",
    )


def test_columns_may_have_other_names_and_another_order(tmp_path: Path) -> None:
    text = "Executed;Avg;Type;Date(UTC)\n1;100;B;1704067200\n1;105.5;S;1704067200000\n"
    told = answer(tmp_path, text, "--size", "executed", "--price", "avg", "--side", "TYPE", "--time", "date(utc)")
    assert realized(told) == ["0", "5.5"]
    assert {row["time"] for row in told["rows"]} == {"2024-01-01T00:00:00.000000Z"}


def test_rows_are_taken_oldest_first_and_equal_times_as_the_file_has_them(tmp_path: Path) -> None:
    newest_first = "time,side,price,size\n2024-01-02,sell,120,1\n2024-01-01,buy,110,1\n2024-01-01,buy,100,1\n"
    told = answer(tmp_path, newest_first, "--method", "fifo")
    assert [row["line"] for row in told["rows"]] == [4, 3, 2]
    assert realized(told) == ["0", "0", "20"]


def test_markets_are_positions_of_their_own(tmp_path: Path) -> None:
    text = "market,side,price,size\nA,buy,100,1\nB,sell,50,2\nA,sell,101,1\nB,buy,40,2\n"
    told = answer(tmp_path, text)
    assert realized(told) == ["0", "0", "1", "20"]
    assert [(m["market"], m["realized_pnl"], m["position"]) for m in told["totals"]["markets"]] == [
        ("A", "1", "0"),
        ("B", "20", "0"),
    ]


def test_the_quote_amount_counts_where_the_file_has_it(tmp_path: Path) -> None:
    text = "side,price,size,quote\nbuy,100,1,99.999999\nsell,100,1,100.000001\n"
    assert realized(answer(tmp_path, text)) == ["0", "0.000002"]


def test_a_packed_file_with_a_mark_of_its_encoding_is_read(tmp_path: Path) -> None:
    file = tmp_path / "fills.csv.gz"
    file.write_bytes(gzip.compress(b"\xef\xbb\xbf" + FILLS.encode()))
    assert realized(document(run("ledger", "from-csv", str(file), "--json"))) == ["0", "0", "22.5", "-7.5"]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("x,SOL-PERP,buy,100,1,0", "line 2, time"),
        ("2024-01-01,SOL-PERP,hold,100,1,0", "line 2, side"),
        ("2024-01-01,SOL-PERP,buy,1e400,1,0", "line 2, price"),
        ("2024-01-01,SOL-PERP,buy,nan,1,0", "line 2, price"),
        ("2024-01-01,SOL-PERP,buy,100,-1,0", "line 2, size"),
        ("2024-01-01,SOL-PERP,buy,100,0,0", "line 2, size"),
        ("2024-01-01,SOL-PERP,buy,100,1,?", "line 2, fee"),
        ("2024-01-01,SOL-PERP,buy,100", "line 2"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, row: str, field: str) -> None:
    told = answer(tmp_path, f"time,market,side,price,size,fee\n{row}\n")["error"]
    assert (told["code"], told["field"]) == ("BAD_DATA", field)


def test_a_file_without_sides_says_how_to_name_the_column(tmp_path: Path) -> None:
    told = answer(tmp_path, "time,price,size\n")["error"]
    assert told["expected"] == "a column side"
    assert "--side NAME" in told["do"]


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    told = answer(tmp_path, FILLS, "--price", "paid")["error"]
    assert (told["field"], told["value"]) == ("--price", "paid")
    assert "price" in told["expected"]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    told = document(run("ledger", "from-csv", str(tmp_path / "no.csv"), "--json"))["error"]
    assert told["code"] == "BAD_FILE"


def golden(name: str) -> Any:
    return json.loads((recorded_folder() / "golden" / name).read_text())


def test_the_published_average_cost_examples_come_out_of_a_file(tmp_path: Path) -> None:
    for example in golden("average_cost_published_examples.json")["examples"]:
        lines = [f"{side},{price},{size},{fee}" for side, size, price, fee in example["events"]]
        told = answer(tmp_path, "side,price,size,fee\n" + "\n".join(lines) + "\n", "--fees", "in-cost")
        gains = [float(row["realized_pnl"]) for row in told["rows"] if row["side"] == "sell"]
        assert gains == pytest.approx(example["expect_gain_each"], abs=5e-5), example["id"]
        assert float(told["totals"]["realized_pnl"]) == pytest.approx(example["expect_total"], abs=5e-5)
        market = told["totals"]["markets"][0]
        assert float(market["position"]) == example["expect_pool"]["qty"]
        assert float(market["cost"]) == pytest.approx(example["expect_pool"]["cost"], abs=5e-5)


def test_the_protocols_own_steps_come_out_of_a_file_to_the_unit(tmp_path: Path) -> None:
    lines, expected = [], []
    for vector in golden("drift_position_golden.json")["vectors"]:
        before, delta, after = vector["position"], vector["delta"], vector["expect"]
        base, quote = before["base_asset_amount"], before["quote_entry_amount"]
        change, paid = delta["base_asset_amount"], delta["quote_asset_amount"]
        if change == 0 or (base == 0) != (quote == 0) or base * quote > 0 or change * paid > 0:
            continue  # no fill can have led there
        market = vector["name"]
        if base:
            lines.append(_line(market, base, quote))
        lines.append(_line(market, change, paid))
        expected.append((market, after["pnl"], after["base_asset_amount"], after["quote_entry_amount"]))
    assert len(expected) > 10

    told = answer(tmp_path, "market,side,size,quote\n" + "\n".join(lines) + "\n")

    last = {row["market"]: row for row in told["rows"]}
    cost = {market["market"]: market["cost"] for market in told["totals"]["markets"]}
    for market, pnl, base, entry in expected:
        assert round(float(last[market]["realized_pnl"]) * 10**6) == pnl, market
        assert round(float(last[market]["position"]) * 10**9) == base, market
        assert round(float(cost[market]) * 10**6) == abs(entry), market


def _line(market: str, base: int, quote: int) -> str:
    size, amount = f"{abs(base) // 10**9}.{abs(base) % 10**9:09}", f"{abs(quote) // 10**6}.{abs(quote) % 10**6:06}"
    return f"{market},{'buy' if base > 0 else 'sell'},{size},{amount}"
