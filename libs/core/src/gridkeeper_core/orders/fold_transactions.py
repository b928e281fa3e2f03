"""Folds what becomes of our transactions, of money that moved, and of settlements."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.orders import lifecycle
from gridkeeper_core.orders.moves import moved, taken_back
from gridkeeper_core.orders.state import AccountState, InFlight, Settlement

LANDED_KEPT = 16
"""Landed transactions whose bytes are remembered in case the chain drops them; a fork is never that deep."""

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


def fold_money(state: AccountState, fact: MoneyFact, ts_ns: int) -> AccountState:
    """The state after one more amount moved, or a settlement began or ended."""
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
            return replace(taken_back(state, key), differs=True, was_undone=True)
    return state


def fold_transaction(state: AccountState, fact: TransactionFact, ts_ns: int) -> AccountState:
    """The state after one more step of a transaction of ours."""
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
                is_cut = isinstance(fact, e.TransactionLanded) and fact.logs_truncated
                landed = (*landed, replace(flight, slot=fact.slot, is_cut=is_cut))[-LANDED_KEPT:]
            state = _ends_moved(_settled(state, fact.signature), fact.signature, fact.slot)
            first_ns = state.first_spend_ns or (ts_ns if fact.fee_lamports else 0)
            return replace(state, lamports_spent=spent, first_spend_ns=first_ns, landed=landed)
        case e.TransactionExpired():
            return _settled(state, fact.signature)
        case e.TransactionReverted():
            return _reverted(state, fact)
        case _:
            assert_never(fact)


def _cancels_tried(state: AccountState, flight: InFlight) -> AccountState:
    if not flight.cancels and not flight.foreign:
        return state
    ids = {ref.order_id for ref in flight.cancels}
    return replace(
        state,
        # A fork may have given the id to an order that nobody wants gone: its end is told by the venue.
        attempts={
            i: lifecycle.note_cancel(a) if a.order_id in ids and a.cancel_why else a for i, a in state.attempts.items()
        },
        orphans={i: lifecycle.note_cancel(a) if i in ids else a for i, a in state.orphans.items()},
        foreign={i: replace(f, to_cancel=False) if i in flight.foreign else f for i, f in state.foreign.items()},
    )


def _ends_moved(state: AccountState, signature: str, slot: int) -> AccountState:
    """What a transaction closed before it was dropped can be undone until its second landing is final as well."""
    if not any(over.signature == signature for over in state.retired.values()):
        return state
    retired = {
        n: over.seen_over(slot, signature) if over.signature == signature else over for n, over in state.retired.items()
    }
    return replace(state, retired=retired)


def _reverted(state: AccountState, fact: e.TransactionReverted) -> AccountState:
    """Its outcome is open again, and what it placed has no order id."""
    flight = next(f for f in state.landed if f.signature == fact.signature)
    return replace(
        state,
        was_undone=True,
        reverted=(*state.reverted, flight),
        landed=tuple(f for f in state.landed if f is not flight),
        orphans={i: a for i, a in state.orphans.items() if a.signature != fact.signature},
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
