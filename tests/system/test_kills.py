"""Everything is killed in turn while a grid trades, one service runs twice, all is stopped and started again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from gridkeeper_core import events as e
from gridkeeper_core.record import Recorded
from support.fine_grid import SAID, assert_no_fill_is_lost, fine_grid_in, pause
from support.order_log import OrderLog
from support.whole_system import WholeSystem, running

pytestmark = pytest.mark.system

READY_WITHIN_S = 30.0
VICTIMS = ("strategy", "execution", "ledger", "notifier", "price_feed", "sandbox", "nats-server", "postgres")
TWICE = ("strategy", "execution")
IN_FLIGHT = "execution, its transaction sent"
LIVE_ORDERS = 24


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """One fault and what came of it. `exit_` and `said` are those of the copy that had to give way."""

    was_restarted: bool
    ready_after_s: float
    fills_before: int
    fills_after: int
    exit_: str = ""
    said: str = ""


class Ordeal(msgspec.Struct, frozen=True, kw_only=True):
    """All faults of one system, by name. The system is up, and its grid paused."""

    system: WholeSystem
    recoveries: dict[str, Recovery]
    events: list[Recorded]


@pytest.fixture(scope="module")
def ordeal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ordeal]:
    """A fine grid on the demo's market; kills, a second copy, Ctrl-C and a new start; then the grid is paused."""
    data_dir = fine_grid_in(tmp_path_factory.mktemp("kills") / "data", live_orders=LIVE_ORDERS)
    recoveries: dict[str, Recovery] = {}
    with running(data_dir) as system:
        system.until(lambda: _fills(system) >= 2, within_s=90)
        for victim in VICTIMS:
            recoveries[victim] = _killed(system, victim)
        recoveries[IN_FLIGHT] = _killed_in_flight(system)
        for service in TWICE:
            recoveries[f"{service} twice"] = _run_twice(system, service)
        fills = _fills(system)
        assert system.stop() == 0, system.story()
    with running(data_dir) as system:
        began_s = time.monotonic()
        recoveries["stop"] = _recovered(system, fills, began_s)
        pause(system)
        system.reconcile()
        yield Ordeal(system=system, recoveries=recoveries, events=system.events())


@pytest.mark.parametrize("victim", [*VICTIMS, IN_FLIGHT])
def test_what_is_killed_is_started_again_and_trading_goes_on(ordeal: Ordeal, victim: str) -> None:
    recovery = ordeal.recoveries[victim]
    assert recovery.was_restarted
    assert recovery.ready_after_s < READY_WITHIN_S
    assert recovery.fills_after > recovery.fills_before


def test_nothing_ends_but_what_is_killed(ordeal: Ordeal) -> None:
    ended = [(child, reason) for child, reason in ordeal.system.exits() if "FENCED" not in reason]
    assert [reason for _, reason in ended if not reason.startswith("killed by signal 9")] == []
    killed = [*(victim.removesuffix("-server") for victim in VICTIMS), "execution"]
    assert Counter(child for child, _ in ended) == Counter(killed)


@pytest.mark.parametrize("service", TWICE)
def test_of_two_instances_on_one_account_one_is_fenced_and_trading_goes_on(ordeal: Ordeal, service: str) -> None:
    recovery = ordeal.recoveries[f"{service} twice"]
    assert recovery.exit_.startswith("exit code 1")
    assert "FENCED" in recovery.said, recovery.said
    assert "Traceback" not in recovery.said
    assert recovery.ready_after_s < READY_WITHIN_S
    assert recovery.fills_after > recovery.fills_before


def test_after_a_stop_the_same_data_directory_carries_on(ordeal: Ordeal) -> None:
    recovery = ordeal.recoveries["stop"]
    assert recovery.ready_after_s < READY_WITHIN_S
    assert recovery.fills_after > recovery.fills_before
    assert sum(isinstance(event.fact, e.GridProposed) for event in ordeal.events) == 1


def test_no_order_is_placed_twice_and_no_fill_is_booked_twice(ordeal: Ordeal) -> None:
    log = OrderLog(ordeal.events)
    assert log.faults == []
    assert 0 < log.most_open <= LIVE_ORDERS
    assert len(log.fills) >= len(ordeal.recoveries)


def test_no_fill_is_lost(ordeal: Ordeal) -> None:
    log = OrderLog(ordeal.events)
    venue = assert_no_fill_is_lost(ordeal.system, log)
    code, books = ordeal.system.command("ledger", "show", "example")
    assert code == 0, books
    assert round(float(books["grid"]["position"]) * 10**9) == venue.positions[0].base_e9
    assert books["grid"]["fills"] == len(log.fills)


def test_the_record_verifies_and_replays_to_the_running_state(ordeal: Ordeal) -> None:
    code, verified = ordeal.system.command("audit", "verify")
    assert code == 0, verified
    for source in ("postgres", "ev"):
        code, replayed = ordeal.system.command("audit", "replay", "--from", source)
        assert code == 0, replayed


def _killed(system: WholeSystem, victim: str) -> Recovery:
    fills, pid = _fills(system), system.pid(victim)
    began_s = time.monotonic()
    system.kill(victim)
    system.until(lambda: system.pid(victim) != pid, within_s=READY_WITHIN_S, every_s=0.05)
    return _recovered(system, fills, began_s)


def _killed_in_flight(system: WholeSystem) -> Recovery:
    """Killed between sending orders and hearing of them: they land while nobody is there, and are met at the boot."""
    pause(system)
    scenario = system.data_dir / "late.toml"
    scenario.write_text('[[fault]]\nkind = "late-transaction"\ndelay_ms = 6000\n')
    assert system.command("sandbox", "faults", "set", str(scenario))[0] == 0
    fills, pid = _fills(system), system.pid("execution")
    assert system.command("grid", "resume", "example", "--no-wait", *SAID)[0] == 0
    system.until(lambda: system.account().in_flight, within_s=30, every_s=0.05)
    began_s = time.monotonic()
    system.kill("execution")
    system.until(lambda: system.pid("execution") != pid, within_s=READY_WITHIN_S, every_s=0.05)
    assert system.command("sandbox", "faults", "clear")[0] == 0
    return _recovered(system, fills, began_s)


def _recovered(system: WholeSystem, fills: int, began_s: float) -> Recovery:
    """Wait until all are ready and the grid was filled once more."""
    system.until(lambda: not system.unready(), within_s=READY_WITHIN_S)
    ready_after_s = time.monotonic() - began_s
    after = system.until(lambda: now if (now := _fills(system)) > fills else 0, within_s=30)
    return Recovery(was_restarted=True, ready_after_s=ready_after_s, fills_before=fills, fills_after=after)


def _run_twice(system: WholeSystem, service: str) -> Recovery:
    """Start a second copy with the environment of the first; what became of the first of the two that ended."""
    fills, pid = _fills(system), system.pid(service)
    began_s = time.monotonic()
    with _copy_of(system, service, pid) as (copy, copy_log):
        system.until(lambda: copy.poll() is not None or system.pid(service) != pid, within_s=20, every_s=0.05)
        if copy.poll() is not None:
            exit_, said = f"exit code {copy.returncode}", copy_log.read_text()
        else:
            exit_ = said = [reason for child, reason in system.exits() if child == service][-1]
    recovery = _recovered(system, fills, began_s)
    return msgspec.structs.replace(recovery, exit_=exit_, said=said)


@contextmanager
def _copy_of(system: WholeSystem, service: str, pid: int) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    lines = Path(f"/proc/{pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
    environment = dict(line.decode().split("=", 1) for line in lines)
    # Its own port: not a taken port is to decide, but the log.
    environment[f"GRIDKEEPER_{service.upper()}_HEALTH_PORT"] = "0"
    log = system.data_dir / "logs" / f"{service}-copy.out"
    with log.open("wb") as out:
        argv = [sys.executable, "-m", f"gridkeeper_{service}"]
        copy = subprocess.Popen(argv, env=environment, stdout=out, stderr=out)
    try:
        yield copy, log
    finally:
        copy.kill()
        copy.wait()


def _fills(system: WholeSystem) -> int:
    """How often the grid was filled, as soon as strategy can be asked."""
    return system.until(lambda: [system.grid("example").view.fills], within_s=READY_WITHIN_S)[0]
