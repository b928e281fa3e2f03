"""Where the price is against the grid's range, and what the grid does when it left."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Literal

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid import relay, trailing
from gridkeeper_core.grid.config import GridConfig, RangePolicy
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.pnl import HIGHEST_E6
from gridkeeper_core.grid.relaying import lay
from gridkeeper_core.grid.state import GridState
from gridkeeper_core.units import E4

Where = Literal["low", "high"]
_PRECISE = Context(prec=50)


def check(d: Decision, price_e6: int) -> None:
    """Record that the price left the range or came back by one interval, and act as the side's policy says."""
    _return(d, price_e6)
    has_left = _leave(d, price_e6)
    if d.state.pauses or not d.state.range_left:
        return
    match _policy(d.state):
        case "trail":
            trailing.check(d, price_e6)
        case "recenter":
            _recenter(d, price_e6)
        case "reduce" if has_left or d.state.memory.left_paused:
            _reduce(d)
        case "close":
            where = "below" if d.state.range_left == "low" else "above"
            reason = f"the price is {where} the range"
            d.add(e.GridStopping(close=True, author=relay.BY_ITSELF, reason=reason, code="RANGE"))


def band(state: GridState) -> tuple[int, int]:
    """Prices strictly inside change nothing here as long as no deadline passes."""
    levels = state.levels_e6
    if not state.range_left:
        return levels[0] - 1, levels[-1] + 1
    low_e6, high_e6 = (levels[-2], HIGHEST_E6) if state.range_left == "high" else (0, levels[1])
    if state.pauses:
        return low_e6, high_e6
    match _policy(state):
        case "trail":
            down_e6, up_e6 = trailing.band(state)
            return max(low_e6, down_e6), min(high_e6, up_e6)
        case "recenter":
            down_e6, up_e6 = _outside(state)
            return max(low_e6, down_e6), min(high_e6, up_e6)
        case "close":
            return HIGHEST_E6, 0
        case _:
            return low_e6, high_e6


def next_recenter_ns(state: GridState) -> int:
    """When the levels may be built anew at the earliest (0 = they are not waiting for it)."""
    if not state.range_left or state.pauses or _policy(state) != "recenter":
        return 0
    return state.memory.relaid_ns + state.config.recenter_after_ns


def centered(config: GridConfig, price_e6: int) -> GridConfig:
    """The settings with a range as wide as it was, around a price: equal ratios, or equal distances."""
    if config.spacing == "geometric":
        ratio = _PRECISE.sqrt(_PRECISE.divide(Decimal(config.upper_e6), Decimal(config.lower_e6)))
        price = Decimal(price_e6)
        lower_e6, upper_e6 = int(_PRECISE.divide(price, ratio)), int(_PRECISE.multiply(price, ratio))
    else:
        half_e6 = (config.upper_e6 - config.lower_e6) // 2
        lower_e6 = price_e6 - half_e6
        upper_e6 = lower_e6 + config.upper_e6 - config.lower_e6
    return replace(config, lower_e6=lower_e6, upper_e6=upper_e6)


def _policy(state: GridState) -> RangePolicy:
    config = state.config
    limit_e6 = config.trail_down_limit_e6 if state.range_left == "low" else config.trail_up_limit_e6
    policy = config.range_below if state.range_left == "low" else config.range_above
    return "trail" if policy == "hold" and limit_e6 is not None else policy


def _return(d: Decision, price_e6: int) -> None:
    levels_e6, left = d.state.levels_e6, d.state.range_left
    if left and (price_e6 <= levels_e6[-2] if left == "high" else price_e6 >= levels_e6[1]):
        d.add(e.RangeReturned(where=left, price_e6=price_e6))


def _leave(d: Decision, price_e6: int) -> bool:
    levels_e6 = d.state.levels_e6
    if d.state.range_left or levels_e6[0] <= price_e6 <= levels_e6[-1]:
        return False
    where: Where = "low" if price_e6 < levels_e6[0] else "high"
    d.add(e.RangeLeft(where=where, price_e6=price_e6))
    return True


def _outside(state: GridState) -> tuple[int, int]:
    """The prices a whole interval beyond each end."""
    levels = state.levels_e6
    return 2 * levels[0] - levels[1], 2 * levels[-1] - levels[-2]


def _recenter(d: Decision, price_e6: int) -> None:
    """Build the levels anew around the price. Cells keep together what they held, so no position grows by it."""
    state = d.state
    low_e6, high_e6 = _outside(state)
    if low_e6 < price_e6 < high_e6 or d.now_ns < state.memory.relaid_ns + state.config.recenter_after_ns:
        return
    config = centered(state.config, price_e6)
    if config.lower_e6 <= 0:
        return
    assert state.spec is not None
    share_e4 = state.memory.size_share_e4
    content_e9 = state.held_e9.total if config.direction != "short" else sum(state.sizes_e9) - state.held_e9.total
    try:
        laid = lay(relay.old_cells(state), config, state.spec, price_e6, share_e4=share_e4, content_e9=content_e9)
    except GridkeeperError:
        return  # no room for the content, or orders under the minimum, at this price: the grid holds
    relay.record(d, config, laid, why="recenter", reason="the price left the range")
    d.add(e.RangeReturned(where="low" if state.range_left == "low" else "high", price_e6=price_e6))


def _reduce(d: Decision) -> None:
    position_e9 = d.state.position_e9
    given_up_e9 = abs(position_e9) * d.state.config.reduce_share_e4 // E4
    target_e9 = position_e9 - given_up_e9 if position_e9 > 0 else position_e9 + given_up_e9
    if target_e9 != position_e9:
        d.add(e.ReducingStarted(target_e9=target_e9, why="range"))
