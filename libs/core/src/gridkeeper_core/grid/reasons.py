"""Says of every level of a grid which order it has, or why it has none: a code, and the code in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec

from gridkeeper_core.events import Side
from gridkeeper_core.grid import budget, reducing, risk
from gridkeeper_core.grid.state import GridState, LiveOrder
from gridkeeper_core.grid.triggers import reference_e6
from gridkeeper_core.grid.window import candidates, per_side, target_e9
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import e6_text, e9_text

ORDER = "ORDER"
GAP = "GAP"
WORDS: dict[str, str] = {
    ORDER: "Its order is live.",
    GAP: "Nothing is to be traded here: the cell above is full and the cell below is empty.",
    "WINDOW": "It is farther from the price than the nearest orders of its side, which alone are live.",
    "ROLL": "It is due; the live window moves as soon as the time between two moves has passed.",
    "MISSED": "The price went over it without a fill; its order becomes possible when the price comes back.",
    "MIN_SIZE": "What it would trade is less than the market's smallest order; it is kept and joined to the next one.",
    "IN_FLIGHT": "An order at this level is still on its way out; the new one follows when it is gone.",
    "MARGIN": "The account has too little free collateral for it; nearer orders come first, and it is tried again.",
    "FILLED_BEFORE": "An earlier attempt at it was filled after all; what is still missing is wanted anew.",
    "POST_ONLY_CROSS": "It would have traded at once instead of resting; it is tried again when the price has moved.",
    "RISK": "A loss limit was reached; `gridkeeper grid resume` lets the grid go on.",
    "PAUSED": "The grid was paused by a person; `gridkeeper grid resume` lets it go on.",
    "FAULT": "The grid met something it cannot take; see `gridkeeper events tail`, then `gridkeeper grid resume`.",
    "POSITION_DIFFERS": "The account holds another position than the grid; stop it, then create one with adopt = true.",
    "ACCOUNT_HALTED": "The account is halted; `gridkeeper account resume` lets it go on.",
    "STALE_PRICE": "The newest price is too old to place orders on; it goes on by itself with a fresh one.",
    "RANGE": "The price left the range, and the grid's policy for that stops new orders until it returns.",
    "SOL_BUDGET": "The grid has spent its SOL for today; renewals and rolls go on tomorrow (UTC).",
    "CLOCK_SKEW": "The host's clock and the chain's differ too much; it goes on by itself when they agree.",
    "WAITING_TRIGGER": "The grid waits for its start price.",
    "ENTRY": "The grid buys or sells its first position; its levels go live when that is done.",
    "SHADOW": "It is wanted and not sent: the grid only decides (flag shadow).",
    "PUMP": "The price moved too fast; the grid goes on by itself when it has calmed down.",
    "ORACLE_UNCERTAIN": "The oracle is too uncertain of the price; the grid goes on by itself when that is over.",
    "ORACLE_DIVERGES": "Oracle and market are too far apart; the grid goes on by itself when they meet again.",
    "ORACLE_STALE": "The venue's oracle is too old; the grid goes on by itself when it is fresh again.",
    "MARKET_CLOSED": "The venue's market takes no orders; the grid goes on by itself when it opens.",
    "MARKET_CHANGED": "The venue changed the market so that the grid's orders do not fit; stop it and create another.",
    "SOL_LOW": "The wallet has too little SOL for placing; the grid goes on by itself when there is enough.",
    "DELEGATE_MISSING": "The signer may not trade for the account; the grid goes on by itself when it may.",
    "LIQUIDATION": "The venue is liquidating the account.",
    "LEVERAGE": "The market's margin ratios do not allow the grid's leverage any more.",
    "LIMIT_GROSS": "With it all positions of the account could come to more than its limit `max_gross`.",
    "LIMIT_MARKET": "With it the position in this market could come to more than the limit `max_per_market`.",
    "LIMIT_COLLATERAL": "With it more of the collateral would be bound than the limit `max_collateral_share`.",
    "STATUS": "The grid is not open.",
    "REDUCING": "The position is being reduced; only orders that reduce it are wanted.",
    "NO_PRICE": "No price of the market is known yet.",
    "FAILED": "Its transaction failed; it is tried again after a pause.",
    "EXPIRED": "Its transaction never landed; it is tried again after a pause.",
    "VENUE": "The venue cancelled it; it is tried again after a pause.",
    "SINGLE_ORDER": "The other order at this price is live, and a level never has two.",
}
"""Code -> what it means."""

ENDINGS: dict[str, str] = {
    "STOP_LOW": "The price reached its lower stop; it closed its position and ended.",
    "STOP_HIGH": "The price reached its upper stop; it closed its position and ended.",
    "TAKE_PROFIT": "It reached the profit it was to take; it closed its position and ended.",
    "ENTRY_TOO_SMALL": "Its first position was too small to trade with; it gave it back and ended.",
    "RANGE": "The price left its range, for which it was told to close its position and end.",
}
"""Code of a grid that ended by itself -> what happened."""

_TURNED_AWAY = {"not_placed": "POST_ONLY_CROSS", "failed": "FAILED", "expired": "EXPIRED", "venue": "VENUE"}
"""How an order ended -> the code of waiting for another try; refusals carry a code of their own."""
_FIRST_PAUSES = ("FAULT", "POSITION_DIFFERS", "RISK", "ACCOUNT_HALTED", "PAUSED")
"""Of several pauses the one that a person has to end is told."""


class LevelReason(msgspec.Struct, frozen=True, kw_only=True):
    """One level: what it wants to trade (side "" and cell -1: nothing) and why that is live or not.

    `until_ns` is when the reason ends by time alone, 0 where nobody knows. `detail` adds the numbers.
    """

    level: int
    price_e6: int
    side: str
    cell: int
    size_e9: int
    code: str
    intent_id: str = ""
    until_ns: int = 0
    detail: str = ""


def words_of(code: str) -> str:
    """A code in plain words."""
    return WORDS.get(code, f"The grid waits for a reason of its own: {code}.")


def level_reasons(state: GridState, newest: Price | None, now_ns: int) -> tuple[LevelReason, ...]:
    """Every level from the lowest up; empty as long as the grid has none."""
    if not state.levels_e6:
        return ()
    at_e6 = reference_e6(state, newest) if newest is not None else None
    look = _Look(state, at_e6, now_ns)
    return tuple(look.level(index) for index in range(len(state.levels_e6)))


def grid_reasons(state: GridState) -> tuple[str, ...]:
    """Why the grid as a whole wants no orders, the reason that a person has to end first; empty while it trades."""
    return tuple(sorted(state.pauses, key=lambda code: (code not in _FIRST_PAUSES, code)))


class _Look:
    """One reading of a grid at a price, shared by its levels."""

    def __init__(self, state: GridState, at_e6: int | None, now_ns: int) -> None:
        self._state = state
        self._at_e6 = at_e6
        self._now_ns = now_ns
        self._nearest = {side: set(cells) for side, cells in _nearest(state, at_e6)}
        self._by_price = {order.price_e6: order for order in state.orders.values() if order.cell >= 0}

    def level(self, index: int) -> LevelReason:
        """What is to be said of one level."""
        state = self._state
        price_e6 = state.levels_e6[index]
        wanted = self._wanted(index)
        if wanted is None:
            return LevelReason(level=index, price_e6=price_e6, side="", cell=-1, size_e9=0, code=GAP)
        side, cell = wanted
        order = self._order(side, cell)
        size_e9 = order.left_e9 if order is not None else target_e9(state, side, cell)
        code, until_ns, detail = self._why(side, cell, price_e6, size_e9)
        return LevelReason(
            level=index,
            price_e6=price_e6,
            side=side,
            cell=cell,
            size_e9=size_e9,
            code=code,
            intent_id=order.intent_id if order is not None else "",
            until_ns=until_ns,
            detail=detail,
        )

    def _order(self, side: Side, cell: int) -> LiveOrder | None:
        return self._state.orders.get((side, self._state.names.number(cell)))

    def _wanted(self, index: int) -> tuple[Side, int] | None:
        """The order this level is for: the one that lives, else the one on its passive side, else the other."""
        state = self._state
        wanted: list[tuple[Side, int]] = []
        if index < len(state.sizes_e9) and target_e9(state, "buy", index) > 0:
            wanted.append(("buy", index))
        if index > 0 and target_e9(state, "sell", index - 1) > 0:
            wanted.append(("sell", index - 1))
        passive: Side = "buy" if self._at_e6 is None or state.levels_e6[index] < self._at_e6 else "sell"
        ranked = sorted(wanted, key=lambda want: (self._order(*want) is None, want[0] != passive))
        return ranked[0] if ranked else None

    def _why(self, side: Side, cell: int, price_e6: int, size_e9: int) -> tuple[str, int, str]:
        """Code, when it ends, numbers."""
        state = self._state
        order = self._order(side, cell)
        if order is not None:
            if order.shadow:
                return "SHADOW", state.memory.flag_until_ns, ""
            return ("IN_FLIGHT", 0, f"to go: {order.unwanted}") if order.unwanted else (ORDER, 0, "")
        if state.status != "open":
            return "STATUS", 0, state.status
        if state.pauses:
            return grid_reasons(state)[0], 0, ", ".join(sorted(state.pauses))
        if self._at_e6 is None or state.spec is None:
            return "NO_PRICE", 0, ""
        if risk.is_reduce_only(state) or reducing.keeps_its_side(state):
            return "REDUCING", 0, f"the position is {e9_text(state.position_e9)}"
        if size_e9 < state.spec.minimum_e9 and cell not in self._nearest[side]:
            return "MIN_SIZE", 0, f"{e9_text(size_e9)} of at least {e9_text(state.spec.minimum_e9)}"
        if price_e6 >= self._at_e6 if side == "buy" else price_e6 <= self._at_e6:
            return "MISSED", 0, f"the price is {e6_text(self._at_e6)}"
        return self._waiting(side, cell, price_e6)

    def _waiting(self, side: Side, cell: int, price_e6: int) -> tuple[str, int, str]:
        """Why an order that may be placed is not."""
        state = self._state
        retry = state.retries.get((side, state.names.number(cell)))
        if retry is not None and self._now_ns < retry.not_before_ns:
            return _TURNED_AWAY.get(retry.why, retry.why), retry.not_before_ns, f"{retry.tries} tries"
        other = self._by_price.get(price_e6)
        if other is not None:
            return ("IN_FLIGHT" if other.unwanted else "SINGLE_ORDER"), 0, other.intent_id
        if cell not in self._nearest[side]:
            return "WINDOW", 0, ""
        if (side, state.names.number(cell)) in state.renewing:
            return "IN_FLIGHT", 0, "its order is placed anew"
        if budget.is_out(state, self._now_ns):
            return "SOL_BUDGET", budget.next_day_ns(self._now_ns), f"{state.budget_lamports} lamports today"
        roll_ns = state.last_roll_ns + state.config.roll_interval_ns
        if self._now_ns >= roll_ns:
            return "WINDOW", 0, f"the window follows when the price has moved by {state.config.hysteresis} more levels"
        return "ROLL", roll_ns, ""


def _nearest(state: GridState, at_e6: int | None) -> Iterator[tuple[Side, list[int]]]:
    counts = per_side(state.config.live_orders)
    sides: tuple[Side, Side] = ("buy", "sell")
    for side, count in zip(sides, counts, strict=True):
        is_known = at_e6 is not None and state.spec is not None
        yield side, list(islice(candidates(state, side, at_e6), count)) if is_known and at_e6 is not None else []
