"""Stops and profit targets: which orders sleep on the venue for them, and when the grid ends itself."""

from __future__ import annotations

from typing import NamedTuple

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid import window
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.evolve import find
from gridkeeper_core.grid.pnl import total_pnl_e6
from gridkeeper_core.grid.state import NO_CELL, GridState, LiveOrder
from gridkeeper_core.grid.triggers import reference_e6
from gridkeeper_core.names import intent_id
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E4, e6_text
from gridkeeper_core.venue.records import WHOLE_POSITION_E9

CODES = {"stop-low": "STOP_LOW", "stop-high": "STOP_HIGH", "take-profit": "TAKE_PROFIT"}
"""Kind of a stop's order -> why the grid ended when it fired."""


class Stop(NamedTuple):
    """One price at which the whole position is closed."""

    kind: str
    side: e.Side
    trigger_e6: int
    above: bool

    def is_reached(self, price_e6: int) -> bool:
        """Whether it fires at this oracle price."""
        return price_e6 >= self.trigger_e6 if self.above else price_e6 <= self.trigger_e6


def stops_of(config: GridConfig, start_price_e6: int) -> list[Stop]:
    """The stops of a grid that began at this price.

    Each closes what the grid holds out there: a long grid is never short, a short one never long, and a neutral one is
    long below its range and short above it.
    """
    low_side: e.Side = "buy" if config.direction == "short" else "sell"
    high_side: e.Side = "sell" if config.direction == "long" else "buy"
    found = []
    if config.stop_low_e6 is not None:
        found.append(Stop("stop-low", low_side, config.stop_low_e6, above=False))
    if config.stop_high_e6 is not None:
        found.append(Stop("stop-high", high_side, config.stop_high_e6, above=True))
    if config.take_profit_e6 is not None:
        above = config.take_profit_e6 > start_price_e6 if config.direction == "neutral" else config.direction == "long"
        found.append(Stop("take-profit", high_side if above else low_side, config.take_profit_e6, above=above))
    return found


def check_open(config: GridConfig, price_e6: int) -> None:
    """Raises GridkeeperError STOP_PASSED when the grid would end as soon as it opened."""
    _check_ahead(stops_of(config, price_e6), price_e6)


def check_edit(state: GridState, config: GridConfig, price_e6: int) -> None:
    """Raises GridkeeperError STOP_PASSED when a stop that the settings move would end the grid at once."""
    before = stops_of(state.config, state.start_price_e6)
    _check_ahead([stop for stop in stops_of(config, state.start_price_e6) if stop not in before], price_e6)


def check(d: Decision, newest: Price) -> None:
    """End the grid when the price or its profit reached a stop, whether or not the venue's order fires too."""
    state = d.state
    for stop in stops_of(state.config, state.start_price_e6):
        if stop.is_reached(newest.oracle_e6):
            reason = f"{stop.kind} at {e6_text(stop.trigger_e6)} reached by {e6_text(newest.oracle_e6)}"
            _end(d, CODES[stop.kind], reason)
            return
    wanted_e6 = _profit_wanted_e6(state)
    pnl_e6 = total_pnl_e6(state, reference_e6(state, newest)) if wanted_e6 is not None else 0
    if wanted_e6 is not None and pnl_e6 >= wanted_e6:
        _end(d, "TAKE_PROFIT", f"total PnL {e6_text(pnl_e6)} reached {e6_text(wanted_e6)}")


def fired(d: Decision, fired_intent: str) -> None:
    """A stop fired on the venue: first of all the grid's resting orders have to go."""
    key = find(d.state, fired_intent)
    if d.state.status == "open" and key is not None and key[0] in CODES:
        _end(d, CODES[key[0]], f"{fired_intent} fired on the venue")


def due(state: GridState, newest: Price, now_ns: int) -> window.Change:
    """Stops to be placed, once there is a position they would close; and those whose price was changed, to go."""
    stops = {stop.kind: stop for stop in stops_of(state.config, state.start_price_e6)}
    if not stops and not any((kind, NO_CELL) in state.orders for kind in CODES):
        return window.Change()
    unwanted = tuple(
        e.UnwantedOrder(intent_id=order.intent_id, why="edit")
        for order in state.orders.values()
        if order.kind in CODES
        and not order.unwanted
        and _is_changed(order.trigger_e6, stops.get(order.kind))
        and _is_within_reach(state, order)
    )
    at_e6 = reference_e6(state, newest)
    wanted = tuple(
        _order(state, stop)
        for stop in stops.values()
        if (stop.kind, NO_CELL) not in state.orders
        and (state.position_e9 > 0 if stop.side == "sell" else state.position_e9 < 0)
        and not window.must_wait(state, (stop.kind, NO_CELL), at_e6, now_ns)
    )
    return window.Change(unwanted=unwanted, wanted=wanted)


def band(state: GridState) -> tuple[int, int]:
    """Prices strictly inside reach no stop and no profit target."""
    low, high = 0, 2**63 - 1
    for stop in stops_of(state.config, state.start_price_e6):
        low, high = (low, min(high, stop.trigger_e6)) if stop.above else (max(low, stop.trigger_e6), high)
    wanted_e6, position_e9 = _profit_wanted_e6(state), state.position_e9
    if wanted_e6 is None or position_e9 == 0:
        return low, high
    # Total PnL is a line in the price. One unit to the safe side of its rounding: too early only costs a look.
    edge_e6 = (wanted_e6 - 1 - total_pnl_e6(state, 0)) * 10**9 // position_e9
    return (low, min(high, edge_e6 - 1)) if position_e9 > 0 else (max(low, edge_e6 + 2), high)


def _profit_wanted_e6(state: GridState) -> int | None:
    share_e4 = state.config.take_profit_pnl_e4
    return None if share_e4 is None else state.capital_e6 * share_e4 // E4


def _end(d: Decision, code: str, reason: str) -> None:
    d.add(e.GridStopping(close=True, author="gridkeeper", reason=reason, code=code))


def _check_ahead(stops: list[Stop], price_e6: int) -> None:
    for stop in stops:
        if stop.is_reached(price_e6):
            where = "below" if stop.above else "above"
            raise GridkeeperError(
                "STOP_PASSED",
                field=f"stops.{stop.kind.removeprefix('stop-').replace('-', '_')}",
                value=e6_text(stop.trigger_e6),
                expected=f"the price ({e6_text(price_e6)}) {where} it",
            )


def _is_within_reach(state: GridState, order: LiveOrder) -> bool:
    """A shadow grid could only take a stop away that guards its position, and not put another in its place."""
    return order.shadow or state.memory.flag != "shadow"


def _is_changed(trigger_e6: int, stop: Stop | None) -> bool:
    return stop is None or stop.trigger_e6 != trigger_e6


def _order(state: GridState, stop: Stop) -> e.WantedOrder:
    return e.WantedOrder(
        intent_id=intent_id(state.grid_id, stop.kind, 0, 0),
        kind=stop.kind,
        cell=NO_CELL,
        side=stop.side,
        price_e6=0,
        size_e9=WHOLE_POSITION_E9,
        post_only="none",
        reduce_only=True,
        order_type="trigger_market",
        trigger_e6=stop.trigger_e6,
        trigger_above=stop.above,
    )
