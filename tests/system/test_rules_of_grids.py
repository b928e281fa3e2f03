"""Rules that move, close, grow and stop grids, each through all services by command, on one scripted price.

The price falls from 100 to 88.9, out of every range, comes back and leaves them above at 114. Each grid has a
sub-account of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.record import Recorded
from support.lockstep_grids import check_all_is_well, held_in_lockstep, price_tape
from support.whole_system import WholeSystem

pytestmark = [pytest.mark.system, pytest.mark.servers]

DOWN = [100.0, 99.0, 98.4, 97.4, 96.5]
OUT_BELOW = [95.4, 94.0, 92.0, 90.4, 88.9]
COOLING = [88.8, 88.8, 88.8, 88.8]
BACK = [91.6, 96.0, 100.0, 102.0, 104.5, 104.5]
OUT_ABOVE = [106.0, 108.0, 110.6, 110.6, 112.6, 114.2, 114.2]
ROWS = [100.0, *DOWN, *OUT_BELOW, *COOLING, *BACK, *OUT_ABOVE]
GRID = """
[grid]
id = "{name}"
account = "{name}"
market = "SOL-PERP"
lower = "90"
upper = "110"
intervals = 20
spacing = "arithmetic"
{grid}
[window]
live_orders = {live_orders}
reserve = {reserve}
roll_interval = "0"

[risk]
pump_move = "1"
{risk}
{tables}
"""
SMALL = 'size = { base = "0.1" }'
LARGE = 'size = { base = "1" }'
KINDS: dict[str, dict[str, str]] = {
    "leaver": {"tables": '[range]\nbelow = "reduce"\nabove = "close"\nreduce_share = "0.5"\n'},
    "endless": {"grid": 'size = { quote = "10" }', "tables": '[trailing]\nup_limit = "130"\nfixed_floor = true\n'},
    "timed": {"grid": SMALL + '\ntrigger = "97"', "tables": '[stops]\ntake_profit = "104"\n'},
    "tripped": {
        "grid": SMALL + '\ncapital = "100"',
        "risk": 'max_drawdown = "0.03"\non_red = "flatten"\ncool_down = "1m"\n',
    },
    "growing": {"grid": LARGE + '\ncapital = "500"', "tables": '[compound]\nevery = "0.002"\n'},
    "edited": {},
    "capped": {"grid": LARGE},
}
"""Name of grid and account -> what differs from the others."""
LIMITS = {"capped": 'max_gross = "550"\n'}


def written(folder: Path, name: str, **changes: Any) -> str:
    path = folder / f"{name}.toml"
    settings = {"grid": SMALL, "risk": 'max_drawdown = "0.9"\n', "tables": "", "live_orders": 8, "reserve": 5}
    path.write_text(GRID.format(**(settings | KINDS[name] | changes), name=name))
    return str(path)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[WholeSystem]:
    """A recording in lockstep that is held after its first row; no grid yet."""
    with held_in_lockstep(tmp_path, price_tape(tmp_path, ROWS), KINDS, LIMITS) as made:
        yield made


def grids(system: WholeSystem) -> dict[str, Any]:
    return {grid["id"]: grid for grid in system.done("grid", "list")["grids"]}


def test_each_rule_does_what_it_is_for_and_all_books_equal_the_venue(system: WholeSystem, tmp_path: Path) -> None:
    for name in KINDS:
        system.done("grid", "create", written(tmp_path, name), "--yes", "--reason", "a test")
    assert grids(system)["timed"]["state"] == "armed"
    _grows_by_an_edit(system, tmp_path)
    system.pass_rows(len(DOWN))
    assert (grids(system)["timed"]["state"], grids(system)["edited"]["live_orders"]) == ("open", 17)
    # At 96.5 three are held, and two more buys come to 482.5; what the limit of 550 refuses says so where it would be.
    levels = {level["level"]: level["code"] for level in system.done("grid", "explain", "capped")["explain"]["levels"]}
    assert [levels[level] for level in (6, 5, 4, 3)] == ["ORDER", "ORDER", "LIMIT_GROSS", "LIMIT_GROSS"]
    back = system.done("grid", "edit", "edited", "--back", "--apply", "--no-wait", "--reason", "as before")["edit"]
    assert back["order_slots"] == {"before": 28, "after": 13}

    system.pass_rows(len(OUT_BELOW))
    _reduced_and_tripped(system)
    system.pass_rows(len(COOLING))
    system.done("grid", "resume", "tripped", "--author", "bob", "--reason", "looked into it")
    assert system.accounts()["edited"].free_slots == 32 - 13
    system.pass_rows(len(BACK))
    listed = grids(system)
    assert (listed["timed"]["state"], listed["timed"]["reasons"]) == ("stopped", ["TAKE_PROFIT"])
    system.pass_rows(len(OUT_ABOVE))
    listed = grids(system)
    assert (listed["leaver"]["state"], listed["leaver"]["reasons"]) == ("stopped", ["RANGE"])
    assert float(listed["leaver"]["position"]) == float(listed["timed"]["position"]) == 0

    facts = system.events()
    _recorded(facts)
    check_all_is_well(system, facts)
    _books_agree(system)


def _grows_by_an_edit(system: WholeSystem, folder: Path) -> None:
    """28 live orders and reserve need 15 slots more than were reserved: the account is asked, then it is so."""
    larger = written(folder, "edited", live_orders=20, reserve=8)
    told = system.done("grid", "edit", "edited", larger, "--apply", "--reason", "more orders")["edit"]
    assert told["order_slots"] == {"before": 13, "after": 28}
    assert told["event"].startswith("grid:edited@")
    assert system.accounts()["edited"].free_slots == 4


def _reduced_and_tripped(system: WholeSystem) -> None:
    """At 88.9 ten cells of 0.1 were bought: one grid gave half of them up, another all, and cools down."""
    listed = grids(system)
    assert (listed["leaver"]["position"], listed["endless"]["fills"]) == ("0.5", 10)
    assert (listed["tripped"]["state"], listed["tripped"]["reasons"]) == ("paused", ["RISK"])
    assert listed["tripped"]["position"] == "0"
    code, refused = system.command("grid", "resume", "tripped", "--author", "bob", "--reason", "too soon")
    assert (code, refused["error"]["code"]) == (1, "COOLING_DOWN")
    assert float(listed["capped"]["position"]) * 88.9 <= 550


def _recorded(facts: list[Recorded]) -> None:
    assert [fact.target_e9 for fact in _of(facts, "leaver", e.ReducingStarted)] == [500_000_000]
    resumed = [fact for fact in _of(facts, "tripped", e.GridResumed) if fact.code == "RISK"]
    assert [(fact.author, fact.reason) for fact in resumed] == [("bob", "looked into it")]
    # An endless grid grows above and keeps its floor: no cell is given up below.
    shifts = _of(facts, "endless", e.LevelsShifted)
    assert {(shift.where, shift.grew) for shift in shifts} == {("up", True)}
    assert shifts[-1].level_e6 == 114_000_000
    compounded = [fact for fact in _of(facts, "growing", e.GridEdited) if fact.why == "compound"]
    assert compounded
    assert max(compounded[-1].sizes_e9) > 1_000_000_000
    steps = [type(event.fact).__name__ for event in facts if event.stream in ("grid:edited", "account:edited")]
    assert steps.index("EditProposed") < steps.index("GridEdited")
    assert steps.count("SlotsChanged") == 2


def _of(facts: list[Recorded], grid: str, kind: type[e.Fact]) -> list[Any]:
    return [event.fact for event in facts if event.stream == f"grid:{grid}" and isinstance(event.fact, kind)]


def _books_agree(system: WholeSystem) -> None:
    held = {name: grid["position"] for name, grid in grids(system).items()}
    booked = {grid["id"]: grid["position"] for grid in system.done("ledger", "show")["grids"]}
    assert held == booked
    assert system.done("audit", "replay", "--decisions")
