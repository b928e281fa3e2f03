"""Kinds of grids side by side, each on a sub-account of its own: short, trailing, recentering, canary, adopting."""

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
DOWN_AND_UP = [99.0, 98.4, 97.4, 98.6, 99.6, 100.2]
OUT_ABOVE = [100.2, 103.0, 106.0, 109.0, *([111.6] * 6), 113.4, 113.4, 112.2, 113.0]
ROWS = [100.0, 100.0, *DOWN_AND_UP, *OUT_ABOVE]
GRID = """
[grid]
id = "{name}"
account = "{name}"
market = "SOL-PERP"
lower = "90"
upper = "110"
intervals = 20
spacing = "arithmetic"
size = {{ base = "{size}" }}
{settings}
[window]
live_orders = 8
roll_interval = "0"

[risk]
max_drawdown = "0.9"
pump_move = "1"
{tables}
"""
KINDS = {
    "short": ("0.1", 'direction = "short"\nentry = "taker"\n', ""),
    "trail": ("0.1", "", '[range]\nabove = "trail"\n[trailing]\nup_limit = "125"\n'),
    "center": ("0.1", "", '[range]\nabove = "recenter"\nrecenter_after = "1m"\n'),
    "canary": ("1", "", '[flags]\ncanary_share = "0.05"\ncanary_for = "2m"\n'),
}
"""Name of grid and account -> size, settings of the grid, further tables."""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[WholeSystem]:
    """Four sub-accounts and a recording in lockstep that is held after its first row; no grid yet."""
    tape = tmp_path / "tape.csv"
    rows = [f"{1_700_000_000_000 + ROW_MS * n},{price:.2f},500,sell" for n, price in enumerate(ROWS)]
    tape.write_text("ts_ms,price,size,side\n" + "\n".join(rows) + "\n")
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    configuration = make_demo_files(data_dir, f"replay:{tape}")
    text = configuration.read_text()
    main = tomllib.loads(text)["accounts"]["main"]
    text = text.replace("[accounts.main]", "[accounts.short]")
    for number, alias in enumerate(list(KINDS)[1:], start=1):
        text += f'\n[accounts.{alias}]\nrpc = ""\nauthority = "{main["authority"]}"\nsub_account = {number}\n'
        text += f'signer = "{main["signer"]}"\nowner_key = true\n'
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


def pass_rows(system: WholeSystem, count: int | None) -> None:
    due = system.tape().rows_out + count if count is not None else len(ROWS)
    system.tape(count)
    system.until(lambda: system.tape().rows_out >= due and (count is None or system.tape().is_held), within_s=90)


def create(system: WholeSystem, folder: Path, name: str, settings: str, *, account: str = "") -> None:
    size, _, tables = KINDS.get(name, ("0.1", "", ""))
    path = folder / f"{name}.toml"
    text = GRID.format(name=name, size=size, settings=settings, tables=tables)
    path.write_text(text.replace(f'account = "{name}"', f'account = "{account or name}"'))
    done(system, "grid", "create", str(path), "--yes", "--reason", "a test")


def test_each_kind_of_grid_does_what_it_is_for_and_all_books_equal_the_venue(
    system: WholeSystem, tmp_path: Path
) -> None:
    for name, (_, settings, _) in KINDS.items():
        create(system, tmp_path, name, settings)
    done(system, "grid", "flag", "canary", "canary", "--reason", "start small")
    pass_rows(system, 1 + len(DOWN_AND_UP))

    # The short grid leaves its position to the one that follows it.
    done(system, "grid", "stop", "short", "--yes", "--no-wait", "--reason", "to be adopted")
    pass_rows(system, 1)
    assert done(system, "grid", "show", "short")["grid"]["state"] == "stopped"
    create(system, tmp_path, "heir", 'direction = "short"\nadopt = true\n', account="short")
    pass_rows(system, None)
    system.until(lambda: system.tape().is_over, within_s=60)

    facts = system.events()
    short = _of(facts, "grid:short", e.EntryDone)
    assert [(entry.why, entry.base_e9) for entry in short] == [("filled", -1_000_000_000)]
    assert [fill.maker for fill in _fills(facts, "short/entry/")] == [False]
    # What the cells of both hold together is what was sold at first, and no unit was traded to hand it over.
    assert [entry.why for entry in _of(facts, "grid:heir", e.EntryDone)] == ["adopted"]
    assert _fills(facts, "heir/entry/") == []

    assert {shift.where for shift in _of(facts, "grid:trail", e.LevelsShifted)} == {"up"}
    assert "recenter" in [edited.why for edited in _of(facts, "grid:center", e.GridEdited)]
    flags = [(flagged.flag, flagged.author) for flagged in _of(facts, "grid:canary", e.GridFlagged)]
    assert [flag for flag, _ in flags] == ["canary", "live"]
    assert flags[1][1] == "gridkeeper"
    sizes = [fill.base_e9 for fill in _fills(facts, "canary/")]
    assert sizes[0] == 50_000_000
    assert max(sizes) > 50_000_000

    system.ask("query.0.execution.reconcile")
    for account in accounts(system).values():
        assert (account.phase, account.differs, account.in_flight) == ("live", False, ""), account
    wrong = (e.VenueDiffers, e.GridFaulted, e.TransactionFailed, e.TransactionExpired, e.FillReverted)
    assert [event for event in facts if isinstance(event.fact, wrong)] == []
    for source in ("postgres", "ev"):
        assert done(system, "audit", "replay", "--from", source)


def _of(facts: list[Recorded], stream: str, kind: type[e.Fact]) -> list[Any]:
    return [event.fact for event in facts if event.stream == stream and isinstance(event.fact, kind)]


def _fills(facts: list[Recorded], beginning: str) -> list[e.OrderFilled]:
    fills = [event.fact for event in facts if isinstance(event.fact, e.OrderFilled)]
    return [fill for fill in fills if fill.intent_id.startswith(beginning)]
