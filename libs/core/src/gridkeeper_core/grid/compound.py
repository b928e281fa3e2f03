"""Sizes that grow with the grid profit that was made, in steps; off unless `compound.every` is set."""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid import relay
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import GridState
from gridkeeper_core.units import E4, E9


def grid_profit_e6(state: GridState) -> int:
    """What completed turns earned after fees, by the levels (quote 1e-6), never more than it was.

    Each sell counts against the lower level of its cell. What the cells sold before they bought it, such as the first
    sells of a neutral grid, is not earned yet: it is taken off at the widest interval.
    """
    sold_first_e9 = max(state.start_held_e9 - state.held_e9.total, 0)
    widest_e6 = max(state.levels_e6[-1] - state.levels_e6[-2], state.levels_e6[1] - state.levels_e6[0])
    return state.memory.sold_e6 - sold_first_e9 * widest_e6 // E9


def check(d: Decision, price_e6: int) -> None:
    """Raise the sizes when profit has passed the next step."""
    every_e4 = d.state.config.compound_every_e4
    if every_e4 is None or d.state.pauses:
        return
    state = d.state
    step_e6 = state.capital_e6 * every_e4 // E4
    gained_e6 = grid_profit_e6(state)
    if step_e6 <= 0 or gained_e6 < state.memory.compounded_e6 + step_e6:
        return
    compounded_e6 = gained_e6 - gained_e6 % step_e6
    config = _grown(state.config, state.capital_e6 + state.memory.compounded_e6, state.capital_e6 + compounded_e6)
    try:
        laid = relay.laid_for(state, config, price_e6, state.memory.size_share_e4)
    except GridkeeperError:
        return  # larger cells that could not take over the content: the sizes stay
    relay.record(
        d, config, laid, why="compound", reason="grid profit reached the next step", compounded_e6=compounded_e6
    )


def _grown(config: GridConfig, before_e6: int, after_e6: int) -> GridConfig:
    if config.size_base_e9 is not None:
        return replace(config, size_base_e9=config.size_base_e9 * after_e6 // before_e6)
    assert config.size_quote_e6 is not None
    return replace(config, size_quote_e6=config.size_quote_e6 * after_e6 // before_e6)
