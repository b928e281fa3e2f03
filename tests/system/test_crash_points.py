"""`kill -9` of a service at every named point of an order's life, one after the other, while a grid trades."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

import support
from gridkeeper_core import events as e
from gridkeeper_core.record import Recorded
from support.fine_grid import assert_no_fill_is_lost, fine_grid_in, pause
from support.order_log import OrderLog
from support.whole_system import WholeSystem, running

pytestmark = pytest.mark.system

CRASHING = Path(support.__path__[0]) / "crashing_service.py"
EXECUTION = {
    "intend": '"order.accepted.v1"',
    "sign": "sign",
    "send": "send",
    "land": '"tx.landed.v1"',
    "bind": '"order.resting.v1"',
    "fill": '"order.filled.v1"',
    "cancel": '"reason":"cancelled"',
}
LEDGER = {"book": '"ledger.fill_booked.v1"'}
LIVE_ORDERS = 16


class Ordeal(msgspec.Struct, frozen=True, kw_only=True):
    """How each copy of a service ended, by point. The system is up, and its grid paused."""

    system: WholeSystem
    ended: dict[str, int]
    events: list[Recorded]


@pytest.fixture(scope="module")
def ordeal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ordeal]:
    """A fine grid on the demo's market; execution and ledger die at one point after the other, then all is paused."""
    data_dir = fine_grid_in(tmp_path_factory.mktemp("crash-points") / "data", live_orders=LIVE_ORDERS)
    ended: dict[str, int] = {}
    with running(data_dir) as system:
        system.until(lambda: system.grid("example").view.fills >= 1, within_s=90)
        for service, points in (("execution", EXECUTION), ("ledger", LEDGER)):
            with _held(system, service) as environment:
                for name, what in points.items():
                    for when in ("before", "after"):
                        ended[f"{when} {name}"] = _dies(system, environment, service, f"{when} {what}")
            system.until(lambda: not system.unready(), within_s=30)
        fills = system.grid("example").view.fills
        system.until(lambda: system.grid("example").view.fills > fills, within_s=30)
        pause(system)
        system.reconcile()
        yield Ordeal(system=system, ended=ended, events=system.events())


@pytest.mark.parametrize("point", [f"{when} {name}" for name in [*EXECUTION, *LEDGER] for when in ("before", "after")])
def test_the_service_dies_at_the_point(ordeal: Ordeal, point: str) -> None:
    assert ordeal.ended[point] == -signal.SIGKILL


def test_a_crash_between_submit_and_save_leaves_no_orphan_and_no_duplicate(ordeal: Ordeal) -> None:
    log = OrderLog(ordeal.events)
    assert log.faults == []
    assert 0 < log.most_open <= LIVE_ORDERS
    booked = [event.fact for event in ordeal.events if isinstance(event.fact, e.FillBooked)]
    keys = [(fill.market_index, fill.fill_record_id) for fill in booked]
    assert len(keys) == len(set(keys))
    assert sorted(keys) == sorted((fill.market_index, fill.fill_record_id) for fill in log.fills)


def test_no_fill_is_lost(ordeal: Ordeal) -> None:
    assert_no_fill_is_lost(ordeal.system, OrderLog(ordeal.events))


def test_the_record_verifies_and_replays_to_the_running_state(ordeal: Ordeal) -> None:
    for what in ("verify", "replay"):
        code, answer = ordeal.system.command("audit", what)
        assert code == 0, answer


@contextmanager
def _held(system: WholeSystem, service: str) -> Iterator[dict[str, str]]:
    """The service is killed and its successor held before it reads its log; gives the environment of its copies."""
    pid = system.pid(service)
    system.kill(service)
    successor = system.until(lambda: now if (now := system.pid(service)) != pid else 0, within_s=20, every_s=0.01)
    os.kill(successor, signal.SIGSTOP)
    lines = Path(f"/proc/{successor}/environ").read_bytes().rstrip(b"\0").split(b"\0")
    environment = dict(line.decode().split("=", 1) for line in lines)
    try:
        yield environment | {f"GRIDKEEPER_{service.upper()}_HEALTH_PORT": "0"}
    finally:
        os.kill(successor, signal.SIGCONT)


def _dies(system: WholeSystem, environment: dict[str, str], service: str, point: str) -> int:
    """The exit code of a copy that is to die at the point."""
    log = system.data_dir / "logs" / f"{service}-dies.out"
    with log.open("ab") as out:
        argv = [sys.executable, str(CRASHING), service, point]
        copy = subprocess.Popen(argv, env=environment, stdout=out, stderr=out)
    try:
        return copy.wait(timeout=40)
    except subprocess.TimeoutExpired:
        copy.kill()
        copy.wait()
        raise AssertionError(f"{point} was not reached\n{log.read_text()[-2_000:]}\n{system.story()}") from None
