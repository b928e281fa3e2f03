"""Folds the facts of an account's own streams into its state."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.orders import lifecycle
from gridkeeper_core.orders.lifecycle import Attempt
from gridkeeper_core.orders.moves import finalized, moved, taken_back
from gridkeeper_core.orders.state import (
    AccountState,
    Doubt,
    ForeignOrder,
    InFlight,
    QueuedWant,
    Reservation,
    Retired,
    Settlement,
    fill_key,
)

LANDED_KEPT = 16
"""Landed transactions whose bytes are remembered in case the chain drops them; a fork is never that deep."""

OrderFact = (
    e.OrdersQueued
    | e.OrderAccepted
    | e.OrderRefused
    | e.OrderResting
    | e.OrderFilled
    | e.OrderTriggered
    | e.FillProven
    | e.FillReverted
    | e.OrderClosed
    | e.OrderOrphaned
    | e.OrphanGone
)
MoneyFact = (
    e.FundingPaid
    | e.PnlSettled
    | e.Transferred
    | e.InterestPaid
    | e.KeeperFeeCharged
    | e.Liquidated
    | e.ForeignFilled
    | e.SettlementWanted
    | e.SettlementEnded
    | e.RecordReverted
)
TransactionFact = (
    e.TransactionSigned | e.TransactionLanded | e.TransactionFailed | e.TransactionExpired | e.TransactionReverted
)
StandingFact = (
    e.AccountRecovering
    | e.AccountLive
    | e.AccountHalted
    | e.AccountResumed
    | e.SlotsReserved
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
AccountFact = OrderFact | MoneyFact | TransactionFact | StandingFact


def evolve(state: AccountState, fact: AccountFact, ts_ns: int) -> AccountState:
    """The state after one more fact of the account. Raises IllegalStepError where an order cannot take the step."""
    match fact:
        case (
            e.OrdersQueued()
            | e.OrderAccepted()
            | e.OrderRefused()
            | e.OrderResting()
            | e.OrderFilled()
            | e.OrderTriggered()
            | e.FillProven()
            | e.FillReverted()
            | e.OrderClosed()
            | e.OrderOrphaned()
            | e.OrphanGone()
        ):
            return _order(state, fact)
        case (
            e.FundingPaid()
            | e.PnlSettled()
            | e.Transferred()
            | e.InterestPaid()
            | e.KeeperFeeCharged()
            | e.Liquidated()
            | e.ForeignFilled()
            | e.SettlementWanted()
            | e.SettlementEnded()
            | e.RecordReverted()
        ):
            return _money(state, fact, ts_ns)
        case (
            e.TransactionSigned()
            | e.TransactionLanded()
            | e.TransactionFailed()
            | e.TransactionExpired()
            | e.TransactionReverted()
        ):
            return _transaction(state, fact, ts_ns)
        case _:
            return _standing(state, fact, ts_ns)


def queue(state: AccountState, fact: e.OrdersQueued) -> AccountState:
    """Wants noted for later: unwanted attempts are marked, wanted orders wait in the order given."""
    attempts = dict(state.attempts)
    for gone in fact.unwanted:
        attempt = attempts.get(gone.intent_id)
        if attempt is not None:
            attempts[gone.intent_id] = lifecycle.want_gone(attempt, gone.why)
    waiting = {
        want.intent_id: QueuedWant(
            want=want, market=fact.market, reference_e6=fact.reference_e6, price_seq=fact.price_seq
        )
        for want in fact.wanted
    }
    return replace(state, attempts=attempts, queued={**state.queued, **waiting})


# ---------------------------------------------------------------- orders


def _order(state: AccountState, fact: OrderFact) -> AccountState:
    match fact:
        case e.OrdersQueued():
            return queue(state, fact)
        case e.OrderAccepted():
            return _accepted(state, fact)
        case e.OrderRefused():
            return replace(state, queued={i: q for i, q in state.queued.items() if i != fact.intent_id})
        case e.OrderResting():
            return _with(state, lifecycle.bind(state.attempts[fact.intent_id], fact.order_id))
        case e.OrderFilled() | e.FillProven():
            return _filled(state, fact)
        case e.FillReverted():
            return _unfilled(state, fact)
        case e.OrderClosed():
            return _closed(state, fact)
        case e.OrderOrphaned():
            retired = state.retired[fact.attempt].attempt
            orphan = replace(retired, order_id=fact.order_id, cancel_why="orphan", cancel_tried=False)
            return replace(state, orphans={**state.orphans, fact.order_id: orphan})
        case e.OrphanGone():
            return replace(state, orphans={i: a for i, a in state.orphans.items() if i != fact.order_id})
        case e.OrderTriggered():
            return _with(state, lifecycle.trigger(state.attempts[fact.intent_id]))
        case _:
            assert_never(fact)


def _with(state: AccountState, attempt: Attempt) -> AccountState:
    return replace(state, attempts={**state.attempts, attempt.intent_id: attempt})


def _accepted(state: AccountState, fact: e.OrderAccepted) -> AccountState:
    if fact.intent_id in state.attempts:
        raise lifecycle.IllegalStepError(f"{fact.intent_id} has an open attempt already")
    attempt = Attempt(
        intent_id=fact.intent_id,
        attempt=fact.attempt,
        user_order_id=fact.user_order_id,
        market=fact.market,
        market_index=fact.market_index,
        cell=fact.cell,
        side=fact.side,
        price_e6=fact.price_e6,
        size_e9=fact.size_e9,
        filled_e9=0,
        post_only=fact.post_only,
        reduce_only=fact.reduce_only,
        max_ts=fact.max_ts,
        signature=fact.signature,
        order_type=fact.order_type,
        trigger_e6=fact.trigger_e6,
    )
    return replace(
        state,
        attempts={**state.attempts, fact.intent_id: attempt},
        queued={i: q for i, q in state.queued.items() if i != fact.intent_id},
        next_attempt=fact.attempt + 1,
        last_user_order_id=fact.user_order_id,
    )


def _filled(state: AccountState, fact: e.OrderFilled | e.FillProven) -> AccountState:
    proven_slot = fact.slot if isinstance(fact, e.FillProven) else 0
    attempt = state.attempts.get(fact.intent_id)
    if attempt is not None and attempt.attempt == fact.attempt:
        state = _with(state, lifecycle.fill(attempt, fact.base_e9, proven_slot=proven_slot))
    else:
        retired = state.retired[fact.attempt]
        late = replace(retired, attempt=lifecycle.fill(retired.attempt, fact.base_e9))
        state = replace(state, retired={**state.retired, fact.attempt: late})
    state = moved(state, fact)
    return replace(state, found_fills=state.found_fills + 1, proven_slot=max(state.proven_slot, proven_slot))


def _unfilled(state: AccountState, fact: e.FillReverted) -> AccountState:
    """The books as if the fill had never been.

    An order it had closed is open again: it is to go, because its grid has moved on and wants what it wants anew.
    """
    key = fill_key(fact.market_index, fact.fill_record_id)
    attempt = state.attempts.get(fact.intent_id)
    retired = state.retired.get(fact.attempt)
    if attempt is not None and attempt.attempt == fact.attempt:
        state = _with(state, lifecycle.unfill(attempt, fact.base_e9))
    elif retired is not None:
        back = lifecycle.unfill(retired.attempt, fact.base_e9)
        rest = {number: r for number, r in state.retired.items() if number != fact.attempt}
        if attempt is None:
            back = lifecycle.want_gone(back, "reverted")
            state = _with(replace(state, retired=rest), back)
        else:
            state = replace(state, retired={**rest, fact.attempt: replace(retired, attempt=back)})
    return replace(taken_back(state, key), differs=True)


def _closed(state: AccountState, fact: e.OrderClosed) -> AccountState:
    attempt = state.attempts[fact.intent_id]
    if attempt.attempt == fact.attempt:
        lifecycle.check_closing(attempt, fact.reason)
    retired = state.retired
    if fact.signature:
        over = Retired(attempt=attempt, signature=fact.signature, slot=fact.slot)
        retired = {**retired, fact.attempt: over}
    rest = {i: a for i, a in state.attempts.items() if i != fact.intent_id}
    return replace(state, attempts=rest, retired=retired, found_closed=state.found_closed + 1)


# ---------------------------------------------------------------- money


def _money(state: AccountState, fact: MoneyFact, ts_ns: int) -> AccountState:
    match fact:
        case e.SettlementWanted():
            known = state.settlement
            if known is not None:
                return state
            return replace(state, settlement=Settlement(markets=fact.markets))
        case e.SettlementEnded():
            return replace(state, settlement=None, settled_ns=ts_ns)
        case e.InterestPaid():
            return replace(moved(state, fact), interest_ns=ts_ns)
        case e.RecordReverted():
            return _record_taken_back(state, fact)
        case e.PnlSettled():
            state = moved(state, fact)
            if state.settlement is None:
                return state
            sum_e6 = state.settlement.settled_e6 + fact.quote_e6
            return replace(state, settlement=replace(state.settlement, settled_e6=sum_e6))
        case _:
            return moved(state, fact)


def _record_taken_back(state: AccountState, fact: e.RecordReverted) -> AccountState:
    for key, move in state.seen.items():
        named = (getattr(move, "signature", ""), getattr(move, "index", -1))
        if named == (fact.signature, fact.index):
            return replace(taken_back(state, key), differs=True)
    return state


# ---------------------------------------------------------------- transactions


def _transaction(state: AccountState, fact: TransactionFact, ts_ns: int) -> AccountState:
    match fact:
        case e.TransactionSigned():
            return _signed(state, fact)
        case e.TransactionLanded() | e.TransactionFailed():
            spent = state.lamports_spent + fact.fee_lamports
            flight = next((f for f in state.flights if f.signature == fact.signature), None)
            landed = state.landed
            if flight is not None and isinstance(fact, e.TransactionLanded):
                state = _cancels_tried(state, flight)
            if flight is not None:
                landed = (*landed, replace(flight, slot=fact.slot))[-LANDED_KEPT:]
            state = _settled(state, fact.signature)
            first_ns = state.first_spend_ns or (ts_ns if fact.fee_lamports else 0)
            return replace(state, lamports_spent=spent, first_spend_ns=first_ns, landed=landed)
        case e.TransactionExpired():
            return _settled(state, fact.signature)
        case e.TransactionReverted():
            return _reverted(state, fact)
        case _:
            assert_never(fact)


def _cancels_tried(state: AccountState, flight: InFlight) -> AccountState:
    ids = {ref.order_id for ref in flight.cancels}
    return replace(
        state,
        attempts={i: lifecycle.note_cancel(a) if a.order_id in ids else a for i, a in state.attempts.items()},
        orphans={i: lifecycle.note_cancel(a) if i in ids else a for i, a in state.orphans.items()},
        foreign={i: replace(f, to_cancel=False) if i in flight.foreign else f for i, f in state.foreign.items()},
    )


def _reverted(state: AccountState, fact: e.TransactionReverted) -> AccountState:
    """Its outcome is open again, and what it placed has no order id."""
    flight = next(f for f in state.landed if f.signature == fact.signature)
    return replace(
        state,
        reverted=(*state.reverted, flight),
        landed=tuple(f for f in state.landed if f is not flight),
        attempts={
            i: replace(lifecycle.unbind(a) if a.signature == fact.signature else a, cancel_tried=False)
            for i, a in state.attempts.items()
        },
        retired={
            n: replace(over, attempt=lifecycle.unbind(over.attempt))
            if over.attempt.signature == fact.signature
            else over
            for n, over in state.retired.items()
        },
    )


def _settled(state: AccountState, signature: str) -> AccountState:
    """The outcome of a transaction is known."""
    reverted = tuple(f for f in state.reverted if f.signature != signature)
    in_flight = state.in_flight
    if in_flight is not None and in_flight.signature == signature:
        in_flight = None
    return replace(state, in_flight=in_flight, reverted=reverted)


def _signed(state: AccountState, fact: e.TransactionSigned) -> AccountState:
    if state.flights:
        raise lifecycle.IllegalStepError(f"{fact.signature} is signed while another transaction is in flight")
    in_flight = InFlight(
        signature=fact.signature,
        bytes_base64=fact.bytes_base64,
        last_valid_block_height=fact.last_valid_block_height,
        places=tuple(ref.rpartition("#")[0] for ref in fact.places),
        cancels=fact.cancels,
        purpose=fact.purpose,
        foreign=fact.foreign,
    )
    attempts = dict(state.attempts)
    for ref in fact.cancels:
        attempt = attempts.get(ref.intent_id)
        if attempt is not None and attempt.attempt == ref.attempt:
            attempts[ref.intent_id] = lifecycle.want_gone(attempt, "window")
    return replace(state, in_flight=in_flight, attempts=attempts)


# ---------------------------------------------------------------- the account as a whole


def _standing(state: AccountState, fact: StandingFact, ts_ns: int) -> AccountState:
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
        case e.GridRefused() | e.EndpointChanged():
            return state
        case e.AccountSnapshot():
            return _snapshot(state, fact, ts_ns)
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
            return _comparison(state, fact)


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
            interest_ns=ts_ns,
        )
    state = finalized(state, fact.cursor_slot)
    return replace(
        state,
        cursor=fact.cursor,
        cursor_slot=fact.cursor_slot,
        snapshot_ns=ts_ns,
        retired={n: r for n, r in state.retired.items() if r.slot > fact.cursor_slot},
        landed=tuple(f for f in state.landed if f.slot > fact.cursor_slot),
    )


def _adopted(state: AccountState, fact: e.AccountAdopted) -> AccountState:
    """From now on the venue's numbers are the books; records up to that slot are in them."""
    positions = {p.market_index: p for p in fact.positions}
    filled = {order.intent_id: order.filled_e9 for order in fact.orders}
    attempts = {
        i: replace(a, filled_e9=filled.get(i, a.filled_e9), proven_slot=fact.slot) for i, a in state.attempts.items()
    }
    return replace(
        state,
        attempts=attempts,
        positions=positions,
        final_positions=positions,
        deposit_e6=fact.deposit_e6,
        final_deposit_e6=fact.deposit_e6,
        seen={},
        baseline_slot=fact.slot,
        adoption=None,
    )
