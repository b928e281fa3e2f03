"""Orders are filled, and others unwanted, while execution is down: it finds out before it does anything else."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from gridkeeper_core import events as e
from gridkeeper_core.record import Recorded
from gridkeeper_core.requests import OrderView
from gridkeeper_core.units import E9
from gridkeeper_core.venue.records import VenueOrder
from support.order_log import OrderLog
from support.whole_system import WholeSystem, running

pytestmark = pytest.mark.system

START, LOW, CALM_ROWS = 150.1, 149.3, 60
FALL = [149.9, 149.6, LOW]
"""Rows while execution is down."""
LIVE_ORDERS = 20
GRID = f"""
[grid]
id = "example"
market = "SOL-PERP"
lower = "145"
upper = "155"
intervals = 40
spacing = "arithmetic"
size = {{ base = "0.1" }}

[window]
live_orders = {LIVE_ORDERS}
"""


class Outages(msgspec.Struct, frozen=True, kw_only=True):
    """`reached`: the orders that the price passed in the first outage; `rested`: what the venue held after it.

    In the second outage the grid was paused. `recorded`: how much execution had recorded when it went down. The system
    is up.
    """

    system: WholeSystem
    recorded: tuple[int, ...]
    reached: tuple[OrderView, ...]
    rested: tuple[VenueOrder, ...]
    events: list[Recorded]


@pytest.fixture(scope="module")
def outages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outages]:
    """A grid on a tape that passes row by row; execution is killed twice."""
    data_dir = tmp_path_factory.mktemp("offline") / "data"
    tape, grid_file = data_dir.parent / "tape.csv", data_dir.parent / "example.toml"
    tape.write_text(_tape())
    grid_file.write_text(GRID)
    arguments = ("--no-example", "--feed", f"replay:{tape}", "--speed", "60", "--hold-after", "1")
    with running(data_dir, *arguments) as system:
        system.until(lambda: system.tape().rows_out == 1, within_s=60)
        system.until(lambda: system.account().phase == "live", within_s=30)
        said = ("--yes", "--author", "ann", "--reason", "a test")
        code, answer = system.command("grid", "create", str(grid_file), *said)
        assert code == 0, answer
        system.until(lambda: _rest_on_the_venue(system), within_s=30)
        orders = system.grid("example").orders
        reached = tuple(order for order in orders if order.side == "buy" and order.price_e6 > round(LOW * 10**6))
        assert len(reached) >= 2
        assert OrderLog(system.events()).fills == []
        with _execution_down(system) as first:
            system.tape(len(FALL))
            bought_e9 = sum(order.size_e9 for order in reached)
            system.until(lambda: _venue_holds(system, bought_e9), within_s=20)
        system.until(lambda: not system.unready(), within_s=30)
        system.tape(2)
        system.until(lambda: _rest_on_the_venue(system), within_s=30)
        rested = system.venue_account().orders
        with _execution_down(system) as second:
            code, answer = system.command("grid", "pause", "example", "--no-wait", *said)
            assert code == 0, answer
        system.until(lambda: not system.unready() and not system.venue_account().orders, within_s=30)
        yield Outages(system=system, recorded=(first, second), reached=reached, rested=rested, events=system.events())


def test_the_boot_says_how_many_fills_it_found(outages: Outages) -> None:
    boots = [event.fact for event in outages.events if isinstance(event.fact, e.AccountLive)]
    assert len(boots) == 3
    assert [boot.fills_found for boot in boots] == [0, len(outages.reached), 0]
    assert boots[1].orders_closed == len(outages.reached)


def test_every_fill_is_booked_once(outages: Outages) -> None:
    log = OrderLog(outages.events)
    assert log.faults == []
    assert 0 < log.most_open <= LIVE_ORDERS
    assert sorted(fill.intent_id for fill in log.fills) == sorted(order.intent_id for order in outages.reached)
    booked = sum(order.size_e9 for order in outages.reached)
    assert outages.system.venue_account().positions[0].base_e9 == booked
    assert outages.system.grid("example").view.position_e9 == booked
    code, books = outages.system.command("ledger", "show", "example")
    assert code == 0, books
    assert round(float(books["grid"]["position"]) * E9) == booked


def test_after_a_fill_while_offline_no_opposite_order_is_missing(outages: Outages) -> None:
    step_e6 = 250_000
    held = {order.price_e6: order.side for order in outages.rested}
    for order in outages.reached:
        assert held.get(order.price_e6 + step_e6) == "sell"


def test_nothing_is_decided_before_record_and_venue_agree(outages: Outages) -> None:
    assert [reason for _, reason in outages.system.exits() if not reason.startswith("killed by signal 9")] == []
    own = outages.system.events("execution_0")
    assert [own[count].fact for count in outages.recorded] == [e.AccountRecovering(why="boot")] * 2
    phase, decided = "", []
    for event in outages.events:
        match event.fact:
            case e.AccountRecovering():
                phase = "recovering"
            case e.AccountLive():
                phase = "live"
            case e.OrderAccepted() | e.TransactionSigned() if phase != "live":
                decided.append(event)
    assert decided == []


def test_books_and_venue_agree_and_the_record_verifies(outages: Outages) -> None:
    account = outages.system.reconcile()
    assert (account.phase, account.differs, account.open_orders) == ("live", False, 0)
    for what in ("verify", "replay"):
        code, answer = outages.system.command("audit", what)
        assert code == 0, answer


def _tape() -> str:
    prices = [START, *FALL, *[LOW] * CALM_ROWS]
    rows = [f"{1_750_000_000_000 + 1_000 * n},{price},5,sell" for n, price in enumerate(prices)]
    return "\n".join(["ts_ms,price,size,side", *rows]) + "\n"


@contextmanager
def _execution_down(system: WholeSystem) -> Iterator[int]:
    """Execution is killed, and its successor held before it has even read its log: as good as not started.

    Gives the number of events it has recorded.
    """
    pid = system.pid("execution")
    system.kill("execution")
    successor = system.until(lambda: now if (now := system.pid("execution")) != pid else 0, within_s=20, every_s=0.01)
    os.kill(successor, signal.SIGSTOP)
    try:
        yield len(system.events("execution_0"))
    finally:
        os.kill(successor, signal.SIGCONT)


def _venue_holds(system: WholeSystem, base_e9: int) -> bool:
    return sum(position.base_e9 for position in system.venue_account().positions) == base_e9


def _rest_on_the_venue(system: WholeSystem) -> bool:
    """Whether all that the grid wants rests on the venue, and nothing else does."""
    view = system.grid("example").view
    account = system.account()
    return view.state == "open" and 0 < view.wanted_orders == account.open_orders and not account.in_flight
