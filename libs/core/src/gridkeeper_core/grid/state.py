"""What a grid is at one moment: a frozen value, folded from the facts of its own stream."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.events import Side
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price

Status = Literal["proposed", "open", "stopping", "stopped", "rejected"]

PAUSED = "PAUSED"
HALTED = "ACCOUNT_HALTED"
STALE_PRICE = "STALE_PRICE"
RISK = "RISK"
FAULT = "FAULT"


class LiveOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order the grid wanted and that is not known to be closed. `unwanted` says why it is to go, "" = it stays."""

    intent_id: str
    kind: str
    cell: int
    side: Side
    price_e6: int
    size_e9: int
    filled_e9: int
    wanted_ns: int
    unwanted: str = ""

    @property
    def left_e9(self) -> int:
        """What is not filled yet."""
        return self.size_e9 - self.filled_e9


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """When an order that was turned away may be wanted again: at this time, or once the price moved from here."""

    not_before_ns: int
    price_e6: int
    tries: int


class GridState(msgspec.Struct, frozen=True, kw_only=True):
    """A grid. Cell k lies between `levels_e6[k]` and `levels_e6[k+1]` and holds `held_e9[k]` of `sizes_e9[k]`.

    `orders` is keyed by (kind, cell): one buy and one sell per cell, cell -1 for orders that belong to none. `pauses`
    maps reason codes to whether orders stay. `cash_e6` is what fills brought in, fees included.
    """

    grid_id: str
    status: Status
    config: GridConfig
    source: str = ""
    spec: MarketSpec | None = None
    levels_e6: tuple[int, ...] = ()
    sizes_e9: tuple[int, ...] = ()
    held_e9: tuple[int, ...] = ()
    start_held_e9: int = 0
    start_position_e9: int = 0
    start_price_e6: int = 0
    cycles: tuple[int, ...] = ()
    orders: dict[tuple[str, int], LiveOrder] = {}
    retries: dict[tuple[str, int], Retry] = {}
    pauses: dict[str, bool] = {}
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

    @property
    def position_e9(self) -> int:
        """What the grid holds in the market (signed): the change of its cells since the start, and what was closed."""
        return self.start_position_e9 + sum(self.held_e9) - self.start_held_e9 + self.reduced_e9

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
