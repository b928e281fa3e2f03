"""What a user does to running grids: edit and back, flag, clone, explain; and three failures that cannot happen.

These three are an order dropped in silence, a price outside of the range unnoticed, and history lost by an edit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gridkeeper_cli.demo import make_demo_files
from support.lockstep_grids import price_tape
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


@contextmanager
def held_recording(folder: Path) -> Iterator[WholeSystem]:
    """A recording that is held after three rows; no grid yet."""
    arguments = ("--feed", f"replay:{price_tape(folder, ROWS)}", "--speed", "60", "--hold-after", "3", "--no-example")
    with running(folder / "data", *arguments) as made:
        made.until(lambda: made.tape().is_held and made.account().phase == "live", within_s=60)
        yield made


def written(folder: Path, grid_id: str, size: str = "0.1", market: str = "SOL-PERP") -> str:
    path = folder / f"{grid_id}.toml"
    path.write_text(GRID.format(grid_id=grid_id, size=size, market=market))
    return str(path)


def rests(system: WholeSystem) -> bool:
    """Whether exactly the grid's orders rest on the venue, nothing is under way, and the ledger has every fill."""
    detail, account, venue = system.grid("tale"), system.account(), system.venue_account()
    counts = {detail.view.live_orders, len(detail.orders), account.open_orders, len(venue.orders)}
    if len(counts) > 1 or 0 in counts or account.in_flight:
        return False
    return bool(system.done("ledger", "show", "tale")["grid"]["fills"] == detail.view.fills)


def recorded(system: WholeSystem) -> list[tuple[str, str]]:
    told = system.done("events", "tail", "-n", "10000", "--stream", "grid:tale")["events"]
    return [(event["id"], event["hash"]) for event in told]


@pytest.fixture(scope="module")
def trading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSystem]:
    """The system with a grid that has traded; each test leaves the grid as it found it."""
    folder = tmp_path_factory.mktemp("settings")
    with held_recording(folder) as made:
        made.done("grid", "create", written(folder, "tale"), "--reason", "test")
        made.until(lambda: rests(made), within_s=30)
        made.pass_rows(9)
        made.until(lambda: rests(made) and made.grid("tale").view.fills >= 2, within_s=30)
        yield made
        assert made.done("audit", "verify")
        assert made.stop() == 0


def test_an_order_below_the_minimum_is_refused_by_name_and_never_dropped_in_silence(
    trading: WholeSystem, tmp_path: Path
) -> None:
    before = trading.grid("tale")
    dust = written(tmp_path, "tale", size="0.001")

    for command in (("preview", dust), ("grid", "edit", "tale", dust, "--apply", "--reason", "smaller")):
        code, refused = trading.command(*command)
        assert (code, refused["error"]["code"], refused["error"]["field"]) == (1, "SIZE_UNDER_MINIMUM", "grid.size")
    after = trading.grid("tale")
    assert (after.sizes_e9, after.orders) == (before.sizes_e9, before.orders)


def test_changing_settings_does_not_destroy_history(trading: WholeSystem, tmp_path: Path) -> None:
    before = trading.done("grid", "show", "tale")["grid"]
    history, money = recorded(trading), trading.done("ledger", "show", "tale")
    wider = tmp_path / "wider.toml"
    wider.write_text(Path(written(tmp_path, "tale")).read_text().replace('"90"', '"85"').replace("20", "25"))

    planned = trading.done("grid", "edit", "tale", str(wider))["edit"]
    assert (planned["applied"], recorded(trading)) == (False, history)

    applied = trading.done("grid", "edit", "tale", str(wider), "--apply", "--reason", "wider")["edit"]
    trading.until(lambda: rests(trading), within_s=30)
    after = trading.done("grid", "show", "tale")["grid"]
    assert (after["lower"], after["position"], after["fills"]) == ("85", before["position"], before["fills"])
    assert recorded(trading)[: len(history)] == history
    assert applied["event"] in [identity for identity, _ in recorded(trading)]
    assert _sums(trading.done("ledger", "show", "tale")) == _sums(money)

    trading.done("grid", "edit", "tale", "--back", "--apply", "--reason", "as before")
    trading.until(lambda: rests(trading), within_s=30)
    assert trading.done("grid", "show", "tale")["grid"]["lower"] == "90"
    assert recorded(trading)[: len(history)] == history


def test_a_shadow_decides_and_sends_nothing_and_live_again_has_its_orders(trading: WholeSystem) -> None:
    trading.done("grid", "flag", "tale", "shadow", "--reason", "watching")
    trading.until(lambda: trading.account().open_orders == 0, within_s=30)
    assert trading.done("grid", "show", "tale")["grid"]["flag"] == "shadow"

    trading.done("grid", "flag", "tale", "live", "--reason", "trading")
    trading.pass_rows(1)
    trading.until(lambda: rests(trading), within_s=30)


def test_a_price_that_leaves_the_range_is_noticed_and_so_is_its_return(trading: WholeSystem) -> None:
    trading.pass_rows(3)
    trading.until(lambda: trading.grid("tale").view.range_left == "high", within_s=30)
    trading.pass_rows(3)
    trading.until(lambda: trading.grid("tale").view.range_left == "", within_s=30)

    told = trading.done("events", "tail", "--stream", "grid:tale", "--topic", "grid.range_left")["events"]
    assert [event["fact"]["where"] for event in told] == ["high"]


def test_a_fill_is_told_from_its_price_to_its_ledger_line_and_each_level_has_a_code(trading: WholeSystem) -> None:
    fills = trading.done("events", "tail", "--topic", "order.filled", "-n", "1")["events"]
    story = trading.done("grid", "explain", "tale", "--order", fills[0]["fact"]["intent_id"])["explain"]["story"]

    kinds = [step["kind"] for step in story]
    for kind in ("price", "decision", "intent", "transaction", "outcome", "resting", "fill", "cell", "ledger"):
        assert kind in kinds, kinds
    assert trading.done("events", "show", story[-1]["event"])["event"]["id"] == story[-1]["event"]
    levels = trading.done("grid", "explain", "tale")["explain"]["levels"]
    assert {"ORDER", "WINDOW"} <= {level["code"] for level in levels}
    then = trading.done("grid", "explain", "tale", "--at", story[0]["time"])["explain"]
    assert len(then["levels"]) == 21


def test_a_clone_on_a_market_that_is_taken_is_refused(trading: WholeSystem) -> None:
    code, clone = trading.command("grid", "clone", "tale", "--as", "twin")
    assert (code, clone["error"]["code"]) == (1, "MARKET_BUSY")


def _sums(told: Any) -> Any:
    return {name: told["grid"][name] for name in ("grid_profit", "realized_pnl", "fees", "fills", "position", "turns")}


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
            both.done("grid", "create", str(path), "--reason", "test")
        both.until(lambda: both.grid("sol").view.fills and both.grid("eth").view.fills, within_s=90)
        listed = {grid["id"]: grid["live_orders"] for grid in both.done("grid", "list")["grids"]}
        assert set(listed) == {"sol", "eth"}
        assert both.until(lambda: not both.reconcile().differs, within_s=30)
        assert both.stop() == 0
