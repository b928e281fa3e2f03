"""What a grid is at one moment: a frozen value, folded from the facts of its own stream."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.events import EditProposed, GridArmed, Side
from gridkeeper_core.grid.cells import Cells
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.memory import Memory
from gridkeeper_core.grid.naming import Names
from gridkeeper_core.grid.row import Row
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price

Status = Literal["proposed", "armed", "open", "stopping", "stopped", "rejected"]

PAUSED = "PAUSED"
HALTED = "ACCOUNT_HALTED"
STALE_PRICE = "STALE_PRICE"
RISK = "RISK"
FAULT = "FAULT"
PUMP = "PUMP"
ORACLE_UNCERTAIN = "ORACLE_UNCERTAIN"
ORACLE_DIVERGES = "ORACLE_DIVERGES"
WAITING_TRIGGER = "WAITING_TRIGGER"
POSITION_DIFFERS = "POSITION_DIFFERS"
ENTRY = "ENTRY"


class LiveOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order the grid wanted and that is not known to be closed. `unwanted` says why it is to go, "" = it stays.

    One that `takes` trades at once and never rests.
    """

    intent_id: str
    kind: str
    cell: int
    side: Side
    price_e6: int
    size_e9: int
    filled_e9: int
    wanted_ns: int
    unwanted: str = ""
    takes: bool = False
    trigger_e6: int = 0
    shadow: bool = False

    @property
    def left_e9(self) -> int:
        """What is not filled yet."""
        return self.size_e9 - self.filled_e9


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """When an order that was turned away may be wanted again: at this time, or once the price moved from here.

    `why` is what it was turned away for.
    """

    not_before_ns: int
    price_e6: int
    tries: int
    why: str = ""


class GridState(msgspec.Struct, frozen=True, kw_only=True):
    """A grid. Cell k lies between `levels_e6[k]` and `levels_e6[k+1]` and holds `held_e9[k]` of `sizes_e9[k]`.

    `orders` and `retries` are keyed by kind and the cell's number (see `names`): one buy and one sell per cell, -1 for
    orders that belong to none. `pauses` maps reason codes to whether orders stay, `told` says in words who or what
    paused, faulted or rejected it. `cash_e6` is what fills brought in, fees included. `renewing` are cells whose orders
    went to be placed anew and are not yet. `slots` are the account's order slots that it may use, `pending` the
    settings that wait for more of them. `disturbed` are the numbers of cells in which fills came late or were taken
    back, so that what really filled may be more than fits. `beside_e9` is what the account holds in the market
    beyond the grid's own position (signed), by the numbers a person adopted last.
    """

    grid_id: str
    status: Status
    config: GridConfig
    source: str = ""
    spec: MarketSpec | None = None
    levels_e6: tuple[int, ...] = ()
    cells: Cells = Cells()
    start_held_e9: int = 0
    start_position_e9: int = 0
    start_price_e6: int = 0
    orders: dict[tuple[str, int], LiveOrder] = {}
    retries: dict[tuple[str, int], Retry] = {}
    pauses: dict[str, bool] = {}
    told: dict[str, str] = {}
    range_left: Literal["", "low", "high"] = ""
    price: Price | None = None
    last_fill_e6: int = 0
    last_fill_side: Literal["", "buy", "sell"] = ""
    last_fill_ns: int = 0
    last_roll_ns: int = 0
    reduced_e9: int = 0
    cash_e6: int = 0
    fees_e6: int = 0
    fills: int = 0
    turns: int = 0
    capital_e6: int = 0
    risk_base_e6: int = 0
    close_wanted: bool = False
    flattens: int = 0
    names: Names = Names()
    low_index: int = 0
    memory: Memory = Memory()
    armed: GridArmed | None = None
    opened_ns: int = 0
    entry_e9: int = 0
    entries: int = 0
    stop_code: str = ""
    renewing: frozenset[tuple[str, int]] = frozenset()
    budget_day: int = 0
    budget_lamports: int = 0
    budget_out_day: int = 0
    slots: int = 0
    pending: EditProposed | None = None
    disturbed: frozenset[int] = frozenset()
    beside_e9: int = 0

    @property
    def sizes_e9(self) -> tuple[int, ...]:
        """How large each cell is."""
        return self.cells.sizes_e9

    @property
    def held_e9(self) -> Row:
        """How much each cell holds."""
        return self.cells.held_e9

    @property
    def cycles(self) -> Row:
        """How many turns each cell completed."""
        return self.cells.cycles

    @property
    def position_e9(self) -> int:
        """What the grid holds in the market (signed): the change of its cells since the start, and what was closed."""
        return self.start_position_e9 + self.cells.held_e9.total - self.start_held_e9 + self.reduced_e9

    @property
    def closable_e9(self) -> int:
        """The grid's position, as far as the account has it (signed): no reduce-only order closes more than that."""
        return sorted((0, self.position_e9, self.position_e9 + self.beside_e9))[1]

    def place_of(self, number: int) -> int | None:
        """Where the cell with this number is, or its heir; None when it is nowhere any more."""
        place = self.names.place(number, len(self.sizes_e9))
        return place if place is not None else self.names.heir(number)

    @property
    def is_trading(self) -> bool:
        """Whether new orders may be wanted."""
        return self.status == "open" and not self.pauses


NO_CELL = -1


def gap_of(state: GridState) -> int | None:
    """The one level without an order when every cell is full or empty in the way of a grid; None otherwise."""
    gap = 0
    for held, size in zip(state.held_e9, state.sizes_e9, strict=True):
        if held == 0:
            gap += 1
        elif held != size:
            return None
        else:
            break
    if all(held == size for held, size in zip(state.held_e9[gap:], state.sizes_e9[gap:], strict=True)):
        return gap
    return None
