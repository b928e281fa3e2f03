"""How much of a grid is real: shadow decides and sends nothing, canary trades small for a while, live trades."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid import relay, stops, window
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.memory import Flag
from gridkeeper_core.grid.triggers import reference_e6
from gridkeeper_core.units import E4


def flag(d: Decision, to: Flag, author: str, reason: str) -> None:
    """Flag the grid; what rests and does not fit is cancelled, but stops stay; cells and position are right.

    Raises GridkeeperError where a canary's sizes would be under the market's minimum or could not hold what the grid
    holds; then nothing has changed.
    """
    memory = d.state.memory
    if to == memory.flag:
        return
    share_e4 = d.state.config.canary_share_e4 if to == "canary" else E4
    until_ns = d.now_ns + d.state.config.canary_for_ns if to == "canary" else 0
    laid = None
    if share_e4 != memory.size_share_e4 and d.newest is not None:
        laid = relay.laid_for(d.state, d.state.config, d.newest.oracle_e6, share_e4)
    if to == "shadow" and d.newest is not None:
        away = window.everything_unwanted(d.state, "flag", stays=(*stops.CODES, "flatten"))
        if not away.is_empty:
            d.add(window.fact_of(d.state, away, reference_e6(d.state, d.newest), d.newest.source_seq))
    d.add(e.GridFlagged(flag=to, until_ns=until_ns, size_share_e4=share_e4, author=author, reason=reason))
    if laid is not None:
        relay.record(d, d.state.config, laid, why="flag", reason=reason, author=author)


def expire(d: Decision) -> None:
    """A canary's time is over: the grid trades its whole sizes again."""
    until_ns = d.state.memory.flag_until_ns
    if until_ns and d.now_ns >= until_ns and d.newest is not None:
        flag(d, "live", relay.BY_ITSELF, "the canary's time is over")
