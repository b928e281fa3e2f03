"""Forty-two orders are filled, and others unwanted, while execution is down: it finds out before it does anything."""

from __future__ import annotations

import os
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest

from gridkeeper_core import events as e
from gridkeeper_core.record import Recorded
from gridkeeper_core.requests import OrderView
from gridkeeper_core.units import E9
from gridkeeper_core.venue.records import VenueOrder
from gridkeeper_drift.keys import make_key_file
from support.order_log import OrderLog
from support.whole_system import WholeSystem, running

pytestmark = pytest.mark.system

ACCOUNTS = ("main", "second", "third")
PAUSED = "main"
"""Drift holds at most 32 orders of an account, half of them buys; each has the grid of its own name."""
START, LOW, AFTERWARDS, CALM_ROWS = 154.9, 151.5, 151.6, 60
FALL = [(154.7, 0.07), (153.6, 1.28), (152.4, 1.35), (LOW, 1.45)]
"""Prices and sizes of the trades while execution is down. Each ends in the middle of an order, and so does the last."""
REACHED = 42
"""They ask for 4.2 SOL and get 4.15: one is left half filled."""
LIVE_ORDERS = 28
CELLS, BUYS = 24, 14
"""Each cell has one order as long as that is among the 14 nearest on its side."""
SAID = ("--yes", "--author", "ann", "--reason", "a test")
GRID = f"""
[grid]
id = "NAME"
account = "NAME"
market = "SOL-PERP"
lower = "149"
upper = "155"
intervals = {CELLS}
spacing = "arithmetic"
size = {{ base = "0.1" }}

[window]
live_orders = {LIVE_ORDERS}
"""
STEP_E6 = 250_000


class Outages(msgspec.Struct, frozen=True, kw_only=True):
    """`reached`: by account the orders that the price passed in the first outage; `rested`: what the venue held after.

    In the second outage one grid was paused. `recorded`: how much execution had recorded when it went down. The
    system is up.
    """

    system: WholeSystem
    recorded: tuple[int, ...]
    reached: dict[str, tuple[OrderView, ...]]
    rested: dict[str, tuple[VenueOrder, ...]]
    events: list[Recorded]


@pytest.fixture(scope="module")
def outages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outages]:
    """Three grids on a tape that passes row by row; execution is killed twice."""
    folder = tmp_path_factory.mktemp("offline")
    _write_files(folder)
    with running(folder / "data", "--no-example", "--speed", "60", "--hold-after", "1") as system:
        system.until(lambda: system.tape().rows_out == 1, within_s=60)
        system.until(lambda: all(system.account(name).phase == "live" for name in ACCOUNTS), within_s=30)
        for name in ACCOUNTS:
            code, answer = system.command("grid", "create", str(folder / f"{name}.toml"), "--no-wait", *SAID)
            assert code == 0, answer
        system.until(lambda: all(_rest_on_the_venue(system, name, BUYS) for name in ACCOUNTS), within_s=30)
        reached = {name: tuple(o for o in system.grid(name).orders if _is_reached(o)) for name in ACCOUNTS}
        assert not any(isinstance(event.fact, e.OrderFilled) for event in system.events())
        with _execution_down(system) as first:
            _fall(system)
        system.until(lambda: not system.unready(), within_s=30)
        system.until(lambda: all(_rest_on_the_venue(system, name, BUYS + 1) for name in ACCOUNTS), within_s=30)
        rested = {name: system.venue_account(name).orders for name in ACCOUNTS}
        with _execution_down(system) as second:
            code, answer = system.command("grid", "pause", PAUSED, "--no-wait", *SAID)
            assert code == 0, answer
        system.until(lambda: not system.unready() and not system.venue_account(PAUSED).orders, within_s=30)
        yield Outages(system=system, recorded=(first, second), reached=reached, rested=rested, events=system.events())


def test_the_boot_says_how_many_fills_it_found(outages: Outages) -> None:
    fills = Counter(event.stream for event in outages.events if isinstance(event.fact, e.OrderFilled))
    closed = 0
    for name in ACCOUNTS:
        stream = f"account:{name}"
        boots = [event.fact for event in outages.events
                 if isinstance(event.fact, e.AccountLive) and event.stream == stream]  # fmt: skip
        assert [boot.fills_found for boot in boots] == [0, fills[stream], 0]
        assert [boot.foreign_orders for boot in boots] == [0, 0, 0]
        closed += boots[1].orders_closed
    assert sum(fills.values()) > REACHED
    assert closed == REACHED - 1


def test_every_fill_is_booked_once(outages: Outages) -> None:
    filled: dict[str, int] = defaultdict(int)
    for name in ACCOUNTS:
        log = _log_of(outages, name)
        assert log.faults == []
        assert 0 < log.most_open <= LIVE_ORDERS
        for fill in log.fills:
            filled[fill.intent_id] += fill.base_e9
        assert {fill.intent_id for fill in log.fills} <= {order.intent_id for order in outages.reached[name]}
    assert sum(len(orders) for orders in outages.reached.values()) == len(filled) == REACHED
    assert Counter(filled.values()) == {E9 // 10: REACHED - 1, E9 // 20: 1}


def test_books_and_grid_hold_what_the_venue_holds(outages: Outages) -> None:
    system = outages.system
    for name in ACCOUNTS:
        held_e9 = _log_of(outages, name).position_e9
        assert system.venue_account(name).positions[0].base_e9 == held_e9
        assert system.grid(name).view.position_e9 == held_e9
    code, books = system.command("ledger", "show", PAUSED)
    assert code == 0, books
    assert round(float(books["grid"]["position"]) * E9) == _log_of(outages, PAUSED).position_e9


def test_after_a_fill_while_offline_no_opposite_order_is_missing(outages: Outages) -> None:
    count = 0
    for name in ACCOUNTS:
        held = {order.price_e6: order.side for order in outages.rested[name]}
        whole = {f.intent_id for f in _log_of(outages, name).fills if f.cumulative_e9 == f.size_e9}
        for order in outages.reached[name]:
            if order.intent_id in whole:
                count += 1
                assert held.get(order.price_e6 + STEP_E6) == "sell"
    assert count == REACHED - 1
    (part,) = (order for orders in outages.rested.values() for order in orders if order.filled_e9)
    assert (part.side, part.price_e6, part.filled_e9) == ("buy", round(LOW * 10**6), E9 // 20)


def test_nothing_is_decided_before_record_and_venue_agree(outages: Outages) -> None:
    assert [reason for _, reason in outages.system.exits() if not reason.startswith("killed by signal 9")] == []
    own = outages.system.events("execution_0")
    for count in outages.recorded:
        began = own[count : count + len(ACCOUNTS)]
        assert [event.fact for event in began] == [e.AccountRecovering(why="boot")] * len(ACCOUNTS)
    phases, decided = dict.fromkeys(ACCOUNTS, ""), []
    for event in outages.events:
        name = event.stream.partition(":")[2]
        match event.fact:
            case e.AccountRecovering():
                phases[name] = "recovering"
            case e.AccountLive():
                phases[name] = "live"
            case e.OrderAccepted() | e.TransactionSigned() if phases[name] != "live":
                decided.append(event)
    assert decided == []


def test_books_and_venue_agree_and_the_record_verifies(outages: Outages) -> None:
    for name in ACCOUNTS:
        account = outages.system.reconcile(name)
        orders = 0 if name == PAUSED else len(outages.rested[name])
        assert (account.phase, account.differs, account.open_orders) == ("live", False, orders)
    for what in ("verify", "replay"):
        code, answer = outages.system.command("audit", what)
        assert code == 0, answer


def _write_files(folder: Path) -> None:
    rows = [(START, 5.0), *FALL, *[(AFTERWARDS, 5.0)] * CALM_ROWS]
    lines = [f"{1_750_000_000_000 + 1_000 * n},{price},{size},sell" for n, (price, size) in enumerate(rows)]
    (folder / "tape.csv").write_text("\n".join(["ts_ms,price,size,side", *lines]) + "\n")
    (folder / "data").mkdir(mode=0o700)
    entries = []
    for name in ACCOUNTS:
        key = folder / f"{name}.json"
        signer = f'authority = "{make_key_file(key)}"\nsigner = "file:{key}"\nowner_key = true'
        entries.append(f"[accounts.{name}]\n{signer}\n")
        (folder / f"{name}.toml").write_text(GRID.replace("NAME", name))
    rest = f'[feeds]\nSOL-PERP = "replay:{folder / "tape.csv"}"\n[sandbox]\nfill_model = "queue"\n'
    (folder / "data" / "gridkeeper.toml").write_text("".join(entries) + rest)


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


def _fall(system: WholeSystem) -> None:
    """The trades, one after the other; a market in a hurry would hear of the newest price alone."""
    traded_e9 = 0
    for _, size in FALL:
        traded_e9 += round(size * E9)
        system.tape(1)
        system.until(partial(_venue_holds, system, traded_e9), within_s=20)
    system.tape(1)


def _log_of(outages: Outages, name: str) -> OrderLog:
    """The record of one account's orders; slots of different accounts have nothing to do with each other."""
    streams = (f"account:{name}", f"tx:{name}", f"grid:{name}")
    return OrderLog(event for event in outages.events if event.stream in streams)


def _is_reached(order: OrderView) -> bool:
    return order.side == "buy" and order.price_e6 >= round(LOW * 10**6)


def _venue_holds(system: WholeSystem, base_e9: int) -> bool:
    return sum(p.base_e9 for name in ACCOUNTS for p in system.venue_account(name).positions) == base_e9


def _rest_on_the_venue(system: WholeSystem, name: str, count: int) -> bool:
    """Whether all that the grid wants rests on the venue, and is at least so many orders."""
    view = system.grid(name).view
    account = system.account(name)
    return view.state == "open" and view.wanted_orders == account.open_orders >= count and not account.in_flight
