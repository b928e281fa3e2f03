"""What a grid has gained at a price, and at which prices that passes a bound."""

from __future__ import annotations

from gridkeeper_core.grid.state import GridState
from gridkeeper_core.units import E4, E9, div_ceil

HIGHEST_E6 = 2**63 - 1


def total_pnl_e6(state: GridState, price_e6: int) -> int:
    """Cash of all fills (fees included) and the change of the position's value since the start, at a price."""
    return state.cash_e6 + state.position_e9 * price_e6 // E9 - _start_e6(state)


def loss_allowed_e6(state: GridState) -> int:
    """How much the grid may lose from its peak before it stops itself (quote 1e-6)."""
    return state.capital_e6 * state.config.max_drawdown_e4 // E4


def prices_between(state: GridState, low_pnl_e6: int, high_pnl_e6: int | None) -> tuple[int, int]:
    """Prices strictly inside have a total PnL strictly between the two; total PnL is a line in the price."""
    base_e9 = state.position_e9
    if base_e9 == 0:
        return 0, HIGHEST_E6
    size_e9 = abs(base_e9)
    offset_e6 = _start_e6(state) - state.cash_e6
    # One unit to the safe side of the rounding in total_pnl_e6: too early only costs a look.
    low_e6 = low_pnl_e6 + offset_e6 + 1
    high_e6 = None if high_pnl_e6 is None else high_pnl_e6 + offset_e6 - 1
    if base_e9 > 0:
        above = HIGHEST_E6 if high_e6 is None else high_e6 * E9 // size_e9 - 1
        return div_ceil(low_e6 * E9, size_e9) + 1, above
    below = 0 if high_e6 is None else div_ceil(-high_e6 * E9, size_e9) + 1
    return below, -low_e6 * E9 // size_e9 - 1


def _start_e6(state: GridState) -> int:
    return state.start_position_e9 * state.start_price_e6 // E9
