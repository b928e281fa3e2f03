"""What a grid does when a standing check of execution fails or passes again, and when the venue's word is adopted."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import POSITION_DIFFERS
from gridkeeper_core.units import e9_text

AGREES_AGAIN = "the venue's position is the grid's again"
CANCELS = ("MARKET_CHANGED", "LEVERAGE")
"""Checks after which resting orders do not fit any more; what else is wrong only keeps new ones from being placed."""


def changed(d: Decision, fact: e.GuardTripped | e.GuardCleared) -> None:
    """Pause with the check's own code, or go on by itself; a warning does neither."""
    is_paused = fact.code in d.state.pauses
    if isinstance(fact, e.GuardCleared):
        if is_paused:
            d.add(e.GridResumed(code=fact.code, author="gridkeeper", reason=fact.detail or "the check passes again"))
    elif fact.pauses and not is_paused:
        keep = fact.code not in CANCELS
        d.add(e.GridPaused(code=fact.code, author="gridkeeper", reason=fact.detail, keep_orders=keep))


def adopted(d: Decision, fact: e.AccountAdopted) -> None:
    """Stop trading where the account holds another position than the grid believes: its levels would be wrong.

    One grid alone trades a market on a sub-account: what differs is somebody else's doing, or a fill nobody knows of.
    """
    state = d.state
    account_e9 = next((p.base_e9 for p in fact.positions if p.market == state.config.market), 0)
    beside_e9 = account_e9 - state.position_e9
    if beside_e9 == state.beside_e9:
        return
    d.add(e.PositionDoubted(position_e9=state.position_e9, beside_e9=beside_e9))
    if beside_e9 and POSITION_DIFFERS not in state.pauses:
        detail = f"the account holds {e9_text(account_e9)}, the grid believes in {e9_text(state.position_e9)}"
        d.pause(POSITION_DIFFERS, "gridkeeper", detail, keep_orders=False)
    elif not beside_e9 and POSITION_DIFFERS in state.pauses:
        d.add(e.GridResumed(code=POSITION_DIFFERS, author="gridkeeper", reason=AGREES_AGAIN))
