"""Orders are filled while execution is down: after its start they are found, booked once and answered."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import msgspec
import pytest

from gridkeeper_core import events as e
from gridkeeper_core.record import Recorded
from gridkeeper_core.requests import OrderView
from gridkeeper_core.units import E9
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


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """What there was before execution went down and what there is after; `reached` are the orders the price passed."""

    system: WholeSystem
    reached: tuple[OrderView, ...]
    fills_before: int
    events: list[Recorded]


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outage]:
    """A grid on a tape that passes row by row; execution is killed, and its successor held until orders were filled."""
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
        fills_before = len(OrderLog(system.events()).fills)
        _fall_while_execution_is_down(system, sum(order.size_e9 for order in reached))
        system.until(lambda: not system.unready(), within_s=30)
        system.tape(2)
        system.until(lambda: _rest_on_the_venue(system), within_s=30)
        account = system.reconcile()
        assert (account.phase, account.differs) == ("live", False)
        yield Outage(system=system, reached=reached, fills_before=fills_before, events=system.events())


def test_the_boot_says_how_many_fills_it_found(outage: Outage) -> None:
    boots = [event.fact for event in outage.events if isinstance(event.fact, e.AccountLive)]
    assert len(boots) == 2
    assert boots[1].fills_found == boots[1].orders_closed == len(outage.reached)


def test_every_fill_is_booked_once(outage: Outage) -> None:
    log = OrderLog(outage.events)
    assert log.faults == []
    assert 0 < log.most_open <= LIVE_ORDERS
    assert outage.fills_before == 0
    assert sorted(fill.intent_id for fill in log.fills) == sorted(order.intent_id for order in outage.reached)
    booked = sum(order.size_e9 for order in outage.reached)
    assert outage.system.venue_account().positions[0].base_e9 == booked
    assert outage.system.grid("example").view.position_e9 == booked
    code, books = outage.system.command("ledger", "show", "example")
    assert code == 0, books
    assert round(float(books["grid"]["position"]) * E9) == booked


def test_the_opposite_orders_rest_on_the_venue(outage: Outage) -> None:
    step_e6 = 250_000
    held = {order.price_e6: order.side for order in outage.system.venue_account().orders}
    for order in outage.reached:
        assert held.get(order.price_e6 + step_e6) == "sell"


def test_nothing_is_placed_between_boot_and_the_account_being_live(outage: Outage) -> None:
    phase, placed_while_recovering = "", []
    for event in outage.events:
        match event.fact:
            case e.AccountRecovering():
                phase = "recovering"
            case e.AccountLive():
                phase = "live"
            case e.OrderAccepted() | e.TransactionSigned() if phase != "live":
                placed_while_recovering.append(event)
    assert placed_while_recovering == []


def test_the_record_verifies(outage: Outage) -> None:
    for what in (("verify",), ("replay",)):
        code, answer = outage.system.command("audit", *what)
        assert code == 0, answer


def _tape() -> str:
    prices = [START, *FALL, *[LOW] * CALM_ROWS]
    rows = [f"{1_750_000_000_000 + 1_000 * n},{price},5,sell" for n, price in enumerate(prices)]
    return "\n".join(["ts_ms,price,size,side", *rows]) + "\n"


def _fall_while_execution_is_down(system: WholeSystem, bought_e9: int) -> None:
    pid = system.pid("execution")
    system.kill("execution")
    successor = system.until(lambda: now if (now := system.pid("execution")) != pid else 0, within_s=20, every_s=0.01)
    # It has not even read its log yet; from now on it is as good as not started.
    os.kill(successor, signal.SIGSTOP)
    try:
        system.tape(len(FALL))
        system.until(lambda: _venue_holds(system, bought_e9), within_s=20)
    finally:
        os.kill(successor, signal.SIGCONT)


def _venue_holds(system: WholeSystem, base_e9: int) -> bool:
    return sum(position.base_e9 for position in system.venue_account().positions) == base_e9


def _rest_on_the_venue(system: WholeSystem) -> bool:
    """Whether all that the grid wants rests on the venue, and nothing else does."""
    view = system.grid("example").view
    account = system.account()
    return view.state == "open" and 0 < view.wanted_orders == account.open_orders and not account.in_flight
