"""Two recorded crashes with stops and risk limits on, and calm days, through all services in lockstep.

Hours around the crash by default; `--recorded-days 0` runs the week that follows. The whole of May and June 2025 is
run by the test of recorded days.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.record import Recorded
from support.recorded_candles import cut_candles
from support.whole_system import WholeSystem, running

pytestmark = pytest.mark.system

ROWS_PER_SECOND_AT_LEAST = 20


class Chapter(NamedTuple):
    """A stretch of recorded candles and the grid that lives through it. `weeks` is what the long run takes in bars."""

    candles: str
    since: str
    bars: int
    weeks: int
    grid: str


OCTOBER_2025 = Chapter(
    candles="binance_um_SOLUSDT_5m_20241231_20260219.csv.gz",
    since="2025-10-10T18:00",
    bars=5 * 12,
    weeks=7 * 24 * 12,
    grid="""
[grid]
id = "crash"
market = "SOL-PERP"
direction = "long"
entry = "taker"
lower = "195"
upper = "245"
intervals = 50
spacing = "arithmetic"
size = { base = "0.1" }
leverage = "1"

[orders]
order_life = "2h"

[stops]
low = "190"
""",
)
"""SOL fell from 224 to 141 and came back to 190 within an hour: the stop rests on the venue."""

MAY_2021 = Chapter(
    candles="binance_spot_SOLUSDT_1m_20210515_20210615.csv.gz",
    since="2021-05-19T11:00",
    bars=3 * 60,
    weeks=7 * 24 * 60,
    grid="""
[grid]
id = "crash"
market = "SOL-PERP"
direction = "long"
lower = "25"
upper = "60"
intervals = 70
spacing = "arithmetic"
size = { base = "1" }
leverage = "2"

[risk]
on_red = "flatten"
daily_loss = "0.2"
""",
)
"""SOL fell from 49 to 26.5: no stop, the risk limits have to close the position."""

MAY_2025 = Chapter(
    candles="binance_um_SOLUSDT_1m_20250504_20250624.csv.gz",
    since="2025-05-04T00:00",
    bars=12 * 60,
    weeks=12 * 60,  # the week is not calm: its drawdown reaches the limits
    grid="""
[grid]
id = "crash"
market = "SOL-PERP"
lower = "120"
upper = "190"
intervals = 117
spacing = "geometric"
size = { base = "0.1" }

[risk]
pump_move = "0.015"
""",
)
"""In range, with every limit at its default, and the pump guard at what it is for grids that follow."""


class Ending(NamedTuple):
    """What a chapter left behind."""

    facts: list[Recorded]
    grid: Any
    position_e9: int

    def found(self, kind: type[e.Fact]) -> list[Any]:
        """The facts of a kind, in their order."""
        return [event.fact for event in self.facts if isinstance(event.fact, kind)]


@pytest.fixture
def live_through(tmp_path: Path, recorded_days: float) -> Any:
    """Runs a chapter to its end, and sees to what holds at the end of each."""

    def run(chapter: Chapter) -> Ending:
        bars = chapter.bars if recorded_days else chapter.weeks
        tape = cut_candles(chapter.candles, tmp_path / "tape.csv", chapter.since, bars)
        grid_file = tmp_path / "crash.toml"
        grid_file.write_text(chapter.grid)
        arguments = ("--no-example", "--feed", f"replay:{tape}", "--lockstep", "--hold-after", "1")
        with running(tmp_path / "data", *arguments) as system:
            system.until(lambda: system.tape().rows_out == 1, within_s=60)
            code, answer = system.command("grid", "create", str(grid_file), "--yes", "--reason", "a test")
            assert code == 0, answer
            system.tape(None)
            system.until(lambda: system.tape().is_over, within_s=60 + 4 * bars / ROWS_PER_SECOND_AT_LEAST, every_s=1.0)
            return _ending(system)

    return run


def _ending(system: WholeSystem) -> Ending:
    """Books equal venue to the unit, the record replays to what runs, nothing is in flight, nothing went wrong."""
    account, venue = system.reconcile(), system.venue_account()
    assert (account.phase, account.differs, account.in_flight) == ("live", False, "")
    ours, theirs = _only(account.positions), _only(venue.positions)
    assert _numbers(ours) == _numbers(theirs)
    assert account.deposit_e6 == venue.deposit_e6
    assert account.open_orders == len(venue.orders)

    grid = system.command("grid", "show", "crash")[1]["grid"]
    booked = system.command("ledger", "show", "crash")[1]["grid"]
    position_e9 = theirs.base_e9 if theirs is not None else 0
    assert round(float(booked["position"]) * 10**9) == round(float(grid["position"]) * 10**9) == position_e9

    facts = system.events()
    wrong = (e.VenueDiffers, e.GridFaulted, e.TransactionExpired, e.FillReverted, e.Liquidated)
    assert [event for event in facts if isinstance(event.fact, wrong)] == []
    proofs = [event.fact for event in facts if isinstance(event.fact, e.ProofChecked)]
    assert proofs
    assert {proof.residual_e6 for proof in proofs} == {0}
    for source in ("postgres", "ev"):
        code, replayed = system.command("audit", "replay", "--from", source)
        assert code == 0, replayed
    return Ending(facts, grid, position_e9)


def _only(positions: Any) -> Any:
    assert len(positions) <= 1
    return positions[0] if positions else None


def _numbers(position: Any) -> tuple[int, ...]:
    if position is None:
        return (0, 0, 0, 0)
    return (
        position.base_e9,
        position.quote_asset_e6,
        position.quote_entry_e6,
        position.quote_break_even_e6,
    )


def test_a_stop_on_the_venue_closes_a_long_grid_in_the_crash_of_october_2025(live_through: Any) -> None:
    ended = live_through(OCTOBER_2025)

    # What upper cells sell was bought by an order that takes, at once.
    entries = [want for fact in ended.found(e.OrdersWanted) for want in fact.wanted if want.kind == "entry"]
    assert [want.order_type for want in entries] == ["limit"]
    assert [fill.maker for fill in ended.found(e.OrderFilled) if "/entry/" in fill.intent_id] == [False]
    # Orders that lived for an hour are renewed, and none of them expired on the venue.
    gone = Counter(gone.why for fact in ended.found(e.OrdersWanted) for gone in fact.unwanted)
    assert gone["renew"] > 20
    # The stop fired where it rests, and the position is gone.
    assert [fired.intent_id for fired in ended.found(e.OrderTriggered)] == ["crash/stop-low/0/0"]
    assert [stopped.code for stopped in ended.found(e.GridStopped)] == ["STOP_LOW"]
    assert (ended.grid["state"], ended.position_e9) == ("stopped", 0)


def test_risk_limits_close_a_long_grid_in_the_crash_of_may_2021(live_through: Any) -> None:
    ended = live_through(MAY_2021)

    assert "red" in [tripped.tier for tripped in ended.found(e.RiskTripped)]
    assert ended.found(e.PositionReduced) or ended.position_e9 == 0
    assert ended.position_e9 == 0
    assert ended.grid["state"] == "paused"
    # After the limit was reached nothing was bought any more.
    after = ended.facts[_place_of_the_last(ended, "red") :]
    wanted = [want for event in after if isinstance(event.fact, e.OrdersWanted) for want in event.fact.wanted]
    assert {want.reduce_only for want in wanted} <= {True}


def _place_of_the_last(ended: Ending, tier: str) -> int:
    places = (n for n, event in enumerate(ended.facts) if isinstance(event.fact, e.RiskTripped))
    return max(place for place in places if ended.facts[place].fact.tier == tier)


def test_calm_hours_of_may_2025_are_traded_with_all_limits_on(live_through: Any) -> None:
    ended = live_through(MAY_2025)

    assert len(ended.found(e.OrderFilled)) > 20
    assert ended.found(e.RiskTripped) == []
    assert {paused.code for paused in ended.found(e.GridPaused)} <= {"PUMP"}
    assert (ended.grid["state"], ended.grid["reasons"]) == ("open", [])
