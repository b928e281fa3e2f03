"""Recorded days of SOL candles in lockstep through all services and the sandbox, against the lab and the venue.

A lively day and a half by default; `make soak` runs all that are recorded (`--recorded-days 0`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.inputs import ProposeGrid
from gridkeeper_core.parity import comparable, first_difference
from gridkeeper_core.record import Recorded
from gridkeeper_core.venue.state import MarketRules
from gridkeeper_lab.engine import Lab
from gridkeeper_lab.tape import Tape, TapeSpec
from support.recorded_candles import cut_candles
from support.whole_system import WholeSystem, running

pytestmark = pytest.mark.system

CANDLES = "binance_um_SOLUSDT_1m_20250504_20250624.csv.gz"
BEGINNING = "2025-05-04"
LIVELY = "2025-06-22T11:00"
"""A day and a half from here on bring twice as many fills as three days from the beginning."""
MINUTES_PER_DAY = 24 * 60
ROWS_PER_SECOND_AT_LEAST = 20
LIVE_ORDERS = 28
GRID = f"""
[grid]
id = "days"
market = "SOL-PERP"
lower = "120"
upper = "190"
intervals = 117
spacing = "geometric"
size = {{ base = "0.1" }}

[window]
live_orders = {LIVE_ORDERS}

[risk]
max_drawdown = "0.9"
"""


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory, recorded_days: float) -> Path:
    """Some days of the recorded candles, or all of them."""
    target = tmp_path_factory.mktemp("tape") / "days.csv"
    if not recorded_days:
        return cut_candles(CANDLES, target, BEGINNING, None)
    return cut_candles(CANDLES, target, LIVELY, round(recorded_days * MINUTES_PER_DAY))


@pytest.fixture(scope="module")
def system(tape: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSystem]:
    """The system after the tape has run to its end, still up."""
    data_dir = tmp_path_factory.mktemp("days") / "data"
    grid_file = data_dir.parent / "days.toml"
    grid_file.write_text(GRID)
    arguments = ("--no-example", "--feed", f"replay:{tape}", "--lockstep", "--hold-after", "1")
    with running(data_dir, *arguments) as up:
        up.until(lambda: up.tape().rows_out == 1, within_s=60)
        code, answer = up.command(
            "grid", "create", str(grid_file), "--yes", "--key", "k1", "--author", "ann", "--reason", "a test"
        )
        assert code == 0, answer
        up.tape(None)
        rows = 4 * tape.read_text().count("\n")
        up.until(lambda: up.tape().is_over, within_s=60 + rows / ROWS_PER_SECOND_AT_LEAST, every_s=1.0)
        up.reconcile()
        yield up


@pytest.fixture(scope="module")
def events(system: WholeSystem) -> list[Recorded]:
    """Everything strategy, execution and ledger recorded."""
    return system.events()


def test_over_three_hundred_orders_were_filled(events: list[Recorded]) -> None:
    assert sum(isinstance(event.fact, e.OrderFilled) for event in events) > 300


def test_books_and_venue_agree_to_the_unit(system: WholeSystem) -> None:
    venue = system.venue_account()
    code, books = system.command("ledger", "show", "days")
    assert code == 0
    account = system.reconcile()
    assert (account.phase, account.differs) == ("live", False)
    ours, theirs = account.positions[0], venue.positions[0]
    assert ours.base_e9 == theirs.base_e9
    assert ours.quote_asset_e6 == theirs.quote_asset_e6
    assert ours.quote_entry_e6 == theirs.quote_entry_e6
    assert ours.quote_break_even_e6 == theirs.quote_break_even_e6
    assert account.deposit_e6 == venue.deposit_e6
    assert round(float(books["grid"]["position"]) * 10**9) == theirs.base_e9


def test_the_equity_proof_of_every_snapshot_is_exact(events: list[Recorded]) -> None:
    proofs = [event.fact for event in events if isinstance(event.fact, e.ProofChecked)]
    assert proofs
    assert {proof.residual_e6 for proof in proofs} == {0}


def test_the_grid_holds_what_the_venue_holds(system: WholeSystem) -> None:
    code, answer = system.command("grid", "list")
    assert code == 0
    position_e9 = round(float(answer["grids"][0]["position"]) * 10**9)
    assert position_e9 == system.venue_account().positions[0].base_e9


def test_never_more_than_the_live_orders_were_open_and_no_level_had_two(events: list[Recorded]) -> None:
    prices: dict[int, int] = {}
    most = 0
    for event in events:
        match event.fact:
            case e.OrderResting() as resting:
                prices[resting.order_id] = resting.price_e6
            case e.OrderClosed(order_id=int() as order_id):
                prices.pop(order_id, None)
            case _:
                continue
        most = max(most, len(prices))
        doubled = [price for price, count in Counter(prices.values()).items() if count > 1]
        assert not doubled, (event.identity, doubled)
    assert 0 < most <= LIVE_ORDERS


def test_nothing_went_wrong_on_the_way(events: list[Recorded]) -> None:
    bad = (e.VenueDiffers, e.GridFaulted, e.TransactionFailed, e.TransactionExpired, e.FillReverted)
    assert [event for event in events if isinstance(event.fact, bad)] == []


def test_the_lab_records_the_same_events_on_the_same_tape(tape: Path, events: list[Recorded]) -> None:
    specs = [event.fact.spec for event in events if isinstance(event.fact, e.MarketSeen)]
    baseline = next(event.fact for event in events if isinstance(event.fact, e.AccountSnapshot))
    proposed = next(event for event in events if isinstance(event.fact, e.GridProposed))
    lab = Lab([MarketRules(spec=spec) for spec in specs], deposit_e6=baseline.deposit_e6)
    spec = TapeSpec(market="SOL-PERP", tick_e6=specs[0].tick_e6, step_e9=specs[0].step_e9)
    for price in Tape([tape], spec).prices():
        lab.row(price)
        if price.source_seq == 1:
            fact = proposed.fact
            body = ProposeGrid(config=fact.config, source=fact.source, accepted=fact.accepted)
            lab.command(proposed.stream, body, author=fact.author, reason=fact.reason, key="k1")
    lab.reconcile()
    assert first_difference(comparable(lab.log), comparable(events)) is None


def test_the_record_verifies_and_replays_to_the_running_state(system: WholeSystem) -> None:
    code, verified = system.command("audit", "verify")
    assert code == 0, verified
    for source in ("postgres", "ev"):
        code, replayed = system.command("audit", "replay", "--from", source)
        assert code == 0, replayed
