"""Folds the standing of the account as a whole: phase, halts, slots, snapshots, comparisons, guards."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.orders import lifecycle
from gridkeeper_core.orders.lifecycle import Attempt
from gridkeeper_core.orders.moves import finalized
from gridkeeper_core.orders.seen import Seen
from gridkeeper_core.orders.state import AccountState, Doubt, ForeignOrder, Reservation, Retired

StandingFact = (
    e.AccountRecovering
    | e.AccountLive
    | e.AccountHalted
    | e.AccountResumed
    | e.SlotsReserved
    | e.SlotsChanged
    | e.SlotsDenied
    | e.LimitsSet
    | e.GridRefused
    | e.EndpointChanged
    | e.SlotsReleased
    | e.AccountSnapshot
    | e.VenueDiffers
    | e.DifferenceSuspected
    | e.DifferenceExplained
    | e.AdoptionWanted
    | e.AccountAdopted
    | e.ForeignOrderSeen
    | e.ForeignOrderGone
    | e.ForeignRejected
    | e.GuardTripped
    | e.GuardCleared
    | e.SolLow
    | e.SolEnough
)


def fold_standing(state: AccountState, fact: StandingFact, ts_ns: int) -> AccountState:
    """The state after one more fact about the account as a whole."""
    match fact:
        case e.AccountRecovering():
            return replace(state, phase="recovering", found_fills=0, found_closed=0)
        case e.AccountLive():
            return replace(state, phase="live", differs=False, doubt=None, found=())
        case e.AccountHalted():
            return replace(state, halted=fact.reason or "halted", attempts=_halted(state))
        case e.AccountResumed():
            return replace(state, halted="")
        case e.LimitsSet():
            return replace(state, limits=fact)
        case e.SlotsReserved():
            granted = Reservation(
                slots=fact.slots, market=fact.spec.symbol, spec=fact.spec, leverage_e4=fact.leverage_e4
            )
            return replace(state, reservations={**state.reservations, fact.grid_id: granted})
        case e.SlotsReleased():
            rest = {grid: r for grid, r in state.reservations.items() if grid != fact.grid_id}
            return replace(state, reservations=rest)
        case e.SlotsChanged():
            changed = replace(state.reservations[fact.grid_id], slots=fact.slots, leverage_e4=fact.leverage_e4)
            return replace(state, reservations={**state.reservations, fact.grid_id: changed})
        case e.GridRefused() | e.SlotsDenied() | e.EndpointChanged():
            return state
        case e.AccountSnapshot():
            return _snapshot(state, fact, ts_ns)
        case e.GuardTripped() | e.GuardCleared() | e.SolLow() | e.SolEnough():
            return _watched(state, fact)
        case _:
            return _comparison(state, fact)


def _watched(state: AccountState, fact: e.GuardTripped | e.GuardCleared | e.SolLow | e.SolEnough) -> AccountState:
    match fact:
        case e.GuardTripped():
            return _guard_tripped(state, fact)
        case e.GuardCleared():
            key = (fact.code, fact.market)
            return replace(
                state,
                guards={k: detail for k, detail in state.guards.items() if k != key},
                warnings={k: detail for k, detail in state.warnings.items() if k != key},
            )
        case e.SolLow():
            return replace(state, sol_level=fact.level)
        case e.SolEnough():
            return replace(state, sol_level="enough")
        case _:
            assert_never(fact)


def _comparison(
    state: AccountState,
    fact: e.VenueDiffers
    | e.DifferenceSuspected
    | e.DifferenceExplained
    | e.AdoptionWanted
    | e.AccountAdopted
    | e.ForeignOrderSeen
    | e.ForeignOrderGone
    | e.ForeignRejected,
) -> AccountState:
    match fact:
        case e.VenueDiffers():
            return replace(state, differs=True, doubt=None, found=fact.differences)
        case e.DifferenceSuspected():
            return replace(state, doubt=Doubt(slot=fact.slot, differences=fact.differences))
        case e.DifferenceExplained():
            return replace(state, doubt=None)
        case e.AdoptionWanted():
            return replace(state, adoption=(fact.author, fact.reason))
        case e.AccountAdopted():
            return _adopted(state, fact)
        case e.ForeignOrderSeen():
            order = ForeignOrder(
                order_id=fact.order_id, market_index=fact.market_index, user_order_id=fact.user_order_id
            )
            return replace(state, foreign={**state.foreign, fact.order_id: order})
        case e.ForeignOrderGone():
            return replace(state, foreign={i: f for i, f in state.foreign.items() if i != fact.order_id})
        case e.ForeignRejected():
            to_cancel = {i: replace(state.foreign[i], to_cancel=True) for i in fact.order_ids if i in state.foreign}
            return replace(state, foreign={**state.foreign, **to_cancel})
        case _:
            assert_never(fact)


def _halted(state: AccountState) -> dict[str, Attempt]:
    """Everything is to go but what protects the position while nobody trades."""
    return {i: a if a.is_stop else lifecycle.want_gone(a, "halt") for i, a in state.attempts.items()}


def _guard_tripped(state: AccountState, fact: e.GuardTripped) -> AccountState:
    key = (fact.code, fact.market)
    if fact.pauses:
        return replace(state, guards={**state.guards, key: fact.detail})
    return replace(state, warnings={**state.warnings, key: fact.detail})


def _snapshot(state: AccountState, fact: e.AccountSnapshot, ts_ns: int) -> AccountState:
    """The first snapshot is the baseline of the books; later ones confirm them and let go what cannot be undone."""
    if not state.has_baseline:
        positions = {p.market_index: p for p in fact.positions}
        state = replace(
            state,
            has_baseline=True,
            baseline_slot=fact.slot,
            deposit_e6=fact.deposit_e6,
            final_deposit_e6=fact.deposit_e6,
            positions=positions,
            final_positions=positions,
        )
    state = finalized(state, fact.cursor_slot)
    return replace(
        state,
        cursor=fact.cursor,
        cursor_slot=fact.cursor_slot,
        snapshot_ns=ts_ns,
        interest_ns=ts_ns,  # whatever interest came up to here was booked before the snapshot
        retired=_not_final(state, fact),
        was_undone=False,
        landed=tuple(f for f in state.landed if f.slot > fact.cursor_slot),
    )


def _not_final(state: AccountState, fact: e.AccountSnapshot) -> dict[int, Retired]:
    """Ends that can still be undone. The order of an orphan may fill until it is gone: that fill is its attempt's.

    Where something was undone, what ends an order now need not be what ended it first, nor as old.
    """
    if state.was_undone:
        return {n: over.seen_over(fact.slot) for n, over in state.retired.items()}
    return {
        n: over
        for n, over in state.retired.items()
        if over.slot > fact.cursor_slot or over.attempt.order_id in state.orphans
    }


def _adopted(state: AccountState, fact: e.AccountAdopted) -> AccountState:
    """From now on the venue's numbers are the books; records up to that slot are in them."""
    positions = {p.market_index: p for p in fact.positions}
    filled = {order.intent_id: order.filled_e9 for order in fact.orders}
    attempts = {
        i: replace(a, filled_e9=filled.get(i, a.filled_e9), proven_slot=fact.slot) for i, a in state.attempts.items()
    }
    retired = {
        n: replace(over, attempt=replace(over.attempt, proven_slot=fact.slot)) for n, over in state.retired.items()
    }
    return replace(
        state,
        attempts=attempts,
        retired=retired,
        positions=positions,
        final_positions=positions,
        deposit_e6=fact.deposit_e6,
        final_deposit_e6=fact.deposit_e6,
        seen=Seen(),
        baseline_slot=fact.slot,
        adoption=None,
    )
