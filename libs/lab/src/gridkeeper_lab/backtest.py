"""Runs one grid over a tape in the lab, passing over the rows at which nothing can happen."""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import msgspec
import numpy as np

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import Fact, GridRejected
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.inputs import ProposeGrid
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.record import Recorded
from gridkeeper_core.venue.state import FillRules, MarketRules
from gridkeeper_lab.columns import Columns, Ints
from gridkeeper_lab.crossing import Crossings
from gridkeeper_lab.engine import Lab
from gridkeeper_lab.funding_file import Payment

Engine = Literal["skipping", "plain"]
_PROGRESS_EVERY = 2_000
_NEVER_NS = 2**63 - 1


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a grid is run under. `deposit_e6` is the collateral of its sub-account; a transaction lands `latency_ns`
    after it was signed. Without `rejects_crossing` the venue lets a post-only order that would cross rest."""

    spec: MarketSpec
    fills: FillRules = FillRules()
    latency_ns: int = 0
    deposit_e6: int
    enforce_margin: bool = True
    rejects_crossing: bool = True
    spread_bps: int = 0


class Run:
    """A finished run: the lab as it ended, and at which row of the tape each event was decided."""

    def __init__(self, lab: Lab, config: GridConfig, tape: Columns) -> None:
        self.lab = lab
        self.config = config
        self.tape = tape
        self._rows: list[int] = []
        self._ends: list[int] = []

    def note(self, row: int) -> None:
        """All events so far, and none before the last note, belong to this row."""
        if not self._ends or self._ends[-1] != len(self.lab.log):
            self._rows.append(row)
            self._ends.append(len(self.lab.log))

    def events(self) -> Sequence[Recorded]:
        """Everything that was decided and is kept, in order."""
        return self.lab.log

    def row_of_events(self) -> Ints:
        """The row of the tape (from 0) at which each event was decided; before the first row it is 0."""
        ends = np.array([0, *self._ends], dtype=np.int64)
        counts: Ints = ends[1:] - ends[:-1]
        return np.repeat(np.array(self._rows, dtype=np.int64), counts)


def run(
    config: GridConfig,
    source: str,
    tape: Columns,
    setting: Setting,
    *,
    funding: Sequence[Payment] = (),
    crossings: Crossings | None = None,
    engine: Engine = "skipping",
    progress: Callable[[int], None] | None = None,
    kept: frozenset[type[Fact]] | None = None,
) -> Run:
    """Trade the grid over the whole tape; it is proposed when the first row has passed.

    Raises GridkeeperError with the reason when the grid cannot be opened. `crossings` is the index over the tape's
    prices, which runs on the same tape share. `progress` is told now and then how many rows have passed. Events of
    facts that are not `kept` are forgotten once they were handed over: those of a year fill hundreds of megabytes.
    """
    rules = MarketRules(spec=setting.spec, spread_bps=setting.spread_bps, rejects_crossing=setting.rejects_crossing)
    lab = Lab(
        [rules],
        fills=setting.fills,
        deposit_e6=setting.deposit_e6,
        enforce_margin=setting.enforce_margin,
        latency_ns=setting.latency_ns,
        account=config.account,
        restates=False,
        kept=kept,
    )
    ran = Run(lab, config, tape)
    walk = _Walk(ran, funding, crossings, engine)
    with _nothing_to_collect():
        walk.open(source)
        walk.to_the_end(progress)
    return ran


@contextmanager
def _nothing_to_collect() -> Iterator[None]:
    """What a run makes is kept to its end and has no cycles: to look for some again and again takes a tenth of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Walk:
    """The way over the tape: which row comes next."""

    def __init__(self, ran: Run, funding: Sequence[Payment], crossings: Crossings | None, engine: Engine) -> None:
        self._run = ran
        self._lab = ran.lab
        self._tape = ran.tape
        self._market = ran.config.market
        self._engine = engine
        self._payments = [payment for payment in funding if payment.ts_ns > int(ran.tape.ts_ns[0])]
        self._paid = 0
        self._crossings = crossings or Crossings(ran.tape.price_e6)
        self._gaps: list[int] = _gaps(ran.tape, ran.config.price_age_max_ns).tolist()
        self._last_ns = int(ran.tape.ts_ns[-1])

    def open(self, source: str) -> None:
        """The first row, and the command to create the grid."""
        config = self._run.config
        self._lab.row(self._tape.price(0, self._market))
        self._lab.command(f"grid:{config.grid_id}", ProposeGrid(config=config, source=source), key="backtest")
        self._run.note(0)
        self._check_opened(config.grid_id)

    def _check_opened(self, grid_id: str) -> None:
        for event in self._lab.log:
            if isinstance(event.fact, GridRejected) and event.stream == f"grid:{grid_id}":
                raise GridkeeperError(event.fact.code, field="GRID.toml", value=grid_id, detail=event.fact.detail)

    def to_the_end(self, progress: Callable[[int], None] | None) -> None:
        """Every row after the first."""
        row, end, steps = 1, len(self._tape), 0
        while row < end:
            if self._engine == "skipping":
                row = self._after_calm(row, end)
                if row == end:
                    break
            self._pay(int(self._tape.ts_ns[row]), row)
            self._lab.row(self._tape.price(row, self._market))
            self._run.note(row)
            row += 1
            steps += 1
            if progress is not None and steps % _PROGRESS_EVERY == 0:
                progress(row)

    def _after_calm(self, row: int, end: int) -> int:
        """The first row from here at which something may happen; the one before it is taken as the newest price."""
        low_e6, high_e6 = self._lab.band(self._market)
        if low_e6 >= high_e6:
            return row
        stop = self._crossings.next_row(row, self._row_before_which_all_is_timeless(row, end), low_e6, high_e6)
        if stop > row:
            self._mark_until(stop)
            self._lab.calm_row(self._tape.price(stop - 1, self._market))
        return stop

    def _mark_until(self, stop: int) -> None:
        """The ledger's deadlines among rows that are passed over: each sees the row before it as the newest."""
        last_ns = int(self._tape.ts_ns[stop - 1])
        while (due_ns := self._lab.next_mark_ns()) is not None and due_ns <= last_ns:
            row = int(self._tape.ts_ns.searchsorted(due_ns))
            self._lab.mark(self._tape.price(row - 1, self._market))
            self._run.note(row)

    def _row_before_which_all_is_timeless(self, row: int, end: int) -> int:
        """The first row that a deadline, a funding payment or a gap in the prices comes before."""
        due_ns = self._lab.next_timer_ns() or _NEVER_NS
        if self._paid < len(self._payments):
            due_ns = min(due_ns, self._payments[self._paid].ts_ns)
        if due_ns <= self._last_ns:
            end = int(self._tape.ts_ns.searchsorted(due_ns))
        gap = bisect_left(self._gaps, row)
        if gap < len(self._gaps):
            end = min(end, self._gaps[gap])
        return max(end, row)

    def _pay(self, now_ns: int, row: int) -> None:
        while self._paid < len(self._payments) and self._payments[self._paid].ts_ns <= now_ns:
            payment = self._payments[self._paid]
            self._lab.pay_funding(payment.ts_ns, self._market, payment.rate_e12)
            self._run.note(row)
            self._paid += 1


def _gaps(tape: Columns, price_age_max_ns: int) -> Ints:
    """Rows that come so long after the one before that its price was stale by then."""
    lasts_ns = np.maximum(tape.good_for_ns[:-1], price_age_max_ns)
    return np.flatnonzero(np.diff(tape.ts_ns) > lasts_ns) + 1
