"""Folds what happens to orders: attempts, fills, ends, orphans."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.orders import lifecycle
from gridkeeper_core.orders.lifecycle import Attempt
from gridkeeper_core.orders.moves import moved, taken_back
from gridkeeper_core.orders.state import FILLED_BEFORE, AccountState, QueuedWant, Retired, fill_key

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


def fold_order(state: AccountState, fact: OrderFact) -> AccountState:
    """The state after one more fact about an order. Raises IllegalStepError where the order cannot take the step."""
    match fact:
        case e.OrderAccepted():
            return _accepted(state, fact)
        case e.OrderResting():
            return _with(state, lifecycle.bind(state.attempts[fact.intent_id], fact.order_id))
        case e.OrderClosed():
            return _closed(state, fact)
        case e.OrderFilled() | e.FillProven():
            return _filled(state, fact)
        case e.OrdersQueued():
            return queue(state, fact)
        case e.OrderRefused():
            return _refused(state, fact)
        case e.FillReverted():
            return _unfilled(state, fact)
        case e.OrderOrphaned():
            return _orphaned(state, fact)
        case e.OrphanGone():
            return _orphan_gone(state, fact)
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


def _refused(state: AccountState, fact: e.OrderRefused) -> AccountState:
    """The answer comes after the late fill it is about, so that whatever the grid wants from now on knows of both."""
    queued = {i: q for i, q in state.queued.items() if i != fact.intent_id}
    if fact.code != FILLED_BEFORE:
        return replace(state, queued=queued)
    retired = {
        n: replace(over, is_late=False) if over.attempt.intent_id == fact.intent_id else over
        for n, over in state.retired.items()
    }
    return replace(state, queued=queued, retired=retired)


def _filled(state: AccountState, fact: e.OrderFilled | e.FillProven) -> AccountState:
    proven_slot = fact.slot if isinstance(fact, e.FillProven) else 0
    attempt = state.attempts.get(fact.intent_id)
    if attempt is not None and attempt.attempt == fact.attempt:
        state = _with(state, lifecycle.fill(attempt, fact.base_e9, proven_slot=proven_slot))
    else:
        retired = state.retired[fact.attempt]
        late = replace(retired, attempt=lifecycle.fill(retired.attempt, fact.base_e9), is_late=True)
        state = replace(state, retired={**state.retired, fact.attempt: late.seen_over(fact.slot)})
    state = moved(state, fact)
    return replace(state, found_fills=state.found_fills + 1, proven_slot=max(state.proven_slot, proven_slot))


def _unfilled(state: AccountState, fact: e.FillReverted) -> AccountState:
    """The books as if the fill had never been.

    An order it had closed is open again, as an orphan: its grid has moved on, and wants anew what it wants.
    """
    key = fill_key(fact.market_index, fact.fill_record_id)
    attempt = state.attempts.get(fact.intent_id)
    retired = state.retired.get(fact.attempt)
    if attempt is not None and attempt.attempt == fact.attempt:
        state = _with(state, lifecycle.unfill(attempt, fact.base_e9))
    elif retired is not None:
        back = lifecycle.unfill(retired.attempt, fact.base_e9)
        state = replace(state, retired={**state.retired, fact.attempt: replace(retired, attempt=back)})
        if back.order_id is not None:
            orphan = replace(back, cancel_why="reverted", cancel_tried=False)
            state = replace(state, orphans={**state.orphans, back.order_id: orphan})
    return replace(taken_back(state, key), differs=True, was_undone=True)


def _closed(state: AccountState, fact: e.OrderClosed) -> AccountState:
    attempt = state.attempts[fact.intent_id]
    if attempt.attempt == fact.attempt:
        lifecycle.check_closing(attempt, fact.reason)
    retired = state.retired
    if fact.signature or fact.slot:
        over = Retired(attempt=attempt, signature=fact.signature, slot=fact.slot)
        retired = {**retired, fact.attempt: over}
    rest = dict(state.attempts)
    del rest[fact.intent_id]
    return replace(state, attempts=rest, retired=retired, found_closed=state.found_closed + 1)


def _orphaned(state: AccountState, fact: e.OrderOrphaned) -> AccountState:
    """It is to go; what it fills until then is ours, so that the closed attempt learns its order id as well."""
    over = state.retired[fact.attempt]
    known = replace(over.attempt, order_id=fact.order_id)
    orphan = replace(known, cancel_why="orphan", cancel_tried=False)
    return replace(
        state,
        orphans={**state.orphans, fact.order_id: orphan},
        retired={**state.retired, fact.attempt: replace(over, attempt=known)},
    )


def _orphan_gone(state: AccountState, fact: e.OrphanGone) -> AccountState:
    """This end can be undone as well, until its own slot is final."""
    orphans = {i: a for i, a in state.orphans.items() if i != fact.order_id}
    over = state.retired.get(fact.attempt)
    if over is None:
        return replace(state, orphans=orphans)
    return replace(state, orphans=orphans, retired={**state.retired, fact.attempt: over.seen_over(fact.slot)})


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
