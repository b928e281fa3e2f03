"""What a run came to: counts, money, the hash of its fills, and the curves a report draws."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from gridkeeper_core import events as e
from gridkeeper_core.grid.state import gap_of
from gridkeeper_core.ledger.marks import Line
from gridkeeper_core.ledger.position import value_e6
from gridkeeper_core.ledger.views import grid_view
from gridkeeper_lab.backtest import Run
from gridkeeper_lab.columns import Ints

NO_LEVEL = -1
_ROWS_AT_A_TIME = 1 << 16
NEEDED: frozenset[type[e.Fact]] = frozenset(
    (
        e.GridRejected, e.OrderFilled, e.Posted, e.OrderResting, e.OrderClosed, e.OrderRefused, e.Liquidated,
        e.ProofChecked,
    )
)  # fmt: skip
"""The facts that an outcome is made from; a report looks at more."""


class Fills(msgspec.Struct, frozen=True):
    """One entry per fill, in order: row of the tape, level (NO_LEVEL for closing orders), side +1 buy or -1 sell."""

    row: Ints
    level: Ints
    side: Ints
    price_e6: Ints
    base_e9: Ints
    quote_e6: Ints
    fee_e6: Ints

    def triples(self) -> npt.NDArray[np.int32]:
        """Row, level and side of each fill: what two runs of the same grid must have in common."""
        return np.stack((self.row, self.level, self.side), axis=1).astype("<i4")


class Steps(msgspec.Struct, frozen=True):
    """What changed the account, in order: the row of the tape, base 1e-9 and quote 1e-6, fees and funding included."""

    row: Ints
    base_e9: Ints
    quote_e6: Ints


class Books(msgspec.Struct, frozen=True):
    """What a run held and what it was worth: the time and price of each row of its tape, and its steps."""

    ts_ns: Ints
    price_e6: Ints
    steps: Steps


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A finished run in numbers. `cash_e6` is what fills brought in before fees; fees are paid (negative: received).

    `max_drawdown_e6` is the deepest fall of total PnL below its highest value before, looked at on every row.
    """

    grid_id: str
    ticks: int
    fills: int
    placed: int
    cancelled: int
    refused: int
    final_gap: int | None
    final_price_e6: int
    position_e9: int
    cash_e6: int
    volume_e6: int
    fees_e6: int
    funding_e6: int
    grid_profit_e6: int
    total_pnl_e6: int
    max_drawdown_e6: int
    max_live_orders: int
    turns: int
    capital_e6: int
    paused: tuple[str, ...]
    liquidations: int
    residual_e6: int | None
    lines: tuple[Line, ...]
    fills_sha256: str


class Counts(msgspec.Struct):
    """What one pass over the events collects."""

    placed: int = 0
    cancelled: int = 0
    refused: int = 0
    live: int = 0
    max_live: int = 0
    liquidations: int = 0
    residual_e6: int | None = None


def outcome_of(run: Run) -> Outcome:
    """The run in numbers; reads the account once more from the venue, so that the books are proven at the end."""
    run.lab.reconcile()
    run.note(len(run.tape) - 1)
    grid = run.lab.strategy.grid(run.config.grid_id)
    fills, counts = fills_of(run), _counted(run)
    final_e6 = int(run.tape.price_e6[-1])
    view = grid_view(run.lab.ledger.state, run.config.grid_id, final_e6)
    return Outcome(
        grid_id=run.config.grid_id,
        ticks=len(run.tape),
        fills=len(fills.row),
        placed=counts.placed,
        cancelled=counts.cancelled,
        refused=counts.refused,
        final_gap=gap_of(grid),
        final_price_e6=final_e6,
        position_e9=view.result.position_e9,
        cash_e6=-int((fills.side * fills.quote_e6).sum()),
        volume_e6=int(fills.quote_e6.sum()),
        fees_e6=view.result.fees_e6,
        funding_e6=view.result.funding_e6,
        grid_profit_e6=view.result.grid_profit_e6,
        total_pnl_e6=view.result.total_pnl_e6,
        max_drawdown_e6=max_drawdown_e6(run.tape.price_e6, steps_of(run)),
        max_live_orders=counts.max_live,
        turns=view.result.turns,
        capital_e6=grid.capital_e6,
        paused=tuple(sorted(grid.pauses)),
        liquidations=counts.liquidations,
        residual_e6=counts.residual_e6,
        lines=view.lines,
        fills_sha256=hashlib.sha256(fills.triples().tobytes()).hexdigest(),
    )


def fills_of(run: Run) -> Fills:
    """Every fill of the run."""
    rows = run.row_of_events()
    found = [
        (
            rows[place],
            _level(fact),
            1 if fact.side == "buy" else -1,
            fact.price_e6,
            fact.base_e9,
            fact.quote_e6,
            fact.fee_e6,
        )
        for place, event in enumerate(run.events())
        if isinstance(fact := event.fact, e.OrderFilled)
    ]
    return Fills(*_columns(found, 7))


def steps_of(run: Run) -> Steps:
    """Every posting of the books that changed a position."""
    rows = run.row_of_events()
    found = [
        (rows[place], fact.base_e9, fact.quote_e6)
        for place, event in enumerate(run.events())
        if isinstance(fact := event.fact, e.Posted) and fact.market_index >= 0 and fact.kind != "opening"
    ]
    return Steps(*_columns(found, 3))


def books_of(run: Run) -> Books:
    """The run as money that can be added to that of others."""
    return Books(run.tape.ts_ns, run.tape.price_e6, steps_of(run))


def total_pnl(price_e6: Ints, steps: Steps) -> npt.NDArray[np.float64]:
    """Total PnL in quote at every row, for drawing and for finding extremes; exact amounts are made of integers."""
    base, quote = held_at(len(price_e6), steps)
    return base * (price_e6 / 1e6) + quote


def held_at(rows: int, steps: Steps) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Position (base) and cash (quote, fees and funding included) at every row, for drawing."""
    base, quote = np.zeros(rows), np.zeros(rows)
    np.add.at(base, steps.row, steps.base_e9 / 1e9)
    np.add.at(quote, steps.row, steps.quote_e6 / 1e6)
    np.cumsum(base, out=base)
    np.cumsum(quote, out=quote)
    return base, quote


def max_drawdown_e6(price_e6: Ints, steps: Steps) -> int:
    """The deepest fall of total PnL from a peak before it (not negative)."""
    top = bottom = peak_row = 0
    peak, fall = -np.inf, 0.0
    for first, curve in _pnl_by_parts(price_e6, steps):
        # The highest so far, and where it was, at every row of the part.
        peaks = np.maximum.accumulate(np.concatenate(([peak], curve)))[1:]
        falls = peaks - curve
        lowest = int(falls.argmax())
        if falls[lowest] > fall:
            fall, bottom = float(falls[lowest]), first + lowest
            is_here = peaks[lowest] > peak
            top = first + int(curve[: lowest + 1].argmax()) if is_here else peak_row
        if peaks[-1] > peak:
            peak, peak_row = float(peaks[-1]), first + int(curve.argmax())
    return max(0, exact_pnl_e6(price_e6, steps, top) - exact_pnl_e6(price_e6, steps, bottom))


def _pnl_by_parts(price_e6: Ints, steps: Steps) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """`total_pnl` piece by piece, each with its first row: a long tape is not held in memory several times."""
    base = quote = 0.0
    for first in range(0, len(price_e6), _ROWS_AT_A_TIME):
        end = min(first + _ROWS_AT_A_TIME, len(price_e6))
        since, until = np.searchsorted(steps.row, (first, end)).tolist()
        part = Steps(steps.row[since:until] - first, steps.base_e9[since:until], steps.quote_e6[since:until])
        held, cash = held_at(end - first, part)
        yield first, (held + base) * (price_e6[first:end] / 1e6) + (cash + quote)
        base, quote = base + float(held[-1]), quote + float(cash[-1])


def joint_drawdown_e6(books: Sequence[Books]) -> int:
    """The deepest fall of what all have together, looked at whenever any of them has a price (not negative)."""
    times_ns = np.unique(np.concatenate([own.ts_ns for own in books]))
    total = np.zeros(len(times_ns))
    for own in books:
        # Before its first price a run has neither won nor lost.
        curve = np.concatenate(([0.0], total_pnl(own.price_e6, own.steps)))
        total += curve[np.searchsorted(own.ts_ns, times_ns, side="right")]
    bottom = int((np.maximum.accumulate(total) - total).argmax())
    top = int(total[: bottom + 1].argmax())
    return max(0, _joint_pnl_e6(books, int(times_ns[top])) - _joint_pnl_e6(books, int(times_ns[bottom])))


def _joint_pnl_e6(books: Sequence[Books], ts_ns: int) -> int:
    rows = [(own, int(np.searchsorted(own.ts_ns, ts_ns, side="right")) - 1) for own in books]
    return sum(exact_pnl_e6(own.price_e6, own.steps, row) for own, row in rows if row >= 0)


def exact_pnl_e6(price_e6: Ints, steps: Steps, row: int) -> int:
    """Total PnL after a row, in integers."""
    count = int(np.searchsorted(steps.row, row, side="right"))
    return value_e6(int(steps.base_e9[:count].sum()), int(price_e6[row])) + int(steps.quote_e6[:count].sum())


def _counted(run: Run) -> Counts:
    counts = Counts()
    for event in run.events():
        match event.fact:
            case e.OrderResting():
                counts.placed += 1
                counts.live += 1
                counts.max_live = max(counts.max_live, counts.live)
            case e.OrderClosed(order_id=order_id, reason=reason):
                counts.live -= order_id is not None
                counts.cancelled += reason in ("cancelled", "lapsed")
            case e.OrderRefused(code=code):
                counts.refused += code != "WITHDRAWN"
            case e.Liquidated():
                counts.liquidations += 1
            case e.ProofChecked(residual_e6=residual_e6):
                counts.residual_e6 = residual_e6
            case _:
                pass
    return counts


def _level(fact: e.OrderFilled) -> int:
    """A cell buys at the level of its own number and sells at the one above."""
    if fact.cell == NO_LEVEL:
        return NO_LEVEL
    return fact.cell if fact.side == "buy" else fact.cell + 1


def _columns(found: Sequence[tuple[int, ...]], width: int) -> tuple[Ints, ...]:
    table = np.array(found, dtype=np.int64).reshape(len(found), width)
    return tuple(table[:, column] for column in range(width))
