"""`gridkeeper up` with the demo, as a user starts it: trades soon, stops in order, carries on, shares with nobody."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from gridkeeper_core.events import GridProposed, Transferred
from gridkeeper_core.interface import COMMANDS, EVERYWHERE, queries_of
from gridkeeper_core.names import command_subject, query_subject
from gridkeeper_core.requests import GridView
from gridkeeper_runtime.datadir import is_locked
from support.whole_system import WholeSystem, running

pytestmark = [pytest.mark.system, pytest.mark.servers]

FIRST_FILL_WITHIN_S = 60.0
STOPPED_WITHIN_S = 15.0
UP = (sys.executable, "-m", "gridkeeper_cli", "--json", "up", "--no-live-view", "--data-dir")

SERVED = {
    service: {query_subject(0, service, query.what) for query in (*queries_of(service), *EVERYWHERE)}
    | {command_subject(0, kind.kind, "*", "*") for kind in COMMANDS if kind.service == service}
    for service in ("strategy", "execution", "ledger", "notifier")
}
"""What docs/requests.md says each service answers."""


def grids(system: WholeSystem) -> list[GridView]:
    return msgspec.json.decode(system.ask("query.0.strategy.grids"), type=list[GridView])


def facts(system: WholeSystem, kind: type) -> int:
    return sum(isinstance(event.fact, kind) for event in system.events("strategy_0", "execution_0"))


def served(system: WholeSystem, service: str) -> set[str]:
    """The subjects it says it answers, by NATS' own way of asking a micro service."""
    return {endpoint["subject"] for endpoint in json.loads(system.ask(f"$SRV.INFO.{service}"))["endpoints"]}


def refused(data_dir: Path, *arguments: str) -> tuple[int, dict[str, str]]:
    done = subprocess.run([*UP, str(data_dir), *arguments], capture_output=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout)["error"]


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_up_trades_soon_stops_in_order_and_carries_on(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with running(data_dir) as first:
        before = first.until(lambda: [g for g in grids(first) if g.fills], within_s=FIRST_FILL_WITHIN_S)
        assert [grid.id for grid in before] == ["example"]
        assert before[0].live_orders > 20
        pids = [service.pid for service in first.run_file.services.values()]
        assert len(pids) == 6
        assert (data_dir / "run.json").stat().st_mode & 0o777 == 0o600

        assert {name: served(first, name) for name in SERVED} == SERVED

        code, error = refused(data_dir)
        assert (code, error["code"]) == (1, "DATA_DIR_LOCKED")

        asked_s = time.monotonic()
        assert first.stop() == 0
        assert time.monotonic() - asked_s < STOPPED_WITHIN_S
    assert not any(alive(pid) for pid in pids)
    assert not (data_dir / "run.json").exists()
    assert not is_locked(data_dir)

    with running(data_dir) as second:
        after = second.until(lambda: [g for g in grids(second) if g.fills > before[0].fills], within_s=60)
        assert [grid.id for grid in after] == ["example"]
        assert after[0].state == "open"
        assert facts(second, GridProposed) == 1
        assert facts(second, Transferred) == 0
        assert second.until(lambda: not second.reconcile().differs, within_s=30)
        assert second.stop() == 0


def test_a_killed_service_is_started_again_and_the_run_file_names_its_successor(tmp_path: Path) -> None:
    with running(tmp_path / "data") as system:
        system.until(lambda: grids(system), within_s=60)
        old = system.pid("ledger")
        system.kill("ledger")

        system.until(lambda: system.pid("ledger") != old and system.command("ledger", "show")[0] == 0, within_s=30)
        assert alive(system.pid("ledger"))
        assert system.stop() == 0


def test_up_can_be_stopped_while_it_starts(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with running(data_dir) as system:
        system.until(lambda: (data_dir / "logs" / "nats.log").exists(), within_s=30, every_s=0.01)

        assert system.stop() == 0
    assert not is_locked(data_dir)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--lockstep",), "--lockstep"),
        (("--speed", "2"), "--speed"),
    ],
)
def test_what_cannot_be_run_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, arguments: tuple[str, ...], field: str
) -> None:
    code, error = refused(tmp_path / "data", *arguments)

    assert (code, error["code"], error["field"]) == (1, "BAD_VALUE", field)
    assert not (tmp_path / "data" / "gridkeeper.toml").exists()


def test_an_endpoint_is_traded_on_only_with_a_configuration_that_names_it(tmp_path: Path) -> None:
    code, error = refused(tmp_path / "data", "--profile", "drift")

    assert (code, error["code"], error["field"]) == (1, "BAD_FILE", "config")
    assert not (tmp_path / "data" / "gridkeeper.toml").exists()


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"a,b,c\n1,2,3\n", "row 1"),
        (b"ts_ms,price,size,side\n1700000000000,20.5,1,buy\n1700000000500,xx,1,buy\n", "row 3, price"),
        (gzip.compress(b"ts_ms,price,size,side\n1700000000000,20.5,1,buy\n", mtime=0)[:-9], "tape"),
    ],
)
def test_a_corrupt_recording_is_refused_by_file_row_and_column_and_nothing_is_started(
    tmp_path: Path, content: bytes, place: str
) -> None:
    tape = tmp_path / "tape.csv"
    tape.write_bytes(content)

    code, error = refused(tmp_path / "data", "--feed", f"replay:{tape}")

    assert (code, error["code"]) == (1, "BAD_DATA")
    assert str(tape) in error["field"]
    assert place in error["field"]
    assert not (tmp_path / "data" / "gridkeeper.toml").exists()
    assert not (tmp_path / "data" / "nats").exists()


def test_a_fast_recording_needs_lockstep(tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    tape.write_text("ts_ms,price,size,side\n1700000000000,20.5,1,buy\n")

    code, error = refused(tmp_path / "data", "--feed", f"replay:{tape}", "--speed", "61")

    assert (code, error["field"]) == (1, "--speed")


def test_the_example_grid_of_a_recording_trades_it(tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    rows = [
        f"{1_700_000_000_000 + 500 * n},{20 + (n % 20) * 0.05:.2f},50,{'buy' if n % 2 else 'sell'}" for n in range(4000)
    ]
    tape.write_text("ts_ms,price,size,side\n" + "\n".join(rows) + "\n")

    with running(tmp_path / "data", "--feed", f"replay:{tape}", "--lockstep") as system:
        system.until(lambda: [g for g in grids(system) if g.fills > 20], within_s=60)
        assert system.stop() == 0
