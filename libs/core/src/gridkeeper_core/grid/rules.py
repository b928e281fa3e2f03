"""The rules that guard a running grid and lay its cells anew, in the order in which they are asked."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid import compound, flags, oracle, pump, ranges, reducing, relay, risk, window
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.pnl import HIGHEST_E6, total_pnl_e6
from gridkeeper_core.grid.state import ENTRY, ORACLE_DIVERGES, ORACLE_UNCERTAIN, PUMP, GridState
from gridkeeper_core.grid.triggers import reference_e6
from gridkeeper_core.prices.price import Price

FLATTEN = "flatten"
_RELAID = (e.GridEdited, e.LevelsShifted)


def expire(d: Decision) -> None:
    """What ends with time: the wait after a sharp move, a canary's time."""
    pump.expire(d)
    flags.expire(d)


def check(d: Decision, newest: Price) -> None:
    """All rules that look at a fresh price. A range policy may end the grid; then the others have nothing to say."""
    oracle.check(d, newest)
    pump.check(d, newest)
    ranges.check(d, newest.oracle_e6)
    if d.state.status != "open":
        return
    at_e6 = reference_e6(d.state, newest)
    risk.check(d, at_e6)
    reducing.finish(d, newest)
    if ENTRY not in d.state.pauses:
        compound.check(d, at_e6)


def limited(d: Decision, change: window.Change, newest: Price, *, is_fresh: bool) -> window.Change:
    """What is left of a change under these rules, and what they add: orders that reduce, strays that have to go."""
    if risk.is_reduce_only(d.state) and not d.state.pauses:
        change = risk.only_reducing(d.state, change, abs(d.state.position_e9))
    if reducing.keeps_its_side(d.state):
        change = risk.only_reducing(d.state, change, reducing.stays_e9(d.state))
    if is_fresh:
        reduced = reducing.check(d, newest)
        change = change if reduced.is_empty else window.joined(change, reduced)
    if not any(map(_leaves_strays, d.facts)):
        return change
    known = {gone.intent_id for gone in change.unwanted}
    strays = [gone for gone in window.strays(d.state) if gone.intent_id not in known]
    known |= {gone.intent_id for gone in strays}
    strays += window.surplus(d.state, known, reference_e6(d.state, newest))
    return window.joined(window.Change(unwanted=tuple(strays)), change)


def _leaves_strays(fact: e.Fact) -> bool:
    """Whether orders may not fit their cells after it: cells were laid anew, a fill came late or was taken back."""
    return isinstance(fact, _RELAID) or (isinstance(fact, e.CellChanged) and (fact.late or fact.filled_e9 < 0))


def resume_risk(d: Decision, newest: Price, author: str, reason: str) -> None:
    """A person takes a tripped grid up again: losses count from here, cells get the content that is really there."""
    at_e6 = reference_e6(d.state, newest)
    reducing.give_up(d)
    d.add(e.RiskReset(base_e6=total_pnl_e6(d.state, at_e6), author=author, reason=reason))
    if d.state.memory.unplaced_e9 and ENTRY not in d.state.pauses:
        relay.restart(d, at_e6, reason)


def check_settled(state: GridState, verb: str) -> None:
    """Raises GridkeeperError GRID_STATE while the grid still gets its first position: its cells are not final."""
    if ENTRY in state.pauses:
        raise GridkeeperError("GRID_STATE", field="grid.state", value="entry", expected=f"the entry done to {verb} it")


def band(state: GridState) -> tuple[int, int]:
    """Prices strictly inside lead these rules to nothing, as long as no deadline passes."""
    if ORACLE_UNCERTAIN in state.pauses or ORACLE_DIVERGES in state.pauses or state.memory.reduce_to_e9 is not None:
        return HIGHEST_E6, 0
    bands = (ranges.band(state), risk.band(state), pump.band(state))
    return max(low for low, _ in bands), min(high for _, high in bands)


def next_ns(state: GridState, now_ns: int) -> int:
    """The next moment at which time alone leads these rules to something (0 = never)."""
    memory = state.memory
    moments = [memory.flag_until_ns, risk.next_day_ns(state), ranges.next_recenter_ns(state)]
    if PUMP in state.pauses:
        moments.append(memory.pump_until_ns)
    return min((m for m in moments if m > now_ns), default=0)
