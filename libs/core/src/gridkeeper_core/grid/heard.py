"""What execution's facts mean to grids: which grid, or which of an account's grids, does what about them."""

from __future__ import annotations

from collections.abc import Callable

from gridkeeper_core import events as e
from gridkeeper_core.grid import collateral, decide, edit, fills, guarding, opening, stops
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import HALTED, GridState
from gridkeeper_core.grid.window import NO_CELLS
from gridkeeper_core.names import grid_of

Act = Callable[[Decision], frozenset[int]]
"""Decides for one grid; returns the cells whose orders changed."""
Concerns = Callable[[GridState], bool]

LIVING = ("armed", "open")
"""Grids that an account's or a market's trouble pauses."""


def then_nothing(act: Callable[[Decision], None]) -> Act:
    """An act that changes no cell."""

    def acted(d: Decision) -> frozenset[int]:
        act(d)
        return NO_CELLS

    return acted


def by_one(fact: e.Fact) -> tuple[str, Act] | None:
    """The one grid that a fact is about, and what it does; None when it is about no single grid."""
    match fact:
        case e.OrderFilled() | e.FillProven():
            return grid_of(fact.intent_id), lambda d: fills.filled(d, fact)
        case e.OrderClosed() | e.OrderRefused():
            return grid_of(fact.intent_id), lambda d: fills.closed(d, fact)
        case e.FillReverted():
            return grid_of(fact.intent_id), lambda d: fills.reverted(d, fact)
        case e.OrderTriggered():
            return grid_of(fact.intent_id), then_nothing(lambda d: stops.fired(d, fact.intent_id))
        case e.SlotsReserved():
            return fact.grid_id, then_nothing(lambda d: opening.reserved(d, fact))
        case e.SlotsChanged():
            return fact.grid_id, then_nothing(lambda d: edit.granted(d, fact))
        case e.SlotsDenied():
            return fact.grid_id, then_nothing(lambda d: edit.denied(d, fact))
        case e.GridRefused():
            return fact.grid_id, then_nothing(lambda d: _rejected(d, fact))
        case _:
            return None


def by_all(fact: e.Fact) -> tuple[Concerns, Act] | None:
    """Which grids of its account a fact concerns, and what they do; None when it concerns none."""
    match fact:
        case e.AccountHalted():
            halt = then_nothing(lambda d: d.pause(HALTED, fact.author, fact.reason, keep_orders=False))
            return _is_living, halt
        case e.AccountResumed():
            return _is_living, then_nothing(lambda d: decide.resume(d, (HALTED,), fact.author, fact.reason))
        case e.GuardTripped() | e.GuardCleared():
            return (
                lambda grid: _is_living(grid) and fact.market in ("", grid.config.market),
                then_nothing(lambda d: guarding.changed(d, fact)),
            )
        case e.AccountAdopted():
            return _has_position, then_nothing(lambda d: guarding.adopted(d, fact))
        case e.Transferred() if fact.quote_e6 > 0:
            return (
                lambda grid: grid.status == "open" and bool(grid.retries),
                lambda d: collateral.came(d, fact.quote_e6),
            )
        case _:
            return None


def _is_living(grid: GridState) -> bool:
    return grid.status in LIVING


def _has_position(grid: GridState) -> bool:
    return grid.status in ("open", "stopping")


def _rejected(d: Decision, fact: e.GridRefused) -> None:
    if d.state.status == "proposed":
        d.add(e.GridRejected(code=fact.code, detail=fact.detail))
