"""`gridkeeper sandbox` against a running sandbox: faults begin, are counted and end; markets change; forks are left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from solders.keypair import Keypair

from gridkeeper_runtime.datadir import RunFile, locked, write_run_file
from support.command import document, run
from support.sandbox import RunningSandbox, running_sandbox

KEYPAIR = Keypair.from_seed(bytes(range(32)))
STORM = """
seed = 3
[[fault]]
kind = "rate-limit"
method = "getSlot"
count = 1
"""


class Place(NamedTuple):
    sandbox: RunningSandbox
    data_dir: Path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A sandbox that the command finds by its data directory."""
    data_dir = tmp_path / "data"
    with running_sandbox(tmp_path / "chain") as sandbox, locked(data_dir, "0.1.0"):
        file = RunFile(
            version="0.1.0", started_at="", supervisor_pid=0, nats_url="", postgres_url="", rpc_url=sandbox.url
        )
        write_run_file(data_dir, file)
        yield Place(sandbox, data_dir)


def test_faults_are_set_counted_and_cleared(place: Place, tmp_path: Path) -> None:
    storm = tmp_path / "storm.toml"
    storm.write_text(STORM)
    set_ = run("sandbox", "faults", "set", str(storm), data_dir=place.data_dir)
    assert set_.output == "rate-limit on getSlot, share 1, 1 times at most: struck 0 times\n"
    assert place.sandbox.ask("getSlot")["error"]["code"] == 429
    assert "result" in place.sandbox.ask("getSlot")
    shown = document(run("sandbox", "faults", "show", "--json", data_dir=place.data_dir))
    assert [item["struck"] for item in shown["faults"]] == [1]
    assert run("sandbox", "faults", "clear", data_dir=place.data_dir).output == "No faults are in force.\n"


def test_a_scenario_that_cannot_be_used_is_refused_and_names_its_field(place: Place, tmp_path: Path) -> None:
    for text, code, named in (
        ('[[fault]]\nkind = "flood"\n', "BAD_VALUE", "flood"),
        ('[[fault]]\nkind = "slow"\nshare = 3\n', "BAD_VALUE", "share"),
        ("[[fault]", "BAD_TOML", ""),
    ):
        path = tmp_path / "wrong.toml"
        path.write_text(text)
        refused = run("sandbox", "faults", "set", str(path), "--json", data_dir=place.data_dir)
        assert refused.exit_code == 1
        error = document(refused)["error"]
        assert error["code"] == code
        assert named in error["detail"]


def test_a_market_is_changed_and_the_exchange_paused(place: Place) -> None:
    changed = run("sandbox", "market", "SOL-PERP", "status=reduce-only", "paused_operations=4", data_dir=place.data_dir)
    assert changed.output == "SOL-PERP was changed.\n"
    assert run("sandbox", "exchange", "8", data_dir=place.data_dir).exit_code == 0
    assert run("sandbox", "market", "SOL-PERP", "colour=1", data_dir=place.data_dir).exit_code == 1
    assert run("sandbox", "market", "SOL-PERP", "status", data_dir=place.data_dir).exit_code == 2


def test_a_fork_is_left_once(place: Place) -> None:
    place.sandbox.fund(KEYPAIR.pubkey())
    place.sandbox.price(150, 1)
    signature = place.sandbox.open_account(KEYPAIR)
    forked = run("sandbox", "fork", signature, data_dir=place.data_dir)
    assert forked.output == "The chain left that fork.\n"
    assert place.sandbox.result("getSignatureStatuses", [signature])["value"] == [None]
    again = run("sandbox", "fork", signature, data_dir=place.data_dir)
    assert again.exit_code == 1


def test_where_nothing_runs_the_command_says_so(tmp_path: Path) -> None:
    refused = run("sandbox", "faults", "show", "--json", data_dir=tmp_path)
    assert document(refused)["error"]["code"] == "NOT_RUNNING"
