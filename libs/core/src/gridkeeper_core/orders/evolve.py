"""Folds the facts of an account's own streams into its state."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.orders.state import (
    AccountState,
    Attempt,
    InFlight,
    QueuedWant,
    Reservation,
    fill_key,
    flat_position,
)
from gridkeeper_core.venue.chain_position import apply_fee, apply_fill, apply_quote, apply_settlement

AccountFact = (
    e.AccountRecovering
    | e.AccountLive
    | e.AccountHalted
    | e.AccountResumed
    | e.SlotsReserved
    | e.GridRefused
    | e.SlotsReleased
    | e.OrdersQueued
    | e.OrderAccepted
    | e.OrderRefused
    | e.OrderResting
    | e.OrderFilled
    | e.FillProven
    | e.FillReverted
    | e.OrderClosed
    | e.FundingPaid
    | e.PnlSettled
    | e.Transferred
    | e.InterestPaid
    | e.KeeperFeeCharged
    | e.Liquidated
    | e.AccountSnapshot
    | e.VenueDiffers
    | e.ForeignOrderSeen
    | e.TransactionSigned
    | e.TransactionLanded
    | e.TransactionFailed
    | e.TransactionExpired
)


def evolve(state: AccountState, fact: AccountFact, ts_ns: int) -> AccountState:
    """The state after one more fact of the account."""
    match fact:
        case e.AccountRecovering():
            return replace(state, phase="recovering", found_fills=0, found_closed=0)
        case e.AccountLive():
            return replace(state, phase="live", differs=False)
        case e.AccountHalted():
            return replace(state, halted=fact.reason or "halted", attempts=_all_cancelled(state, "halt"))
        case e.AccountResumed():
            return replace(state, halted="")
        case e.SlotsReserved():
            granted = Reservation(slots=fact.slots, market=fact.spec.symbol)
            return replace(state, reservations={**state.reservations, fact.grid_id: granted})
        case e.SlotsReleased():
            rest = {grid: r for grid, r in state.reservations.items() if grid != fact.grid_id}
            return replace(state, reservations=rest)
        case e.OrdersQueued():
            return queue(state, fact)
        case e.OrderAccepted():
            return _accepted(state, fact)
        case e.OrderRefused():
            return replace(state, queued={i: q for i, q in state.queued.items() if i != fact.intent_id})
        case e.OrderResting():
            attempt = replace(state.attempts[fact.intent_id], order_id=fact.order_id)
            return replace(state, attempts={**state.attempts, fact.intent_id: attempt})
        case e.OrderFilled() | e.FillProven():
            return _filled(state, fact)
        case e.OrderClosed():
            rest_attempts = {i: a for i, a in state.attempts.items() if i != fact.intent_id}
            return replace(state, attempts=rest_attempts, found_closed=state.found_closed + 1)
        case e.FundingPaid() | e.PnlSettled() | e.KeeperFeeCharged() | e.Liquidated():
            return _position_moved(state, fact)
        case e.Transferred() | e.InterestPaid():
            return _deposit_moved(state, fact)
        case e.AccountSnapshot():
            return _snapshot(state, fact, ts_ns)
        case e.VenueDiffers() | e.FillReverted():
            return replace(state, differs=True)
        case e.ForeignOrderSeen():
            return replace(state, foreign=state.foreign | {fact.order_id})
        case e.TransactionSigned():
            return _signed(state, fact)
        case e.TransactionLanded() | e.TransactionFailed():
            spent = state.lamports_spent + fact.fee_lamports
            return replace(state, in_flight=None, lamports_spent=spent)
        case e.TransactionExpired():
            return replace(state, in_flight=None)
        case e.GridRefused():
            return state
        case _:
            assert_never(fact)


def queue(state: AccountState, fact: e.OrdersQueued) -> AccountState:
    """Wants noted for later: unwanted attempts are marked, wanted orders wait in the order given."""
    attempts = dict(state.attempts)
    for gone in fact.unwanted:
        attempt = attempts.get(gone.intent_id)
        if attempt is not None and not attempt.cancel_why:
            attempts[gone.intent_id] = replace(attempt, cancel_why=gone.why)
    waiting = {
        want.intent_id: QueuedWant(
            want=want, market=fact.market, reference_e6=fact.reference_e6, price_seq=fact.price_seq
        )
        for want in fact.wanted
    }
    return replace(state, attempts=attempts, queued={**state.queued, **waiting})


def _all_cancelled(state: AccountState, why: str) -> dict[str, Attempt]:
    return {i: a if a.cancel_why else replace(a, cancel_why=why) for i, a in state.attempts.items()}


def _accepted(state: AccountState, fact: e.OrderAccepted) -> AccountState:
    assert fact.intent_id not in state.attempts
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
    )
    return replace(
        state,
        attempts={**state.attempts, fact.intent_id: attempt},
        queued={i: q for i, q in state.queued.items() if i != fact.intent_id},
        next_attempt=fact.attempt + 1,
        last_user_order_id=fact.user_order_id,
    )


def _filled(state: AccountState, fact: e.OrderFilled | e.FillProven) -> AccountState:
    attempt = state.attempts[fact.intent_id]
    assert attempt.filled_e9 + fact.base_e9 <= attempt.size_e9
    position = state.positions.get(fact.market_index) or flat_position(fact.market, fact.market_index)
    sign = 1 if fact.side == "buy" else -1
    position, _ = apply_fill(position, sign * fact.base_e9, -sign * fact.quote_e6)
    position = apply_fee(position, fact.fee_e6)
    seen = state.seen
    if isinstance(fact, e.OrderFilled):
        seen = {**seen, fill_key(fact.market_index, fact.fill_record_id): fact.slot}
    return replace(
        state,
        attempts={**state.attempts, fact.intent_id: replace(attempt, filled_e9=attempt.filled_e9 + fact.base_e9)},
        positions={**state.positions, fact.market_index: position},
        seen=seen,
        found_fills=state.found_fills + 1,
    )


def _position_moved(
    state: AccountState, fact: e.FundingPaid | e.PnlSettled | e.KeeperFeeCharged | e.Liquidated
) -> AccountState:
    market = fact.market if not isinstance(fact, e.KeeperFeeCharged) else ""
    position = state.positions.get(fact.market_index) or flat_position(market, fact.market_index)
    deposit_e6 = state.deposit_e6
    match fact:
        case e.FundingPaid():
            position = apply_quote(position, fact.quote_e6)
        case e.PnlSettled():
            position = apply_settlement(position, fact.quote_e6)
            deposit_e6 += fact.quote_e6
        case e.KeeperFeeCharged():
            position = apply_fee(position, -fact.quote_e6)
        case e.Liquidated():
            position, _ = apply_fill(position, fact.base_e9, fact.quote_e6)
            position = apply_fee(position, fact.fee_e6)
    return replace(
        state,
        positions={**state.positions, fact.market_index: position},
        deposit_e6=deposit_e6,
        seen={**state.seen, (fact.signature, fact.index): fact.slot},
    )


def _deposit_moved(state: AccountState, fact: e.Transferred | e.InterestPaid) -> AccountState:
    seen = state.seen
    if isinstance(fact, e.Transferred):
        seen = {**seen, (fact.signature, fact.index): fact.slot}
    return replace(state, deposit_e6=state.deposit_e6 + fact.quote_e6, seen=seen)


def _snapshot(state: AccountState, fact: e.AccountSnapshot, ts_ns: int) -> AccountState:
    """The first snapshot is the baseline of the books; later ones confirm them and let old record keys go."""
    if not state.has_baseline:
        state = replace(
            state,
            has_baseline=True,
            baseline_slot=fact.slot,
            deposit_e6=fact.deposit_e6,
            positions={p.market_index: p for p in fact.positions},
        )
    # Records up to the finalized cursor are never shown again, so their keys need not be kept.
    recent = {key: slot for key, slot in state.seen.items() if slot > fact.cursor_slot}
    return replace(state, cursor=fact.cursor, cursor_slot=fact.cursor_slot, snapshot_ns=ts_ns, seen=recent)


def _signed(state: AccountState, fact: e.TransactionSigned) -> AccountState:
    assert state.in_flight is None
    in_flight = InFlight(
        signature=fact.signature,
        bytes_base64=fact.bytes_base64,
        last_valid_block_height=fact.last_valid_block_height,
        places=tuple(ref.rpartition("#")[0] for ref in fact.places),
        cancels=fact.cancels,
    )
    attempts = dict(state.attempts)
    for ref in fact.cancels:
        attempt = attempts[ref.intent_id]
        attempts[ref.intent_id] = attempt if attempt.cancel_why else replace(attempt, cancel_why="window")
    return replace(state, in_flight=in_flight, attempts=attempts)
