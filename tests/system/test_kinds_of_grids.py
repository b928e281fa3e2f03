"""Kinds of grids side by side, each on a sub-account of its own: short, trailing, recentering, canary, adopting."""

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
    with held_in_lockstep(tmp_path, price_tape(tmp_path, ROWS), KINDS) as made:
        yield made


def create(system: WholeSystem, folder: Path, name: str, settings: str, *, account: str = "") -> None:
    size, _, tables = KINDS.get(name, ("0.1", "", ""))
    path = folder / f"{name}.toml"
    text = GRID.format(name=name, size=size, settings=settings, tables=tables)
    path.write_text(text.replace(f'account = "{name}"', f'account = "{account or name}"'))
    system.done("grid", "create", str(path), "--yes", "--reason", "a test")


def test_each_kind_of_grid_does_what_it_is_for_and_all_books_equal_the_venue(
    system: WholeSystem, tmp_path: Path
) -> None:
    for name, (_, settings, _) in KINDS.items():
        create(system, tmp_path, name, settings)
    system.done("grid", "flag", "canary", "canary", "--reason", "start small")
    system.pass_rows(1 + len(DOWN_AND_UP))

    # The short grid leaves its position to the one that follows it.
    system.done("grid", "stop", "short", "--yes", "--no-wait", "--reason", "to be adopted")
    system.pass_rows(1)
    assert system.done("grid", "show", "short")["grid"]["state"] == "stopped"
    create(system, tmp_path, "heir", 'direction = "short"\nadopt = true\n', account="short")
    system.pass_rows(None, within_s=150)

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

    check_all_is_well(system, facts)


def _of(facts: list[Recorded], stream: str, kind: type[e.Fact]) -> list[Any]:
    return [event.fact for event in facts if event.stream == stream and isinstance(event.fact, kind)]


def _fills(facts: list[Recorded], beginning: str) -> list[e.OrderFilled]:
    fills = [event.fact for event in facts if isinstance(event.fact, e.OrderFilled)]
    return [fill for fill in fills if fill.intent_id.startswith(beginning)]
