"""Rules that move, close, grow and stop grids, each through all services by command, on one scripted price.

The price falls from 100 to 88.9, out of every range, comes back and leaves them above at 114. Each grid has a
sub-account of its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gridkeeper_cli.demo import make_demo_files
from gridkeeper_core import events as e
from gridkeeper_core.record import Recorded
from gridkeeper_core.requests import AccountView
from support.whole_system import WholeSystem, running

pytestmark = [pytest.mark.system, pytest.mark.servers]

ROW_MS = 20_000
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
    tape = tmp_path / "tape.csv"
    rows = [f"{1_700_000_000_000 + ROW_MS * n},{price:.2f},500,sell" for n, price in enumerate(ROWS)]
    tape.write_text("ts_ms,price,size,side\n" + "\n".join(rows) + "\n")
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    configuration = make_demo_files(data_dir, f"replay:{tape}")
    text = configuration.read_text()
    main = tomllib.loads(text)["accounts"]["main"]
    text = text.replace("[accounts.main]", "[accounts.leaver]")
    for number, alias in enumerate(list(KINDS)[1:], start=1):
        text += f'\n[accounts.{alias}]\nrpc = ""\nauthority = "{main["authority"]}"\nsub_account = {number}\n'
        text += f'signer = "{main["signer"]}"\nowner_key = true\n{LIMITS.get(alias, "")}'
    configuration.write_text(text)
    with running(data_dir, "--no-example", "--lockstep", "--hold-after", "1") as made:
        made.until(lambda: made.tape().rows_out == 1 and len(accounts(made)) == len(KINDS), within_s=90)
        yield made


def accounts(system: WholeSystem) -> dict[str, AccountView]:
    answer = system.ask("query.0.execution.accounts")
    return {account.alias: account for account in msgspec.json.decode(answer, type=list[AccountView])}


def done(system: WholeSystem, *arguments: str) -> Any:
    code, told = system.command(*arguments)
    assert code == 0, told
    return told


def pass_rows(system: WholeSystem, count: int) -> None:
    due = system.tape().rows_out + count
    system.tape(count)

    def passed() -> bool:
        state = system.tape()
        return state.rows_out >= due and (state.is_held or state.is_over)

    system.until(passed, within_s=90)


def grids(system: WholeSystem) -> dict[str, Any]:
    return {grid["id"]: grid for grid in done(system, "grid", "list")["grids"]}


def test_each_rule_does_what_it_is_for_and_all_books_equal_the_venue(system: WholeSystem, tmp_path: Path) -> None:
    for name in KINDS:
        done(system, "grid", "create", written(tmp_path, name), "--yes", "--reason", "a test")
    assert grids(system)["timed"]["state"] == "armed"
    _grows_by_an_edit(system, tmp_path)
    pass_rows(system, len(DOWN))
    assert (grids(system)["timed"]["state"], grids(system)["edited"]["live_orders"]) == ("open", 17)
    # At 96.5 three are held, and two more buys come to 482.5; what the limit of 550 refuses says so where it would be.
    levels = {level["level"]: level["code"] for level in done(system, "grid", "explain", "capped")["explain"]["levels"]}
    assert [levels[level] for level in (6, 5, 4, 3)] == ["ORDER", "ORDER", "LIMIT_GROSS", "LIMIT_GROSS"]
    back = done(system, "grid", "edit", "edited", "--back", "--apply", "--no-wait", "--reason", "as before")["edit"]
    assert back["order_slots"] == {"before": 28, "after": 13}

    pass_rows(system, len(OUT_BELOW))
    _reduced_and_tripped(system)
    pass_rows(system, len(COOLING))
    done(system, "grid", "resume", "tripped", "--author", "bob", "--reason", "looked into it")
    assert accounts(system)["edited"].free_slots == 32 - 13
    pass_rows(system, len(BACK))
    listed = grids(system)
    assert (listed["timed"]["state"], listed["timed"]["reasons"]) == ("stopped", ["TAKE_PROFIT"])
    pass_rows(system, len(OUT_ABOVE))
    listed = grids(system)
    assert (listed["leaver"]["state"], listed["leaver"]["reasons"]) == ("stopped", ["RANGE"])
    assert float(listed["leaver"]["position"]) == float(listed["timed"]["position"]) == 0

    _recorded(system.events())
    _all_agree(system)


def _grows_by_an_edit(system: WholeSystem, folder: Path) -> None:
    """28 live orders and reserve need 15 slots more than were reserved: the account is asked, then it is so."""
    larger = written(folder, "edited", live_orders=20, reserve=8)
    told = done(system, "grid", "edit", "edited", larger, "--apply", "--reason", "more orders")["edit"]
    assert told["order_slots"] == {"before": 13, "after": 28}
    assert told["event"].startswith("grid:edited@")
    assert accounts(system)["edited"].free_slots == 4


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
    wrong = (e.VenueDiffers, e.GridFaulted, e.TransactionFailed, e.TransactionExpired, e.FillReverted)
    assert [event for event in facts if isinstance(event.fact, wrong)] == []


def _of(facts: list[Recorded], grid: str, kind: type[e.Fact]) -> list[Any]:
    return [event.fact for event in facts if event.stream == f"grid:{grid}" and isinstance(event.fact, kind)]


def _all_agree(system: WholeSystem) -> None:
    answer = system.ask("query.0.execution.reconcile")
    for account in msgspec.json.decode(answer, type=list[AccountView]):
        assert (account.phase, account.differs, account.in_flight) == ("live", False, ""), account
    held = {name: grid["position"] for name, grid in grids(system).items()}
    booked = {grid["id"]: grid["position"] for grid in done(system, "ledger", "show")["grids"]}
    assert held == booked
    for source in ("postgres", "ev"):
        assert done(system, "audit", "replay", "--from", source)
    assert done(system, "audit", "replay", "--decisions")
