"""The pump guard: a grid waits when the price moves too far within a minute."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.memory import NOTES_PER_MOVE, in_force, is_noted, move_allowed_e4
from gridkeeper_core.grid.pnl import HIGHEST_E6
from gridkeeper_core.grid.state import PUMP, GridState
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E4, E6, decimal_text, div_ceil

SIGMAS = 4


def check(d: Decision, newest: Price) -> None:
    """Pause when the price is too far from any that was in force during the last minute.

    It looks at prices that are a third of the allowed move from the last one it noted, and notes each of them as a
    fact: so its decision follows from the log alone, and a move is seen at most a third late.
    """
    # Another rule may have recorded this very price already, and so noted it: that is no reason not to look at it.
    memory, price_e6 = d.before.memory, newest.oracle_e6
    notes = memory.notes
    allowed_e4 = move_allowed_e4(d.state.config)
    if not notes or PUMP in d.before.pauses or allowed_e4 is None:
        return  # during its own pause no price is noted: one after it has nothing to be compared with
    if not is_noted(notes[-1], price_e6, allowed_e4):
        return
    prices = [note.price_e6 for note in in_force(notes, newest.ts_ns)]
    from_e6 = max(prices, key=lambda p: abs(price_e6 - p))
    move_e6 = abs(price_e6 - from_e6) * E6 // from_e6
    sigma_e6 = memory.sigma_e6
    allowed_e6 = max(allowed_e4 * E6 // E4, SIGMAS * sigma_e6)
    if move_e6 <= allowed_e6:
        d.see()
        return
    until_ns = d.now_ns + d.state.config.pump_pause_ns
    d.add(
        e.PumpSeen(
            from_e6=from_e6,
            price_e6=price_e6,
            move_e6=move_e6,
            allowed_e6=allowed_e6,
            sigma_e6=sigma_e6,
            until_ns=until_ns,
        )
    )
    reason = f"a move of {decimal_text(move_e6, E6 // 100)} % within a minute"
    d.pause(PUMP, "gridkeeper", reason, keep_orders=False)


def expire(d: Decision) -> None:
    """End the pause when its time is over."""
    if PUMP in d.state.pauses and d.now_ns >= d.state.memory.pump_until_ns:
        d.add(e.GridResumed(code=PUMP, author="gridkeeper", reason="the wait after a sharp move is over"))


def band(state: GridState) -> tuple[int, int]:
    """Prices strictly inside are not noted."""
    notes = state.memory.notes
    allowed_e4 = move_allowed_e4(state.config)
    if not notes or PUMP in state.pauses or allowed_e4 is None:
        return 0, HIGHEST_E6
    last_e6 = notes[-1].price_e6
    step_e6 = div_ceil(last_e6 * allowed_e4, E4 * NOTES_PER_MOVE)
    return last_e6 - step_e6, last_e6 + step_e6
