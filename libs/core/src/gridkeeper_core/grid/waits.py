"""What a grid waits for: the band of prices and the moment up to which nothing can follow, all rules taken together."""

from __future__ import annotations

from gridkeeper_core.grid import entry, rules, stops, triggers, window
from gridkeeper_core.grid.budget import next_day_ns
from gridkeeper_core.grid.state import ENTRY, STALE_PRICE, GridState
from gridkeeper_core.prices.price import Price


def band(state: GridState, newest: Price | None) -> tuple[int, int]:
    """Prices strictly inside lead to no event as long as no other input comes and no deadline passes."""
    if state.status == "armed" and state.armed is not None:
        armed = state.armed
        return (0, armed.trigger_e6) if armed.above else (armed.trigger_e6, triggers.HIGHEST_E6)
    # An entry follows every price. A shadow's orders go without anyone telling it so: what follows comes with the next.
    if state.status == "open" and (ENTRY in state.pauses or state.memory.flag == "shadow"):
        return triggers.ALWAYS
    low, high = triggers.band(state, newest)
    if state.status != "open" or STALE_PRICE in state.pauses:
        return low, high
    for narrow_low, narrow_high in (stops.band(state), rules.band(state)):
        low, high = max(low, narrow_low), min(high, narrow_high)
    return low, high


def next_look_ns(state: GridState, change: window.Change, now_ns: int) -> int:
    """The next moment at which time alone leads to something (0 = never); `state` is the one after `change`."""
    moments = [rules.next_ns(state, now_ns)] if state.status == "open" else []
    if entry.is_next(state):
        moments.append(entry.next_look_ns(state, now_ns))
    if state.is_trading:
        moments.append(window.next_look_ns(state, change, now_ns))
    moments += [next_day_ns(now_ns)] if change.over_budget else []
    return min((m for m in moments if m > now_ns), default=0)
