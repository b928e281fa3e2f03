"""Bus and database are killed, a person acts on the venue alone, and the next start takes in what was done."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gridkeeper_core import events as e
from support.whole_system import WholeSystem, command, running

pytestmark = pytest.mark.system

READY_WITHIN_S = 60.0


def is_trading(system: WholeSystem) -> bool:
    account = system.account()
    return account.open_orders >= 20 and account.phase == "live" and not system.unready()


def is_settled(system: WholeSystem) -> bool:
    """Somebody acted with our key: the grid waits for a person, and everything else works."""
    return system.account().phase == "live" and "FOREIGN_ACTION" in system.grid("example").view.reasons


@pytest.mark.parametrize("verb", ["cancel", "flatten"])
def test_what_an_emergency_did_is_taken_in_at_the_next_start(tmp_path: Path, verb: str) -> None:
    data_dir = tmp_path / "data"
    with running(data_dir) as system:
        system.until(lambda: is_trading(system), within_s=READY_WITHIN_S)
        for server in ("strategy", "execution"):
            os.kill(system.pid(server), signal.SIGSTOP)
        for server in ("nats-server", "postgres"):
            system.kill(server)

        code, answer = command(data_dir, "emergency", verb, "--account", "main", "--yes")

        assert (code, answer["emergency"]["open_orders"]) == (0, 0), answer
        if verb == "flatten":
            assert answer["emergency"]["positions"] == []
        for server in ("strategy", "execution"):
            os.kill(system.pid(server), signal.SIGKILL)
    with running(data_dir) as system:
        system.until(lambda: is_settled(system), within_s=READY_WITHIN_S)
        found = system.reconcile()
        on_venue = system.venue_account()
        books = {p.market: (p.base_e9, p.quote_asset_e6) for p in found.positions}
        assert (found.differs, found.open_orders, len(on_venue.orders)) == (False, 0, 0)
        assert books == {p.market: (p.base_e9, p.quote_asset_e6) for p in on_venue.positions}
        assert found.deposit_e6 == on_venue.deposit_e6
        facts = [event.fact for event in system.events("execution_0")]
        placed, closed, filled = (
            sum(isinstance(fact, kind) for fact in facts) for kind in (e.OrderAccepted, e.OrderClosed, e.OrderFilled)
        )
        assert closed >= placed - filled > 0
        if verb == "flatten":
            _ended(system)


def _ended(system: WholeSystem) -> None:
    """The grid believes in a position that is closed: it trades no more, and can be ended."""
    believed = system.grid("example").view.position_e9
    assert system.command("account", "adopt", "main", "--reason", "flattened by hand", "--yes")[0] == 0
    if believed:
        system.until(lambda: "POSITION_DIFFERS" in system.grid("example").view.reasons, within_s=30)
    assert system.command("grid", "stop", "example", "--close", "--yes")[0] == 0
    system.until(lambda: system.grid("example").view.state == "stopped", within_s=30)
