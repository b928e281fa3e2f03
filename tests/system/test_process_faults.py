"""The whole system on a chain that misbehaves by a scenario file: then the window is live and books equal the venue.

One scenario by default; `--fault-scenarios 10` runs ten, each of them seeded and so repeatable.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gridkeeper_core import events as e
from support.fine_grid import fine_grid_in
from support.order_log import OrderLog
from support.whole_system import WholeSystem, running

pytestmark = pytest.mark.system

TROUBLE_S = 25
SETTLES_WITHIN_S = 120
"""After the last fault: a blockhash lives for a minute, and what a fork undid is believed when finality passed it."""
LIVE_WITHIN_S = 60
"""After a person has adopted, and for the orders of a market that moves on."""
LIVE_AT_LEAST = 6
"""Of the twelve that the grid keeps live: near its edges there are fewer."""
SAID = ("--yes", "--author", "ann", "--reason", "a rehearsal")
KINDS = (
    'kind = "fork"\nmethod = "keepers"\nshare = 0.2\ndelay_ms = 2000',
    'kind = "fork"\nmethod = "sendTransaction"\nshare = 0.2\ndelay_ms = 2000',
    'kind = "rate-limit"\nshare = 0.1',
    'kind = "server-error"\nshare = 0.1',
    'kind = "lost-answer"\nshare = 0.2',
    'kind = "garbage"\nshare = 0.1',
    'kind = "slow"\nshare = 0.2\ndelay_ms = 1500',
    'kind = "slot-regression"\nshare = 0.2',
    'kind = "null-transaction"\nshare = 0.3',
    'kind = "truncated-logs"\nshare = 0.2',
    'kind = "lost-transaction"\nshare = 0.3',
    'kind = "late-transaction"\nshare = 0.3\ndelay_ms = 8000',
    'kind = "dropped-websocket"\nshare = 0.3',
)
MAY_NEED_A_PERSON = ("fork", "truncated-logs")
"""What was confirmed and then undone, and records that were cut, can leave more than one possibility."""


def scenario_of(seed: int) -> str:
    """The first one forks the chain under fills; the others are three kinds drawn by their seed."""
    kinds = KINDS[:1] if seed == 0 else tuple(random.Random(seed).sample(KINDS, 3))
    return "\n".join([f"seed = {seed}", *(f"[[fault]]\n{kind}" for kind in kinds)]) + "\n"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("seed", range(metafunc.config.getoption("--fault-scenarios")))


def test_after_a_scenario_books_equal_the_venue_or_a_person_is_told_and_adopts(tmp_path: Path, seed: int) -> None:
    data_dir = fine_grid_in(tmp_path / "data", intervals=60, live_orders=12)
    scenario = tmp_path / "storm.toml"
    scenario.write_text(scenario_of(seed))
    with running(data_dir, "--scenario", str(scenario)) as system:
        system.until(lambda: system.grid("example").view.fills >= 1, within_s=120)
        _for_a_while(system)
        code, answer = system.command("sandbox", "faults", "clear")
        assert code == 0, answer
        undone = [event.fact for event in system.events("execution_0") if isinstance(event.fact, e.FillReverted)]
        if not _comes_to_terms(system):
            assert any(kind in scenario.read_text() for kind in MAY_NEED_A_PERSON), system.story()
            account = system.account()
            assert account.differences or account.guards or account.foreign_orders, account
            _adopted(system)
            system.until(lambda: _is_well(system), within_s=LIVE_WITHIN_S, every_s=1)
        system.until(lambda: _window_is_live(system), within_s=LIVE_WITHIN_S)
        assert system.exits() == []
        _agrees(system)
        log = OrderLog(
            event for event in system.events() if not isinstance(event.fact, e.VenueDiffers | e.FillReverted)
        )
        if not undone:
            assert log.faults == []
        for what in ("verify", "replay"):
            code, answer = system.command("audit", what)
            assert code == 0, answer


def _for_a_while(system: WholeSystem) -> None:
    """Trouble lasts this long, measured on the chain's own slots of 0.4 s."""
    first = system.until(lambda: system.venue_account().slot, within_s=4 * TROUBLE_S)
    system.until(lambda: system.venue_account().slot > first + TROUBLE_S * 5 // 2, within_s=4 * TROUBLE_S, every_s=1)


def _comes_to_terms(system: WholeSystem) -> bool:
    try:
        system.until(lambda: _is_well(system), within_s=SETTLES_WITHIN_S, every_s=1)
    except AssertionError:
        if system.process.poll() is not None:
            raise
        return False
    return True


def _is_well(system: WholeSystem) -> bool:
    account, view = system.account(), system.grid("example").view
    return (
        account.phase == "live"
        and not (account.differs or account.differences or account.guards)
        and view.state == "open"
        and 0 < view.wanted_orders == account.open_orders
    )


def _window_is_live(system: WholeSystem) -> bool:
    """Whether the venue holds just what the grid wants, each order once, at its price and with its size."""
    wanted = sorted((o.side, o.price_e6, o.size_e9, o.filled_e9) for o in system.grid("example").orders)
    held = sorted((o.side, o.price_e6, o.size_e9, o.filled_e9) for o in system.venue_account().orders)
    return len(wanted) >= LIVE_AT_LEAST and wanted == held


def _adopted(system: WholeSystem) -> None:
    code, answer = system.command("account", "adopt", "main", *SAID)
    assert code == 0, answer
    system.until(lambda: not system.account().differs, within_s=60)
    if system.account().foreign_orders:
        code, answer = system.command("account", "reject", "main", *SAID)
        assert code == 0, answer
        system.until(lambda: not system.account().foreign_orders, within_s=60)


def _agrees(system: WholeSystem) -> None:
    """With the grid paused nothing moves any more: the account is what the venue says, to the unit."""
    code, answer = system.command("grid", "pause", "example", *SAID)
    assert code == 0, answer
    system.until(lambda: not (system.account().open_orders or system.account().in_flight), within_s=60)
    ours, theirs = system.reconcile(), system.venue_account()
    assert (ours.phase, ours.differs) == ("live", False)
    assert theirs.orders == ()
    assert [(p.base_e9, p.quote_asset_e6, p.quote_entry_e6, p.quote_break_even_e6) for p in ours.positions] == [
        (p.base_e9, p.quote_asset_e6, p.quote_entry_e6, p.quote_break_even_e6) for p in theirs.positions
    ]
    assert ours.deposit_e6 == theirs.deposit_e6
