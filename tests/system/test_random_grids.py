"""Grids drawn by chance on a drawn part of a recorded market: lab and services record the same events.

One system with four grids by default, about a minute; `--random-systems N` tries N of them.
"""

from __future__ import annotations

import gzip
import itertools
import random
from pathlib import Path

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.inputs import ProposeGrid
from gridkeeper_core.parity import comparable, first_difference
from gridkeeper_core.record import Recorded
from gridkeeper_core.venue.state import MarketRules
from gridkeeper_lab.engine import Lab
from gridkeeper_lab.tape import Tape, TapeSpec
from support.lockstep_grids import held_in_lockstep
from support.random_grids import random_grid
from support.recorded_data import recorded_folder

pytestmark = [pytest.mark.system, pytest.mark.servers]

MARKETS = (
    "candles/binance_um_SOLUSDT_1m_20250504_20250624.csv.gz",
    "candles/binance_um_SOLUSDT_5m_20241231_20260219.csv.gz",
    "candles/binance_spot_SOLUSDT_1m_20210515_20210615.csv.gz",
)
NAMES = ("ash", "beech", "cedar", "dogwood")
"""Of grids and of the sub-accounts they trade on."""
BARS = 100
NUMBERED_BY_THE_MARKET = "fill_record_id"
"""Counted over all accounts of a market; which of two lands first at one moment is the chain's own."""


@pytest.fixture(scope="module")
def data() -> Path:
    return recorded_folder()


def tape_of(data: Path, chance: random.Random, folder: Path) -> tuple[Path, float]:
    """A part of a recorded market as a file of its own, and its first price."""
    with gzip.open(data / chance.choice(MARKETS), "rt") as candles:
        header, *lines = candles
    first = chance.randrange(len(lines) - BARS)
    cut = folder / "tape.csv"
    cut.write_text("".join(itertools.chain([header], lines[first : first + BARS])))
    return cut, float(lines[first].split(",")[1])


def recorded_by_services(folder: Path, tape: Path, files: dict[str, str]) -> list[Recorded]:
    """Everything the services recorded, with the grids proposed after the first row."""
    with held_in_lockstep(folder, tape, NAMES) as system:
        for name, text in files.items():
            (folder / f"{name}.toml").write_text(text)
            arguments = ("--yes", "--key", name, "--author", "ann", "--reason", "by chance")
            system.command("grid", "create", str(folder / f"{name}.toml"), *arguments)
        system.pass_rows(None, within_s=600)
        for name in NAMES:
            system.reconcile(name)
        return system.events()


def recorded_by_lab(name: str, tape: Path, services: list[Recorded]) -> list[Recorded]:
    """One account's events, from what the services say they began with."""
    spec = next(event.fact.spec for event in services if isinstance(event.fact, e.MarketSeen))
    baseline = next(event.fact for event in services if isinstance(event.fact, e.AccountSnapshot))
    proposed = next(event for event in services if event.stream == f"grid:{name}")
    lab = Lab([MarketRules(spec=spec)], deposit_e6=baseline.deposit_e6, account=name)
    for price in Tape([tape], TapeSpec(market="SOL-PERP", tick_e6=spec.tick_e6, step_e9=spec.step_e9)).prices():
        lab.row(price)
        if price.source_seq == 1:
            fact = proposed.fact
            body = ProposeGrid(config=fact.config, source=fact.source, accepted=fact.accepted)
            lab.command(proposed.stream, body, author=fact.author, reason=fact.reason, key=name)
    lab.reconcile()
    return lab.log


def of_account(name: str, events: list[Recorded]) -> dict[str, list[dict[str, object]]]:
    streams = comparable(events)
    mine = {kind: streams.get(f"{kind}:{name}", []) for kind in ("grid", "account", "ledger")}
    for event in itertools.chain(*mine.values()):
        fact = event["fact"]
        assert isinstance(fact, dict)
        fact.pop(NUMBERED_BY_THE_MARKET, None)
    return mine


def test_lab_and_services_record_the_same_for_grids_drawn_by_chance(
    data: Path, tmp_path: Path, random_system: int
) -> None:
    chance = random.Random(random_system)
    tape, price = tape_of(data, chance, tmp_path)
    files = {name: random_grid(chance, name, price) for name in NAMES}

    services = recorded_by_services(tmp_path, tape, files)

    proposed = [name for name in NAMES if any(event.stream == f"grid:{name}" for event in services)]
    opened = [event for event in services if isinstance(event.fact, e.GridOpened)]
    assert opened, [event for event in services if isinstance(event.fact, e.GridRejected | e.GridRefused)]
    for name in proposed:
        lab = recorded_by_lab(name, tape, services)
        assert first_difference(of_account(name, lab), of_account(name, services)) is None, files[name]
