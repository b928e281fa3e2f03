"""Levels that follow the price, one interval at a time, up to a limit.

A shift happens once the price has reached the level beyond the end. No cell lies above that price (or below it on the
way down), so nothing has to be bought or sold for it: the farthest cell is taken from behind and put in front, with
its content and what that cost. Position and worst position stay what they were.
"""

from __future__ import annotations

from typing import Literal

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.levels import LEVELS_MAX, TICKS_BETWEEN_LEVELS_MIN, build_sizes, level_at, scaled_sizes
from gridkeeper_core.grid.pnl import HIGHEST_E6
from gridkeeper_core.grid.state import GridState


def check(d: Decision, price_e6: int) -> None:
    """Shift until the price is within one interval of the end, or the limit is reached."""
    while (level_e6 := next_up_e6(d.state)) is not None and price_e6 >= level_e6:
        if not _shift(d, "up", level_e6, price_e6):
            break
    while (level_e6 := next_down_e6(d.state)) is not None and price_e6 <= level_e6:
        if not _shift(d, "down", level_e6, price_e6):
            break


def next_up_e6(state: GridState) -> int | None:
    """The level above the top at which the next shift happens; None where there is none."""
    limit_e6 = state.config.trail_up_limit_e6
    if limit_e6 is None or state.spec is None or state.config.spacing == "custom":
        return None
    if state.config.fixed_floor and len(state.levels_e6) >= LEVELS_MAX:
        return None
    level_e6 = level_at(state.config, state.spec, state.low_index + len(state.levels_e6))
    return level_e6 if level_e6 <= limit_e6 else None


def next_down_e6(state: GridState) -> int | None:
    """The level below the lowest at which the next shift happens; None where there is none."""
    limit_e6 = state.config.trail_down_limit_e6
    if limit_e6 is None or state.spec is None or state.config.spacing == "custom":
        return None
    level_e6 = level_at(state.config, state.spec, state.low_index - 1)
    apart = state.levels_e6[0] - level_e6 >= TICKS_BETWEEN_LEVELS_MIN * state.spec.tick_e6
    return level_e6 if level_e6 >= max(limit_e6, 1) and apart else None


def band(state: GridState) -> tuple[int, int]:
    """Prices strictly inside shift nothing."""
    up_e6, down_e6 = next_up_e6(state), next_down_e6(state)
    return down_e6 or 0, up_e6 or HIGHEST_E6


def _shift(d: Decision, where: Literal["up", "down"], level_e6: int, price_e6: int) -> bool:
    """One interval; False where the market's minimum does not allow the new cell."""
    state = d.state
    assert state.spec is not None
    is_up = where == "up"
    ends = (state.levels_e6[-1], level_e6) if is_up else (level_e6, state.levels_e6[0])
    try:
        built = build_sizes(state.config, state.spec, ends)
        size_e9 = scaled_sizes(built, state.memory.size_share_e4, state.spec, ends)[0]
    except GridkeeperError:
        return False
    grows = is_up and state.config.fixed_floor
    place = 0 if is_up else len(state.sizes_e9) - 1
    number = state.names.number(place)
    if grows:
        number = state.names.next_unused(len(state.sizes_e9))
    else:
        has_order = any(order.cell == number for order in state.orders.values())
        size_e9 = max(size_e9, state.sizes_e9[place] if has_order else _content_e9(state, place))
    d.add(
        e.LevelsShifted(
            where=where,
            level_e6=level_e6,
            cell=number,
            size_e9=size_e9,
            price_e6=price_e6,
            grew=grows,
            held_e9=_held_there_e9(state, None if grows else place, size_e9),
        )
    )
    return True


def _content_e9(state: GridState, place: int) -> int:
    """What a cell has to take along: what it holds, or in a short grid what it sold."""
    held_e9 = state.held_e9[place]
    return state.sizes_e9[place] - held_e9 if state.config.direction == "short" else held_e9


def _held_there_e9(state: GridState, place: int | None, size_e9: int) -> int | None:
    """What a cell of a short grid holds once it has another size (`place` None: a new cell); None: what it held."""
    if state.config.direction != "short":
        return None
    if place is None:
        return size_e9  # nothing of it was sold yet
    held_e9 = size_e9 - _content_e9(state, place)
    return held_e9 if held_e9 != state.held_e9[place] else None
