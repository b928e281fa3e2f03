"""What a grid makes of collateral that its account got: orders turned away for want of it wait no longer."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid import window
from gridkeeper_core.grid.decision import Decision


def came(d: Decision, quote_e6: int) -> frozenset[int]:
    """End the waits that more collateral may end. Returns the cells whose orders may be wanted again."""
    waiting = [key for key, retry in d.state.retries.items() if retry.why in window.BEYOND_THE_ACCOUNT]
    if not waiting:
        return window.NO_CELLS
    d.add(e.CollateralSeen(quote_e6=quote_e6))
    places = (d.state.names.place(number, len(d.state.sizes_e9)) for _, number in waiting)
    return frozenset(place for place in places if place is not None)
