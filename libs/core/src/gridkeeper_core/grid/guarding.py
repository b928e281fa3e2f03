"""What a grid does when a standing check of execution fails or passes again, and when the venue's word is adopted."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import POSITION_DIFFERS
from gridkeeper_core.units import e9_text

THERE_AGAIN = "the account has the grid's position again"
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
    """Stop trading where the account does not have the position that the grid believes in: its levels would be wrong.

    One grid alone trades a market on a sub-account: what differs is somebody else's doing, or a fill nobody knows of.
    What the account has beyond the grid's position is no trouble of the grid.
    """
    position_e9 = d.state.position_e9
    account_e9 = next((p.base_e9 for p in fact.positions if p.market == d.state.config.market), 0)
    if account_e9 - position_e9 != d.state.beside_e9:
        d.add(e.PositionDoubted(position_e9=position_e9, beside_e9=account_e9 - position_e9))
    lacks = d.state.closable_e9 != position_e9
    if lacks and POSITION_DIFFERS not in d.state.pauses:
        detail = f"the account holds {e9_text(account_e9)}, the grid believes in {e9_text(position_e9)}"
        d.pause(POSITION_DIFFERS, "gridkeeper", detail, keep_orders=False)
    elif not lacks and POSITION_DIFFERS in d.state.pauses:
        d.add(e.GridResumed(code=POSITION_DIFFERS, author="gridkeeper", reason=THERE_AGAIN))
