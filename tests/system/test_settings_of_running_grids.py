"""What a user does to running grids: edit and back, flag, clone, explain; and three failures that cannot happen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gridkeeper_cli.demo import make_demo_files
from support.whole_system import WholeSystem, running

pytestmark = [pytest.mark.system, pytest.mark.servers]

GRID = """
[grid]
id = "{grid_id}"
market = "{market}"
lower = "90"
upper = "110"
intervals = 20
spacing = "arithmetic"
size = {{ base = "{size}" }}

[window]
live_orders = 8
reserve = 4
roll_interval = "0"

[risk]
pump_move = "1"
"""
ROWS = [100.0] * 6 + [99.0, 98.4, 97.9, 98.6, 99.6, 100.2] + [104.0, 108.0, 111.0, 112.0] + [108.0, 104.0, 100.0, 100.0]


@pytest.fixture
def system(tmp_path: Path) -> Iterator[WholeSystem]:
    """A recording that is held after three rows; no grid yet."""
    tape = tmp_path / "tape.csv"
    rows = [f"{1_700_000_000_000 + 20_000 * n},{price:.2f},500,sell" for n, price in enumerate(ROWS)]
    tape.write_text("ts_ms,price,size,side\n" + "\n".join(rows) + "\n")
    arguments = ("--feed", f"replay:{tape}", "--speed", "60", "--hold-after", "3", "--no-example")
    with running(tmp_path / "data", *arguments) as made:
        made.until(lambda: made.tape().is_held and made.account().phase == "live", within_s=60)
        yield made


def written(folder: Path, grid_id: str, size: str = "0.1", market: str = "SOL-PERP") -> str:
    path = folder / f"{grid_id}.toml"
    path.write_text(GRID.format(grid_id=grid_id, size=size, market=market))
    return str(path)


def done(system: WholeSystem, *arguments: str) -> Any:
    code, told = system.command(*arguments)
    assert code == 0, told
    return told


def pass_rows(system: WholeSystem, count: int) -> None:
    due = system.tape().rows_out + count
    system.tape(count)
    system.until(lambda: system.tape().rows_out >= due and system.tape().is_held, within_s=40)


def rests(system: WholeSystem) -> bool:
    """Whether exactly the grid's orders rest on the venue, nothing is under way, and the ledger has every fill."""
    detail, account, venue = system.grid("tale"), system.account(), system.venue_account()
    booked = done(system, "ledger", "show", "tale")["grid"]["fills"]
    counts = {detail.view.live_orders, len(detail.orders), account.open_orders, len(venue.orders)}
    return len(counts) == 1 and 0 not in counts and not account.in_flight and booked == detail.view.fills


def recorded(system: WholeSystem) -> list[tuple[str, str]]:
    told = done(system, "events", "tail", "-n", "10000", "--stream", "grid:tale")["events"]
    return [(event["id"], event["hash"]) for event in told]


def test_settings_change_and_come_back_and_history_stays(system: WholeSystem, tmp_path: Path) -> None:
    # (6) an order below the minimum is refused by name, never dropped in silence.
    code, refused = system.command("grid", "create", written(tmp_path, "dust", size="0.001"))
    assert (code, refused["error"]["code"], refused["error"]["field"]) == (1, "SIZE_UNDER_MINIMUM", "grid.size")
    assert done(system, "grid", "list")["grids"] == []

    done(system, "grid", "create", written(tmp_path, "tale"), "--reason", "test")
    pass_rows(system, 9)
    system.until(lambda: rests(system) and system.grid("tale").view.fills >= 2, within_s=30)
    before = done(system, "grid", "show", "tale")["grid"]

    # (10) changing settings does not destroy history.
    history, money = recorded(system), done(system, "ledger", "show", "tale")
    wider = tmp_path / "wider.toml"
    wider.write_text(Path(written(tmp_path, "tale")).read_text().replace('"90"', '"85"').replace("20", "25"))
    planned = done(system, "grid", "edit", "tale", str(wider))["edit"]
    assert (planned["applied"], recorded(system)) == (False, history)
    applied = done(system, "grid", "edit", "tale", str(wider), "--apply", "--reason", "wider")["edit"]
    system.until(lambda: rests(system), within_s=30)
    after = done(system, "grid", "show", "tale")["grid"]
    assert (after["lower"], after["position"], after["fills"]) == ("85", before["position"], before["fills"])
    assert recorded(system)[: len(history)] == history
    assert applied["event"] in [identity for identity, _ in recorded(system)]
    assert _sums(done(system, "ledger", "show", "tale")) == _sums(money)
    done(system, "grid", "edit", "tale", "--back", "--apply", "--reason", "as before")
    system.until(lambda: rests(system), within_s=30)
    assert done(system, "grid", "show", "tale")["grid"]["lower"] == "90"
    assert recorded(system)[: len(history)] == history

    _flags(system)
    _explanations(system)
    _left_range(system)
    code, clone = system.command("grid", "clone", "tale", "--as", "twin")
    assert (code, clone["error"]["code"]) == (1, "MARKET_BUSY")
    assert done(system, "audit", "verify")
    assert system.stop() == 0


def _sums(told: Any) -> Any:
    return {name: told["grid"][name] for name in ("grid_profit", "realized_pnl", "fees", "fills", "position", "turns")}


def _flags(system: WholeSystem) -> None:
    """A shadow decides and sends nothing; live again, its orders come back."""
    done(system, "grid", "flag", "tale", "shadow", "--reason", "watching")
    system.until(lambda: system.account().open_orders == 0, within_s=30)
    assert done(system, "grid", "show", "tale")["grid"]["flag"] == "shadow"
    done(system, "grid", "flag", "tale", "live", "--reason", "trading")
    pass_rows(system, 1)
    system.until(lambda: rests(system), within_s=30)


def _explanations(system: WholeSystem) -> None:
    """A fill is told from its price to its ledger line, with events that are recorded; each level has a code."""
    fills = done(system, "events", "tail", "--topic", "order.filled", "-n", "1")["events"]
    story = done(system, "grid", "explain", "tale", "--order", fills[0]["fact"]["intent_id"])["explain"]["story"]
    kinds = [step["kind"] for step in story]
    for kind in ("price", "decision", "intent", "transaction", "outcome", "resting", "fill", "cell", "ledger"):
        assert kind in kinds, kinds
    assert done(system, "events", "show", story[-1]["event"])["event"]["id"] == story[-1]["event"]
    levels = done(system, "grid", "explain", "tale")["explain"]["levels"]
    assert {"ORDER", "WINDOW"} <= {level["code"] for level in levels}
    then = done(system, "grid", "explain", "tale", "--at", story[0]["time"])["explain"]
    assert len(then["levels"]) == 21


def _left_range(system: WholeSystem) -> None:
    """(7) A price that leaves the range is noticed, and so is its return."""
    pass_rows(system, 3)
    system.until(lambda: system.grid("tale").view.range_left == "high", within_s=30)
    pass_rows(system, 3)
    system.until(lambda: system.grid("tale").view.range_left == "", within_s=30)
    told = done(system, "events", "tail", "--stream", "grid:tale", "--topic", "grid.range_left")["events"]
    assert [event["fact"]["where"] for event in told] == ["high"]


def test_two_markets_trade_on_one_account(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    configuration = make_demo_files(data_dir, "synthetic")
    text = configuration.read_text().replace("[feeds]\n", '[feeds]\nETH-PERP = "synthetic"\n')
    configuration.write_text(text.replace("sub_account = 0\n", 'sub_account = 0\nmax_per_market = "1000"\n'))
    with running(data_dir, "--no-example") as both:
        both.until(lambda: both.account().phase == "live", within_s=60)
        for grid_id, market in (("sol", "SOL-PERP"), ("eth", "ETH-PERP")):
            path = Path(written(tmp_path, grid_id, market=market))
            path.write_text(path.read_text().replace('"90"', '"140"').replace('"110"', '"160"'))
            both.until(lambda: both.command("preview", str(path))[0] == 0, within_s=30)  # noqa: B023 - asked at once
            done(both, "grid", "create", str(path), "--reason", "test")
        both.until(lambda: all(g["fills"] for g in done(both, "grid", "list")["grids"]), within_s=90)
        listed = {grid["id"]: grid["live_orders"] for grid in done(both, "grid", "list")["grids"]}
        assert set(listed) == {"sol", "eth"}
        assert both.until(lambda: not both.reconcile().differs, within_s=30)
        assert both.stop() == 0
