"""Records that a grid's cells are laid anew, with what every reason for it shares."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.relaying import Laid, OldCells, lay, same_levels
from gridkeeper_core.grid.state import NO_CELL, GridState

BY_ITSELF = "gridkeeper"


def old_cells(state: GridState) -> OldCells:
    """The cells of a grid as they are."""
    with_orders = (state.names.place(o.cell, len(state.sizes_e9)) for o in state.orders.values() if o.cell != NO_CELL)
    return OldCells(
        levels_e6=state.levels_e6,
        sizes_e9=state.sizes_e9,
        held_e9=tuple(state.held_e9),
        names=state.names,
        with_orders=frozenset(place for place in with_orders if place is not None),
    )


def laid_for(state: GridState, config: GridConfig, price_e6: int, share_e4: int) -> Laid:
    """The cells for new settings: levels that trailed stay where they are while the settings say the same of them."""
    assert state.spec is not None
    levels_e6 = state.levels_e6 if same_levels(state.config, config) else None
    return lay(old_cells(state), config, state.spec, price_e6, levels_e6=levels_e6, share_e4=share_e4)


def record(
    d: Decision,
    config: GridConfig,
    laid: Laid,
    *,
    why: str,
    reason: str,
    author: str = BY_ITSELF,
    source: str | None = None,
    compounded_e6: int | None = None,
    accepted: tuple[str, ...] = (),
) -> None:
    """Put the cells in force. Without a `source` the text of the grid file stays what it was."""
    stays = same_levels(d.state.config, config)
    d.add(
        e.GridEdited(
            config=config,
            source=d.state.source if source is None else source,
            levels_e6=laid.levels_e6,
            sizes_e9=laid.sizes_e9,
            held_e9=laid.held_e9,
            author=author,
            reason=reason,
            cells=laid.numbers,
            moves=laid.moves,
            why=why,
            compounded_e6=d.state.memory.compounded_e6 if compounded_e6 is None else compounded_e6,
            low_index=d.state.low_index if stays else 0,
            accepted=accepted,
        )
    )


def restart(d: Decision, price_e6: int, reason: str) -> None:
    """Give the cells the content that the position has, after trades that belong to no cell."""
    state = d.state
    assert state.spec is not None
    content_e9 = None
    if state.config.direction == "long":
        content_e9 = max(state.held_e9.total + state.memory.unplaced_e9, 0)
    elif state.config.direction == "short":
        content_e9 = max(sum(state.sizes_e9) - state.held_e9.total - state.memory.unplaced_e9, 0)
    laid = lay(
        old_cells(state),
        state.config,
        state.spec,
        price_e6,
        levels_e6=state.levels_e6,
        share_e4=state.memory.size_share_e4,
        content_e9=content_e9,
        is_fresh=True,
    )
    record(d, state.config, laid, why="restart", reason=reason)
