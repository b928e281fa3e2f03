"""`gridkeeper preview` on files good and bad, while nothing runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result

from support.command import GRID_TEXT, document, run


def preview(tmp_path: Path, text: str, *args: str) -> Result:
    path = tmp_path / "grid.toml"
    path.write_text(text)
    return run("preview", str(path), *args, data_dir=tmp_path)


def test_a_preview_is_one_document(tmp_path: Path) -> None:
    result = preview(tmp_path, GRID_TEXT, "--price", "100", "--json")
    told = document(result)

    assert result.exit_code == 0
    assert (told["id"], told["price"], told["gap"], told["intervals"]) == ("sol", "100", 1, 3)
    assert (told["capital"], told["worst_notional"]) == ("76.666667", "230")
    assert told["at_upper"]["liquidation"] == "146.031746"
    assert told["at_lower"] | {"liquidation_method": ""} == {
        "price": "90",
        "base": "1",
        "cost": "90",
        "average_entry": "90",
        "loss": "0",
        "liquidation": "14.035088",
        "liquidation_method": "",
        "funding_day": None,
    }
    assert [level["side"] for level in told["levels"]] == ["buy", "", "sell", "sell"]
    assert told["refusals"] == []
    assert "error" not in told
    assert "typical" in told["note"]


def test_sol_pays_for_transactions_at_its_own_price_on_its_own_market(tmp_path: Path) -> None:
    told = document(preview(tmp_path, GRID_TEXT, "--price", "100", "--json"))

    # Two transactions of 5000 lamports at 100.
    assert told["transaction_cost_per_turn"] == "0.001"


def test_on_another_market_transactions_are_left_out_until_sol_has_a_price(tmp_path: Path) -> None:
    text = GRID_TEXT.replace("SOL-PERP", "ETH-PERP")

    without = document(preview(tmp_path, text, "--price", "100", "--json"))
    given = document(preview(tmp_path, text, "--price", "100", "--sol-price", "200", "--json"))

    assert without["transaction_cost_per_turn"] is None
    assert given["transaction_cost_per_turn"] == "0.002"


def test_a_preview_reads_well_on_paper(tmp_path: Path) -> None:
    result = preview(tmp_path, GRID_TEXT, "--price", "100", "--sigma", "0.04")

    assert result.exit_code == 0
    assert "3 intervals on SOL-PERP, 90 to 120, price 100, account main" in result.stdout
    assert "K*sigma^2/(2R)*(1-c/s)" in result.stdout
    assert "liquidated at 146.031746" in result.stdout
    assert "Nothing speaks against it." in result.stdout


def test_without_a_price_there_is_no_preview(tmp_path: Path) -> None:
    result = preview(tmp_path, GRID_TEXT, "--json")

    assert result.exit_code == 1
    assert document(result)["error"]["code"] == "NO_PRICE"


def test_a_market_nobody_knows_is_refused(tmp_path: Path) -> None:
    result = preview(tmp_path, GRID_TEXT.replace("SOL-PERP", "DOGE-PERP"), "--price", "1", "--json")

    assert document(result)["error"]["code"] == "MARKET_UNKNOWN"


@pytest.mark.parametrize(
    ("old", "new", "code", "field"),
    [
        ("intervals", "interval", "UNKNOWN_KEY", "grid.interval"),
        ('"90"', '"ninety"', "BAD_NUMBER", "grid.lower"),
        ('"90"', "90.0", "BAD_NUMBER", "grid.lower"),
        ('"90"', '"130"', "LOWER_NOT_BELOW_UPPER", "grid.lower"),
        ('"120"', '"90.0003"', "SPACING_TOO_SMALL", "grid.intervals"),
        ('base = "1"', 'base = "0.005"', "SIZE_UNDER_MINIMUM", "grid.size"),
        ('base = "1"', 'quote = "0.5"', "SIZE_UNDER_MINIMUM", "grid.size"),
        ("intervals = 3", 'intervals = 3\nleverage = "11"', "LEVERAGE_TOO_HIGH", "grid.leverage"),
        ("[grid]", "[grid", "BAD_TOML", ""),
    ],
)
def test_a_bad_file_is_refused_by_code_and_field(tmp_path: Path, old: str, new: str, code: str, field: str) -> None:
    result = preview(tmp_path, GRID_TEXT.replace(old, new), "--price", "100", "--json")

    assert result.exit_code == 1
    assert (document(result)["error"]["code"], document(result)["error"]["field"]) == (code, field)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("--price", "0"), "BAD_VALUE"),
        (("--price", "-1"), "BAD_VALUE"),
        (("--price", "1e999999999"), "BAD_NUMBER"),
        (("--price", "100", "--sigma", "four"), "BAD_NUMBER"),
        (("--price", "100", "--accept", "SIZE_UNDER_MINIMUM"), "BAD_VALUE"),
    ],
)
def test_a_bad_option_is_refused(tmp_path: Path, args: tuple[str, ...], code: str) -> None:
    result = preview(tmp_path, GRID_TEXT, *args, "--json")

    assert (result.exit_code, document(result)["error"]["code"]) == (1, code)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = run("preview", str(tmp_path / "none.toml"), "--json")

    assert (result.exit_code, document(result)["error"]["code"]) == (1, "BAD_FILE")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_bytes(b"\xff\xfe")

    assert document(run("preview", str(tmp_path / "grid.toml"), "--json"))["error"]["code"] == "BAD_FILE"


def test_what_speaks_against_a_grid_is_told_with_the_whole_preview(tmp_path: Path) -> None:
    text = GRID_TEXT.replace("intervals = 3", 'intervals = 3\ncapital = "21"')

    result = preview(tmp_path, text, "--price", "100", "--json")
    told = document(result)

    assert result.exit_code == 1
    assert told["error"]["code"] == "LIQUIDATION_INSIDE_RANGE"
    assert [(r["code"], r["accepted"]) for r in told["refusals"]] == [("LIQUIDATION_INSIDE_RANGE", False)]
    assert told["capital"] == "21"


def test_what_is_accepted_speaks_against_it_no_more(tmp_path: Path) -> None:
    text = GRID_TEXT.replace("intervals = 3", 'intervals = 3\ncapital = "21"')

    result = preview(tmp_path, text, "--price", "100", "--accept", "LIQUIDATION_INSIDE_RANGE", "--json")

    assert result.exit_code == 0
    assert document(result)["accepted"] == ["LIQUIDATION_INSIDE_RANGE"]
    assert "error" not in document(result)


def test_a_refusal_reads_well_on_paper(tmp_path: Path) -> None:
    text = GRID_TEXT.replace("intervals = 3", 'intervals = 3\ncapital = "21"')

    result = preview(tmp_path, text, "--price", "100")

    assert result.exit_code == 1
    assert "Refused LIQUIDATION_INSIDE_RANGE" in result.stdout
    assert "--accept LIQUIDATION_INSIDE_RANGE" in result.stdout


def test_of_a_large_grid_the_middle_and_the_ends_are_shown(tmp_path: Path) -> None:
    text = GRID_TEXT.replace("intervals = 3", "intervals = 300")

    shown = preview(tmp_path, text, "--price", "100").stdout

    assert " 300 " in shown
    assert " 99.9 " in shown
    assert " 200 " not in shown
