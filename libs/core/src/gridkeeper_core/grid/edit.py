"""Edits a running grid: which settings may change, that content and cost stay, and that order slots follow."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid import relay, rules, stops
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.relaying import Laid
from gridkeeper_core.grid.state import GridState

FIXED = {"grid_id": "grid.id", "market": "grid.market", "account": "grid.account", "direction": "grid.direction"}
"""What a running grid cannot change: another position, or another meaning of its cells."""


def edit(
    d: Decision, config: GridConfig, source: str, author: str, reason: str, accepted: tuple[str, ...] = ()
) -> None:
    """Put new settings in force, or ask the account first where they need more order slots than the grid has.

    Equal settings change nothing. What a person accepted against the preview is recorded. Raises GridkeeperError
    EDIT_NOT_ALLOWED, GRID_STATE, NO_PRICE, STOP_PASSED, EDIT_LOSES_CONTENT, and all of what building levels and sizes
    raises; then nothing has changed.
    """
    state = d.state
    if state.pending is not None:
        expected = "the edit before it answered by the account"
        raise GridkeeperError("GRID_STATE", field="grid.state", value="edit", expected=expected)
    if config == state.config and source == state.source:
        return
    wish = e.EditProposed(
        config=config, source=source, author=author, reason=reason, slots=config.order_slots, accepted=accepted
    )
    laid = laid_anew(d, config)
    if wish.slots > state.slots:
        d.add(wish)
    else:
        _put_in_force(d, wish, laid)


def laid_anew(d: Decision, config: GridConfig) -> Laid:
    """The cells as they would be with other settings. Raises what `edit` raises."""
    _check_fixed(d.state, config)
    if d.newest is None:
        raise GridkeeperError("NO_PRICE", field="grid.market", value=config.market)
    stops.check_edit(d.state, config, d.newest.oracle_e6)
    return relay.laid_for(d.state, config, d.newest.oracle_e6, d.state.memory.size_share_e4)


def granted(d: Decision, fact: e.SlotsChanged) -> None:
    """The account has the order slots for what was proposed: it comes into force, if it still can."""
    wish = d.state.pending
    if wish is None or fact.slots < wish.slots:
        return
    try:
        if d.state.status != "open":
            raise GridkeeperError("GRID_STATE", field="grid.state", value=d.state.status, expected="open to edit it")
        rules.check_settled(d.state, "edit")
        laid = laid_anew(d, wish.config)
    except GridkeeperError as refusal:
        d.add(e.EditRefused(code=refusal.code, detail=str(refusal)))
        d.add(e.SlotsNeeded(slots=d.state.slots))
        return
    _put_in_force(d, wish, laid)


def denied(d: Decision, fact: e.SlotsDenied) -> None:
    """The account has no order slots for what was proposed: all stays as it is."""
    if d.state.pending is not None:
        d.add(e.EditRefused(code=fact.code, detail=fact.detail))


def give_back(d: Decision) -> None:
    """Let others have the order slots that settings do not need any more, once no order of the grid is in them."""
    state = d.state
    needed = state.config.order_slots
    if state.status == "open" and state.pending is None and len(state.orders) <= needed < state.slots:
        d.add(e.SlotsNeeded(slots=needed))


def _put_in_force(d: Decision, wish: e.EditProposed, laid: Laid) -> None:
    relay.record(
        d,
        wish.config,
        laid,
        why="edit",
        reason=wish.reason,
        author=wish.author,
        source=wish.source,
        accepted=wish.accepted,
    )


def _check_fixed(state: GridState, config: GridConfig) -> None:
    for field, path in FIXED.items():
        before, after = getattr(state.config, field), getattr(config, field)
        if before != after:
            raise GridkeeperError("EDIT_NOT_ALLOWED", field=path, value=after, expected=str(before))
