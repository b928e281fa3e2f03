"""`gridkeeper backtest` on a market everyone can generate: to the digit, whatever the format of the file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.command import document, run
from support.plain_grid import GRID_TEXT, compared, market, plain_grid, write_market

WORDS = ("--fill", "touch", "--latency", "0", "--fees", "maker=-0.0002", "--no-margin", "--json")
STD_SIGMA, CALM_SIGMA, DENSE_SIGMA = 4e-4, 0.5e-4, 2e-3
SEED = 20260101


@pytest.fixture
def grid_file(tmp_path: Path) -> Path:
    path = tmp_path / "plain.toml"
    path.write_text(GRID_TEXT)
    return path


def backtested(grid_file: Path, data: Path, *words: str) -> Any:
    result = run("backtest", str(grid_file), "--data", str(data), *words)
    assert result.exit_code == 0, result.output
    return document(result)


@pytest.fixture(scope="module")
def million() -> tuple[list[int], list[int]]:
    return market(STD_SIGMA, 1_000_000, SEED)


@pytest.mark.parametrize("name", ["std.parquet", "std.csv"])
def test_a_million_trades_come_to_the_published_result(
    grid_file: Path, tmp_path: Path, million: tuple[list[int], list[int]], name: str
) -> None:
    answer = backtested(grid_file, write_market(tmp_path / name, *million), *WORDS)

    assert (answer["ticks"], answer["fills"], answer["placed"], answer["cancelled"]) == (1_000_000, 3434, 6894, 3428)
    assert (answer["final_gap"], answer["position"], answer["cash"]) == (30, "2", "-108.3")
    assert (answer["volume"], answer["fees"], answer["total_pnl"]) == ("52157.5", "-10.4315", "162.7315")
    assert answer["fills_sha256"].startswith("ae098db9092f864a")
    assert answer["max_live_orders"] == 32
    assert answer["residual"] == "0"


@pytest.mark.parametrize(
    ("sigma", "count", "seed"),
    [(CALM_SIGMA, 200_000, SEED), (DENSE_SIGMA, 8_000, SEED), (STD_SIGMA, 100_000, 7), (DENSE_SIGMA, 4_000, 11)],
)
def test_other_markets_come_to_what_a_plain_grid_comes_to(
    grid_file: Path, tmp_path: Path, sigma: float, count: int, seed: int
) -> None:
    cents, sizes = market(sigma, count, seed)

    answer = backtested(grid_file, write_market(tmp_path / "data.parquet", cents, sizes), *WORDS)

    assert compared(answer) == plain_grid(cents)


def test_the_plain_engine_answers_the_same(grid_file: Path, tmp_path: Path) -> None:
    data = write_market(tmp_path / "data.csv", *market(DENSE_SIGMA, 2_000, 3))

    assert backtested(grid_file, data, *WORDS, "--plain") == backtested(grid_file, data, *WORDS)


def test_several_grids_on_several_markets_run_at_once(grid_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(GRID_TEXT.replace('"plain"', '"other"').replace("SOL-PERP", "ETH-PERP"))
    sol = write_market(tmp_path / "sol.parquet", *market(DENSE_SIGMA, 1_000, 1))
    eth = write_market(tmp_path / "eth.parquet", *market(DENSE_SIGMA, 1_500, 2))

    result = run(
        "backtest", str(grid_file), str(other), "--data", f"SOL-PERP={sol}", "--data", f"ETH-PERP={eth}", *WORDS
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    answer = document(result)
    assert answer["ticks"] == 2_500
    assert answer["fills"] == sum(grid["fills"] for grid in answer["grids"])
    assert [grid["grid"] for grid in answer["grids"]] == ["plain", "other"]
    assert answer["grids"][0]["fills_sha256"] == backtested(grid_file, sol, *WORDS)["fills_sha256"]


def test_the_drawdown_of_several_grids_is_that_of_what_they_have_together(grid_file: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin.toml"
    twin.write_text(GRID_TEXT.replace('"plain"', '"twin"'))
    data = write_market(tmp_path / "sol.parquet", *market(DENSE_SIGMA, 1_000, 1))

    result = run("backtest", str(grid_file), str(twin), "--data", str(data), *WORDS)

    alone = float(backtested(grid_file, data, *WORDS)["max_drawdown"])
    assert alone > 0
    assert float(document(result)["max_drawdown"]) == pytest.approx(2 * alone, abs=1e-5)


def test_files_of_several_markets_must_say_whose_they_are(grid_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(GRID_TEXT.replace('"plain"', '"other"').replace("SOL-PERP", "ETH-PERP"))
    data = write_market(tmp_path / "sol.parquet", *market(DENSE_SIGMA, 10, 1))

    result = run("backtest", str(grid_file), str(other), "--data", str(data), "--json")

    assert result.exit_code == 1
    assert document(result)["error"]["field"] == "--data"


def test_bad_data_ends_with_one_and_names_the_place(grid_file: Path, tmp_path: Path) -> None:
    data = tmp_path / "bad.csv"
    data.write_text("ts_ms,price,size,side\n1,150,1,buy\n2,-150,1,buy\n")

    result = run("backtest", str(grid_file), "--data", str(data), "--json")

    assert result.exit_code == 1
    assert document(result)["error"]["field"] == f"{data}, row 3, price"


@pytest.mark.parametrize("words", [("--fees", "maker=free"), ("--fees", "tier=9"), ("--queue-ahead", "2")])
def test_an_option_that_cannot_be_is_refused(grid_file: Path, tmp_path: Path, words: tuple[str, str]) -> None:
    data = write_market(tmp_path / "d.csv", *market(DENSE_SIGMA, 10, 1))

    result = run("backtest", str(grid_file), "--data", str(data), *words, "--json")

    assert result.exit_code == 1
    assert document(result)["error"]["field"] == words[0]


def test_the_report_needs_nothing_but_itself(grid_file: Path, tmp_path: Path) -> None:
    data = write_market(tmp_path / "d.csv", *market(DENSE_SIGMA, 3_000, 5))
    report = tmp_path / "report.html"

    answer = backtested(grid_file, data, *WORDS, "--report", str(report))

    page = report.read_text()
    # The names of the SVG namespaces are no addresses anything is fetched from.
    assert set(re.findall(r'(?:src|href)="(?!#)([^"]+)"', page)) == set()
    assert not re.search(r"@import|url\((?!#)", page)
    assert page.count("<svg") == 5
    assert answer["fills_sha256"] in page
    assert f"{float(answer['total_pnl']):+,.2f}" in page
    assert "intervals = 100" in page


def test_variants_are_compared_with_their_spread(grid_file: Path, tmp_path: Path) -> None:
    data = write_market(tmp_path / "d.csv", *market(DENSE_SIGMA, 3_000, 5))
    report = tmp_path / "compare.html"

    answer = backtested(
        grid_file, data, *WORDS, "--vary", "intervals=50,100,5000", "--vary", "size.base=0.1,0.2",
        "--walk-forward", "2", "--jobs", "2", "--report", str(report),
    )  # fmt: skip

    (compared_grid,) = answer["grids"]
    variants = compared_grid["variants"]
    assert len(variants) == 6
    assert [v["error"]["code"] for v in variants if "error" in v] == ["LEVELS_TOO_MANY"] * 2
    ran = [v for v in variants if "error" not in v]
    assert compared_grid["spread"]["best"] == max((v["return"] for v in ran), key=float)
    assert compared_grid["spread"]["worst"] == min((v["return"] for v in ran), key=float)
    assert len(compared_grid["walk_forward"]) == 2
    assert all(split["all_after"] for split in compared_grid["walk_forward"])
    # A grid of twice the size on twice the capital makes the same share of it.
    by_size = {json.dumps(v["settings"]): v["return"] for v in ran}
    assert len(set(by_size.values())) == 2
    assert "Return against drawdown" in report.read_text()


def test_one_process_or_two_come_to_the_same(grid_file: Path, tmp_path: Path) -> None:
    data = write_market(tmp_path / "d.csv", *market(DENSE_SIGMA, 1_000, 5))
    words = (*WORDS, "--vary", "intervals=20,40,80")

    assert backtested(grid_file, data, *words, "--jobs", "1") == backtested(grid_file, data, *words, "--jobs", "2")


def test_walking_forward_needs_something_to_choose_from(grid_file: Path, tmp_path: Path) -> None:
    data = write_market(tmp_path / "d.csv", *market(DENSE_SIGMA, 10, 1))

    result = run("backtest", str(grid_file), "--data", str(data), "--walk-forward", "2", "--json")

    assert result.exit_code == 2


def test_a_run_loads_neither_the_plots_nor_the_chain_nor_a_client(grid_file: Path, tmp_path: Path) -> None:
    data = write_market(tmp_path / "d.parquet", *market(DENSE_SIGMA, 100, 1))
    program = (
        "import atexit, sys\n"
        "tell = lambda: print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
        "atexit.register(tell)\n"
        "from gridkeeper_cli.__main__ import cli\n"
        f"cli.main({['backtest', str(grid_file), '--data', str(data), *WORDS]!r})\n"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert json.loads(ran.stdout)["ticks"] == 100
    loaded = set(ran.stderr.split())
    assert "pyarrow" in loaded
    assert (
        loaded & {"matplotlib", "driftpy", "solders", "nats", "psycopg", "asyncio", "multiprocessing", "rich"} == set()
    )
