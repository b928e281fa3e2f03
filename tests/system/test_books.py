"""The books of a recorded day prove themselves: to the venue, to their decisions, and in a file without any server."""

from __future__ import annotations

import gzip
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.recorded_data import recorded_folder
from support.whole_system import WholeSystem, running

pytestmark = pytest.mark.system

CANDLES = "candles/binance_um_SOLUSDT_1m_20250504_20250624.csv.gz"
MINUTES = 3 * 60
GRID = """
[grid]
id = "books"
market = "SOL-PERP"
lower = "130"
upper = "165"
intervals = {intervals}
spacing = "geometric"
size = {{ base = "0.1" }}

[risk]
max_drawdown = "0.9"
"""


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first hours of the recorded candles."""
    cut = tmp_path_factory.mktemp("tape") / "hours.csv"
    with gzip.open(recorded_folder() / CANDLES, "rt") as candles:
        cut.write_text("".join(itertools.islice(candles, MINUTES + 1)))
    return cut


@pytest.fixture(scope="module")
def system(tape: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSystem]:
    """The system after the tape, still up."""
    data_dir = tmp_path_factory.mktemp("books") / "data"
    grid_file = data_dir.parent / "books.toml"
    grid_file.write_text(GRID.format(intervals=80))
    with running(data_dir, "--no-example", "--feed", f"replay:{tape}", "--lockstep", "--hold-after", "1") as up:
        up.until(lambda: up.tape().rows_out == 1, within_s=60)
        code, answer = up.command("grid", "create", str(grid_file), "--yes", "--author", "ann", "--reason", "a test")
        assert code == 0, answer
        up.tape(None)
        up.until(lambda: up.tape().is_over, within_s=120, every_s=1.0)
        up.reconcile()
        yield up


def answered(system: WholeSystem, *arguments: str) -> Any:
    code, answer = system.command(*arguments)
    assert code == 0, answer
    return answer


def test_no_pnl_number_is_beyond_proof_nor_is_a_lamport_of_the_wallet(system: WholeSystem) -> None:
    proof = answered(system, "ledger", "proof")["proofs"][0]

    assert proof["ok"]
    assert (proof["residual"], proof["sol"]["residual_lamports"]) == ("0", 0)
    terms = {term["name"]: term for term in proof["terms"]}
    assert terms["grid profit"]["count"] > 3
    assert all(event["signature"] for event in terms["rebates"]["events"])
    assert proof["change_by_venue"] == proof["change_by_events"] != "0"
    lamports = {term["name"]: term for term in proof["sol"]["terms"]}
    assert lamports["fees"]["count"] > 3
    assert all(event["signature"] for event in lamports["fees"]["events"])


def test_every_decision_comes_out_as_it_was_recorded(system: WholeSystem) -> None:
    for source in ("postgres", "ev"):
        told = answered(system, "audit", "replay", "--decisions", "--from", source)["decisions"]
        assert [(log["folded"], log["lacking"]) for log in told["logs"]] == [(0, {})] * 4
        assert all(log["events"] > 10 for log in told["logs"])


def test_the_incident_is_replayed_from_its_file_alone(system: WholeSystem, tmp_path: Path) -> None:
    file = tmp_path / "incident.gz"
    answered(system, "audit", "export", str(file), "--incident", "books")

    replayed = _without_servers("audit", "replay", str(file))["replay"]
    assert replayed["ok"]
    assert any("trades from now on" in alert["text"] for alert in replayed["alerts"])
    told = _without_servers("audit", "replay", str(file), "--at", "2100-01-01")
    past, now = told["moment"]["ledger"]["grids"][0], answered(system, "ledger", "show", "books")["grid"]
    without_price = ("position", "average_entry", "grid_profit", "realized_pnl", "fees", "fills", "turns")
    assert [past[name] for name in without_price] == [now[name] for name in without_price]


def test_the_settings_that_ran_rehearse_to_the_very_fills_that_happened(system: WholeSystem, tmp_path: Path) -> None:
    wider = tmp_path / "wider.toml"
    wider.write_text(GRID.format(intervals=40))

    told = answered(system, "audit", "replay", "--with", str(wider))["rehearsal"]

    assert told["before"]["fills"] == told["fills_recorded"] > 0
    assert told["after"]["fills"] < told["before"]["fills"]


def test_an_export_is_the_same_bytes_every_time(system: WholeSystem, tmp_path: Path) -> None:
    for name in ("one", "two"):
        answered(system, "ledger", "export", "--method", "fifo", "--out", str(tmp_path / name))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_text().count(",trade,") > 5


def test_prices_are_whole_and_heads_hold(system: WholeSystem, tmp_path: Path) -> None:
    heads = tmp_path / "heads.json"
    answered(system, "audit", "export", "--heads", str(heads))
    audit = answered(system, "audit", "verify", "--heads", str(heads))["audit"]
    assert audit["ok"]
    assert audit["segments"] >= MINUTES // 60


def _without_servers(*arguments: str) -> Any:
    argv = [sys.executable, "-m", "gridkeeper_cli", "--data-dir", "/nonexistent", "--json", *arguments]
    return json.loads(subprocess.run(argv, capture_output=True, timeout=120, check=False).stdout)
