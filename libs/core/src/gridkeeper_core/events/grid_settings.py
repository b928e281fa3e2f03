"""What a running grid records of a change of its settings, and of what its account lends to it."""

from __future__ import annotations

import msgspec

from gridkeeper_core.events.base import Fact
from gridkeeper_core.grid.config import GridConfig


class CellMove(msgspec.Struct, frozen=True):
    """A cell that is given up: what it holds and what that cost goes to another one."""

    source: int
    target: int


class GridEdited(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.edited.v1"):
    """New settings or new cells replace the old ones; the position stays, content keeps its cost.

    `cells` names the cells from the lowest up (none: 0, 1, … as they were counted at the start); a cell whose ends did
    not change keeps its name. `why`: edit, recenter, compound, flag, restart. `compounded_e6` is how much grid profit
    the sizes have grown by in all, `low_index` where the lowest level stands in the settings' own count of levels.
    """

    config: GridConfig
    source: str
    levels_e6: tuple[int, ...]
    sizes_e9: tuple[int, ...]
    held_e9: tuple[int, ...]
    author: str
    reason: str
    cells: tuple[int, ...] = ()
    moves: tuple[CellMove, ...] = ()
    why: str = "edit"
    compounded_e6: int = 0
    low_index: int = 0
    accepted: tuple[str, ...] = ()


class EditProposed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.edit_proposed.v1"):
    """A person asked for settings that need more order slots than the grid has: the account is asked for them first.

    They need `slots`. `GridEdited` puts them in force once these are granted, `EditRefused` says why they are not.
    """

    config: GridConfig
    source: str
    author: str
    reason: str
    slots: int
    accepted: tuple[str, ...] = ()


class EditRefused(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.edit_refused.v1"):
    """Proposed settings do not come into force, nothing has changed; `code` is of the error catalogue."""

    code: str
    detail: str


class SlotsNeeded(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.slots_needed.v1"):
    """All orders of the grid fit into so many slots of the account, and stay so: what it had beyond is free."""

    slots: int


class PositionDoubted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.position_doubted.v1"):
    """A person adopted the venue's numbers, and they are not the grid's: somebody else traded in its market.

    The account holds `position_e9`, in which the grid believes, plus `beside_e9` (signed; 0: they agree again).
    """

    position_e9: int
    beside_e9: int


class CollateralSeen(Fact, frozen=True, kw_only=True, tag_field="topic", tag="grid.collateral_seen.v1"):
    """The account got collateral (quote 1e-6): orders turned away for want of it may be wanted again at once."""

    quote_e6: int
