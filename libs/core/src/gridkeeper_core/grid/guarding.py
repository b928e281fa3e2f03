"""What a grid does when one of execution's standing checks fails or passes again."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid.decision import Decision

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
