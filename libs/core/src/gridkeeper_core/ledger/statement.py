"""A grid's statement from its record: every completed turn, each cell, what the capital earned, how far it fell."""

from __future__ import annotations

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import BooksClosed, CycleClosed, GridStopped, Marked
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.ledger.cycles import Cell
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.ledger.marks import Result
from gridkeeper_core.ledger.performance import Performance
from gridkeeper_core.ledger.views import grid_view
from gridkeeper_core.names import split_stream
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import E9


class TurnLine(msgspec.Struct, frozen=True, kw_only=True):
    """One buy and one sell of a cell, of equal size: prices are averages over their fills, the profit is after fees."""

    cell: int
    cycle: int
    base_e9: int
    buy_price_e6: int
    sell_price_e6: int
    fee_e6: int
    profit_e6: int
    opened_ns: int
    closed_ns: int

    @property
    def dwell_ns(self) -> int:
        """From the fill that opened it to the one that completed it."""
        return self.closed_ns - self.opened_ns


class CellLine(msgspec.Struct, frozen=True, kw_only=True):
    """One cell: its completed turns (profit after their fees), the one under way, and what is held at its cost.

    `matched_e9` of the turn under way earned `matched_quote_e6` before fees; `held_e9` is signed (sold short: negative)
    and cost `held_quote_e6` (bought: negative).
    """

    cell: int
    turns: int = 0
    profit_e6: int = 0
    fee_e6: int = 0
    base_e9: int = 0
    matched_e9: int = 0
    matched_quote_e6: int = 0
    held_e9: int = 0
    held_quote_e6: int = 0


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A grid from its opening to `until_ns`. Ratios are of the capital, yearly ones by 365 days (1e-4).

    `turns_profit_e6` is what completed turns earned after fees. Equity is capital and total PnL at each mark, its peak
    at least the capital; the drawdown is the deepest fall from a peak.
    """

    grid_id: str
    opened_ns: int
    until_ns: int
    capital_e6: int
    result: Result
    turns_profit_e6: int
    grid_apr_e4: int | None
    total_apr_e4: int | None
    peak_equity_e6: int
    drawdown_e6: int
    drawdown_e4: int
    cells: tuple[CellLine, ...]
    turns: tuple[TurnLine, ...]


class StatementFold:
    """Takes the grid's own events, then those of its books; keeps the newest turns only where they are wanted."""

    def __init__(self, grid_id: str, *, keep_turns: bool = True) -> None:
        self._grid_id = grid_id
        self._keep_turns = keep_turns
        self._strategy = StrategyMachine()
        self._ledger = LedgerMachine()
        self._lines: dict[int, CellLine] = {}
        self._turns: list[TurnLine] = []
        self._left: dict[int, Cell] = {}
        self._performance = Performance(0, 0)
        self._opened_ns = 0
        self._stopped_ns: int | None = None
        self._capital_e6 = 0

    def take(self, event: Recorded) -> None:
        """The next event of `grid:<id>`, then of `ledger:<id>`."""
        if split_stream(event.stream)[0] == "grid":
            self._strategy.restore(event)
            if isinstance(event.fact, GridStopped):
                self._stopped_ns = event.ts_ns  # what is left of it has no capital any more
            else:
                self._capital_e6 = self._strategy.grid(self._grid_id).capital_e6
            return
        if not self._opened_ns:
            self._opened_ns = event.ts_ns
            self._performance = Performance(event.ts_ns, 0)
        match event.fact:
            case BooksClosed():
                self._left = dict(self._ledger.state.grids[self._grid_id].sums.cells)
            case CycleClosed():
                self._turned(event.fact, event.ts_ns)
            case Marked():
                self._performance.marked(event.fact.total_pnl_e6)
        self._ledger.restore(event)

    def statement(self, now_ns: int, price_e6: int | None) -> Statement:
        """Valued at `price_e6` (default: the price of the last mark). Raises GridkeeperError GRID_UNKNOWN."""
        if not self._opened_ns:
            raise GridkeeperError("GRID_UNKNOWN", field="id", value=self._grid_id)
        state = self._ledger.state
        view = grid_view(state, self._grid_id, price_e6)
        self._performance.marked(view.result.total_pnl_e6)
        cells = state.grids[self._grid_id].sums.cells if self._grid_id in state.grids else self._left
        capital = self._capital_e6
        until_ns = now_ns if self._stopped_ns is None else self._stopped_ns
        self._performance.capital_e6 = capital
        profit = sum(line.profit_e6 for line in self._lines.values())
        earned = self._performance.earned(profit, view.result.total_pnl_e6, until_ns)
        return Statement(
            grid_id=self._grid_id,
            opened_ns=self._opened_ns,
            until_ns=until_ns,
            capital_e6=capital,
            result=view.result,
            turns_profit_e6=profit,
            grid_apr_e4=earned.grid_apr_e4,
            total_apr_e4=earned.total_apr_e4,
            peak_equity_e6=earned.peak_equity_e6,
            drawdown_e6=earned.drawdown_e6,
            drawdown_e4=earned.drawdown_e4,
            cells=tuple(self._line(number, cells.get(number)) for number in sorted(self._lines.keys() | cells.keys())),
            turns=tuple(self._turns),
        )

    def _turned(self, fact: CycleClosed, ts_ns: int) -> None:
        line = self._lines.get(fact.cell, CellLine(cell=fact.cell))
        self._lines[fact.cell] = msgspec.structs.replace(
            line,
            turns=line.turns + 1,
            profit_e6=line.profit_e6 + fact.profit_e6,
            fee_e6=line.fee_e6 + fact.fee_e6,
            base_e9=line.base_e9 + fact.base_e9,
        )
        if self._keep_turns:
            turn = TurnLine(
                cell=fact.cell,
                cycle=fact.cycle,
                base_e9=fact.base_e9,
                buy_price_e6=fact.buy_quote_e6 * E9 // fact.base_e9,
                sell_price_e6=fact.sell_quote_e6 * E9 // fact.base_e9,
                fee_e6=fact.fee_e6,
                profit_e6=fact.profit_e6,
                opened_ns=fact.opened_ns,
                closed_ns=ts_ns,
            )
            self._turns.append(turn)

    def _line(self, number: int, cell: Cell | None) -> CellLine:
        line = self._lines.get(number, CellLine(cell=number))
        if cell is None:
            return line
        return msgspec.structs.replace(
            line,
            matched_e9=cell.turn.base_e9,
            matched_quote_e6=cell.turn.sell_quote_e6 - cell.turn.buy_quote_e6,
            held_e9=cell.held_e9,
            held_quote_e6=cell.quote_e6,
        )
