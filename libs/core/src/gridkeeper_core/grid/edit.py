"""Edits a running grid: which settings may change, and that content and cost stay."""

from __future__ import annotations

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid import relay
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import GridState

FIXED = {"grid_id": "grid.id", "market": "grid.market", "account": "grid.account", "direction": "grid.direction"}
"""What a running grid cannot change: another position, or another meaning of its cells."""


def edit(
    d: Decision, config: GridConfig, source: str, author: str, reason: str, accepted: tuple[str, ...] = ()
) -> None:
    """Put new settings in force; equal ones change nothing. What a person accepted against the preview is recorded.

    Raises GridkeeperError EDIT_NOT_ALLOWED, NO_FREE_SLOTS, NO_PRICE, EDIT_LOSES_CONTENT, and all of what building
    levels and sizes raises; then nothing has changed.
    """
    check_allowed(d.state, config)
    if config == d.state.config and source == d.state.source:
        return
    if d.newest is None:
        raise GridkeeperError("NO_PRICE", field="grid.market", value=config.market)
    laid = relay.laid_for(d.state, config, d.newest.oracle_e6, d.state.memory.size_share_e4)
    relay.record(d, config, laid, why="edit", reason=reason, author=author, source=source, accepted=accepted)


def check_allowed(state: GridState, config: GridConfig) -> None:
    """Refuse settings that belong to another grid, or that need more order slots than were reserved."""
    for field, path in FIXED.items():
        before, after = getattr(state.config, field), getattr(config, field)
        if before != after:
            raise GridkeeperError("EDIT_NOT_ALLOWED", field=path, value=after, expected=str(before))
    reserved = state.config.live_orders + state.config.reserve
    if config.live_orders + config.reserve > reserved:
        raise GridkeeperError(
            "NO_FREE_SLOTS",
            field="window.live_orders",
            value=f"{config.live_orders} + {config.reserve} in reserve",
            expected=f"together at most {reserved}, as the grid has now",
        )
