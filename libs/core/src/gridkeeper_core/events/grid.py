"""Facts of one grid, written by strategy."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.events.base import Fact, OrderType, PostOnly, Side
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price


class GridProposed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.proposed.v1"):
    """A user asked for a grid whose settings are sound in themselves. `source` is the text of the grid file."""

    config: GridConfig
    source: str
    author: str
    reason: str
    accepted: tuple[str, ...] = ()


class GridOpened(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.opened.v1"):
    """The grid trades from now on. Levels p_0..p_N, one size and one held amount per cell (N of each).

    `start_position_e9` is what it begins with: nothing, or a position that was there, at the venue's own
    `start_quote_entry_e6` (null: at the start price). A grid that `enters` first buys or sells `entry_e9` (signed; 0:
    it has enough); its levels go live with `EntryDone`. `capital_e6` is what yearly rates and losses are measured by.
    `adopted_from` is the account whose position it begins with ("": it begins with nothing).
    """

    levels_e6: tuple[int, ...]
    sizes_e9: tuple[int, ...]
    held_e9: tuple[int, ...]
    start_price_e6: int
    start_position_e9: int
    spec: MarketSpec
    start_quote_entry_e6: int | None = None
    entry_e9: int = 0
    enters: bool = False
    capital_e6: int = 0
    adopted_from: str = ""


class GridArmed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.armed.v1"):
    """The grid waits for its start price: it opens when the oracle is at `trigger_e6` or beyond (`above`: not below).

    The rest is what was granted: position (1e-9, signed) and quote entry (1e-6) of the account then.
    """

    trigger_e6: int
    above: bool
    spec: MarketSpec
    position_e9: int
    quote_entry_e6: int


class EntryDone(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.entry_done.v1"):
    """The levels go live: with these cell sizes, scaled to the position that was got, and this content.

    `base_e9` and `quote_e6` are what entry orders moved (signed, the account's view), `fee_e6` what they cost;
    `lots_e9` is how much of the position (signed) each cell starts with. `why`: filled, timeout, adopted.
    """

    sizes_e9: tuple[int, ...]
    held_e9: tuple[int, ...]
    lots_e9: tuple[int, ...]
    base_e9: int
    quote_e6: int
    fee_e6: int
    why: str


class BudgetSpent(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.budget_spent.v1"):
    """The grid asked for as many transactions today (UTC, days since 1970) as its SOL budget carries (lamports).

    Renewals and rolls wait for the next day; what a fill calls for is still placed.
    """

    day: int
    spent_lamports: int
    allowed_lamports: int


class GridRejected(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.rejected.v1"):
    """The grid cannot be opened; `code` is of the error catalogue."""

    code: str
    detail: str


class PriceSeen(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.price_seen.v1"):
    """The whole price that led to the facts after it, so that a replay needs no price stream.

    `passed_over` counts prices of this market that led to nothing since the last one recorded here.
    """

    price: Price
    passed_over: int


class WantedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order the grid wants on the venue. `lasts_ns` is its life (0 = until cancelled).

    `trigger_e6` is set for orders that sleep until the oracle is above (or below) it. A taker order's `price_e6` is the
    worst price it may fill at; a stop of `size_e9` u64::MAX closes whatever the position is then.
    """

    intent_id: str
    kind: str
    cell: int
    side: Side
    price_e6: int
    size_e9: int
    post_only: PostOnly = "try"
    reduce_only: bool = False
    lasts_ns: int = 0
    order_type: OrderType = "limit"
    trigger_e6: int = 0
    trigger_above: bool = False
    immediate_or_cancel: bool = False


class UnwantedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order the grid wants gone. `why`: window, resize, renew, pause, stop, risk, halt."""

    intent_id: str
    why: str


class OrdersWanted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.orders_wanted.v1"):
    """All order changes of one decision: first these are to go, then these are to be placed, nearest first.

    One fact, so that execution never acts on half a decision. `rolled` says that the live window was brought back to
    the nearest eligible orders. `reference_e6` is the price it was decided at, `price_seq` its place in its feed.
    With `shadow` it is a decision only: nothing of it is sent.
    """

    account: str
    market: str
    unwanted: tuple[UnwantedOrder, ...]
    wanted: tuple[WantedOrder, ...]
    rolled: bool
    reference_e6: int
    price_seq: int
    shadow: bool = False


class OrderGone(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.order_gone.v1"):
    """The grid took note that an order it wanted is not open any more, and not because it was filled.

    `not_before_ns` is when the same order may be wanted again at the latest; 0 = at once. `tries` counts rejections,
    `reference_e6` is where the market was: the order may be wanted again before that time once it has moved by a tick.
    """

    intent_id: str
    why: str
    not_before_ns: int
    tries: int
    reference_e6: int


class CellChanged(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.cell_changed.v1"):
    """A fill moved a cell: `held_e9` is its new content, `cycle` the number of completed turns.

    A fill that is taken back has negative amounts; a `late` one is of an order that was recorded as over.
    """

    cell: int
    held_e9: int
    cycle: int
    side: Side
    filled_e9: int
    price_e6: int
    quote_e6: int
    fee_e6: int
    intent_id: str
    late: bool = False


class PositionReduced(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.position_reduced.v1"):
    """A fill that belongs to no cell (closing the position) changed what the grid holds.

    `cell` is the number of the cell that had no room for it because of fills that came late or were taken back; -1 for
    any other reason.
    """

    intent_id: str
    side: Side
    filled_e9: int
    price_e6: int
    quote_e6: int
    fee_e6: int
    cell: int = -1


class RangeLeft(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.range_left.v1"):
    """The price left the grid's range. `where`: low or high."""

    where: Literal["low", "high"]
    price_e6: int


class RangeReturned(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.range_returned.v1"):
    """The price is back inside by at least one interval."""

    where: Literal["low", "high"]
    price_e6: int


class RiskTripped(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.risk_tripped.v1"):
    """A risk limit was reached. `tier`: yellow, orange, red; `limit` names the rule, values in its unit."""

    tier: Literal["yellow", "orange", "red"]
    limit: str
    value: int
    allowed: int


class RiskReset(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.risk_reset.v1"):
    """Risk is back to normal, by itself (yellow) or by command; losses count from `base_e6` (total PnL) from now on."""

    base_e6: int
    author: str
    reason: str


class GridPaused(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.paused.v1"):
    """No new orders from now on, for the reason `code` (PAUSED, STALE_PRICE, RISK, …)."""

    code: str
    author: str
    reason: str
    keep_orders: bool = False


class GridResumed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.resumed.v1"):
    """The pause for `code` is over."""

    code: str
    author: str
    reason: str


class LevelsShifted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.levels_shifted.v1"):
    """The grid followed the price by one interval: `level_e6` is its new end, above (up) or below (down).

    The cell of the other end moves there with its content and its cost; with `grew` it stays and a new cell is added.
    `held_e9` is what the cell holds there where that is not what it held (null: it is; nothing in a new one): the
    content of a short grid's cell is the part that is empty, which stays as large when the cell changes its size.
    """

    where: Literal["up", "down"]
    level_e6: int
    cell: int
    size_e9: int
    price_e6: int
    grew: bool = False
    held_e9: int | None = None


class ReducingStarted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.reducing_started.v1"):
    """The position is to come down to `target_e9` (signed) by reduce-only orders. `why`: range, risk."""

    target_e9: int
    why: str


class ReducingDone(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.reducing_done.v1"):
    """The position is as small as was wanted, or as the market's step allows."""

    position_e9: int


class PeakRaised(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.peak_raised.v1"):
    """Total PnL is at a new height: drawdown counts from it."""

    peak_e6: int


class DayBegan(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.day_began.v1"):
    """The first decision of a day (UTC, days since 1970): the daily loss counts from `base_e6` (total PnL)."""

    day: int
    base_e6: int


class PumpSeen(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.pump_seen.v1"):
    """The price moved too far within a minute: from `from_e6` to `price_e6`. Trading waits until `until_ns`.

    `move_e6` and `allowed_e6` are shares of the price (1e-6), `sigma_e6` is what a minute usually moves it.
    """

    from_e6: int
    price_e6: int
    move_e6: int
    allowed_e6: int
    sigma_e6: int
    until_ns: int


class GridFlagged(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.flagged.v1"):
    """How much of the grid is real: shadow sends nothing, canary trades `size_share_e4` of each size, live all.

    At `until_ns` (0 = never) it goes back to live by itself.
    """

    flag: Literal["shadow", "canary", "live"]
    until_ns: int
    size_share_e4: int
    author: str
    reason: str


class GridStopping(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.stopping.v1"):
    """The grid ends: its orders are cancelled, then its position is kept or closed.

    `code` says why when it was no person: STOP_LOW, STOP_HIGH, TAKE_PROFIT, ENTRY_TOO_SMALL, RANGE, RISK.
    """

    close: bool
    author: str
    reason: str
    code: str = ""


class GridStopped(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.stopped.v1"):
    """No order of the grid is left. The position it leaves behind is stated, and `code` as in `GridStopping`."""

    position_e9: int
    quote_e6: int
    fills: int
    code: str = ""


class GridFaulted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.faulted.v1"):
    """An input could not be taken (`at_cause`); the grid's orders are cancelled until a person resumes it."""

    at_cause: str
    detail: str
