"""What a grid does about an input: facts, and nothing else."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid import budget, closing, edit, entry, opening, rules, stops, window
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import RISK, STALE_PRICE
from gridkeeper_core.grid.triggers import reference_e6, stale_after_ns
from gridkeeper_core.prices.price import Price

PASSES = 3
"""Nobody answers a shadow grid: what waits for an order to be gone follows in the same decision, so often at most."""

# ---------------------------------------------------------------- what happened


def resume(d: Decision, codes: tuple[str, ...], author: str, reason: str) -> None:
    """End the pauses for these reasons."""
    for code in codes:
        if code not in d.state.pauses:
            continue
        if code == RISK and d.newest is not None:
            rules.resume_risk(d, d.newest, author, reason)
        d.add(e.GridResumed(code=code, author=author, reason=reason))


# ---------------------------------------------------------------- what follows from it


def settle(d: Decision, changed: frozenset[int] = window.NO_CELLS) -> window.Change:
    """The tail of every decision: price rules, then the order changes that are due. Returns the plan it acted on."""
    if d.state.status == "armed" and d.newest is not None:
        opening.check_trigger(d, d.newest)
    change = _trade(d, d.newest, changed) if d.newest is not None and _is_open(d) else window.Change()
    edit.give_back(d)
    return closing.wind_down(d) if _is_ending(d) else change


def _trade(d: Decision, newest: Price, changed: frozenset[int]) -> window.Change:
    rules.expire(d)
    _check_price_age(d, newest)
    is_fresh = STALE_PRICE not in d.state.pauses
    if is_fresh:
        stops.check(d, newest)
    if is_fresh and _is_open(d):
        rules.check(d, newest)
    change = window.Change()
    for _ in range(PASSES):
        if not _is_open(d):
            break
        change = rules.limited(d, _due(d, newest, changed), newest, is_fresh=is_fresh)
        _want(d, change, newest)
        if not change.unwanted or d.state.memory.flag != "shadow":
            break
    return change


def _is_open(d: Decision) -> bool:
    return d.state.status == "open"


def _is_ending(d: Decision) -> bool:
    return d.state.status == "stopping"


def _check_price_age(d: Decision, newest: Price) -> None:
    is_stale = d.now_ns > stale_after_ns(d.state, newest)
    if is_stale and STALE_PRICE not in d.state.pauses:
        d.pause(STALE_PRICE, "gridkeeper", "no price for too long", keep_orders=True)
    elif not is_stale and STALE_PRICE in d.state.pauses:
        resume(d, (STALE_PRICE,), "gridkeeper", "the price is fresh again")


def _due(d: Decision, newest: Price, changed: frozenset[int]) -> window.Change:
    entered = entry.check(d, newest) if entry.is_next(d.state) else window.Change()
    # Whatever else waits, a position has its stop: orders that a pause leaves resting go on filling.
    guarding = stops.due(d.state, newest, d.now_ns)
    if entry.is_next(d.state):
        return window.joined(guarding, entered)
    if not d.state.pauses:
        return window.joined(guarding, window.plan(d.state, reference_e6(d.state, newest), d.now_ns, changed))
    if all(d.state.pauses.values()):
        return guarding
    gone = window.everything_unwanted(d.state, "pause", stays=(*stops.CODES, rules.FLATTEN))
    return window.joined(guarding, gone)


def _want(d: Decision, change: window.Change, newest: Price) -> None:
    refused = budget.refused(d.state, d.now_ns) if change.over_budget else None
    if refused is not None:
        d.add(refused)
    if not change.is_empty:
        d.add(window.fact_of(d.state, change, reference_e6(d.state, newest), newest.source_seq))
