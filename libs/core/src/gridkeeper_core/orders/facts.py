"""The facts that state where an attempt is: it rests, it is over."""

from __future__ import annotations

from typing import Literal

from gridkeeper_core import events as e
from gridkeeper_core.orders.lifecycle import Attempt, Closing
from gridkeeper_core.venue import records as r


def resting(attempt: Attempt, order_id: int, matched_by: Literal["user_order_id", "fallback"]) -> e.OrderResting:
    """The venue holds the attempt's order."""
    return e.OrderResting(
        intent_id=attempt.intent_id,
        attempt=attempt.attempt,
        order_id=order_id,
        user_order_id=attempt.user_order_id,
        side=attempt.side,
        price_e6=attempt.price_e6,
        size_e9=attempt.size_e9,
        filled_e9=attempt.filled_e9,
        matched_by=matched_by,
        signature=attempt.signature,
    )


def closed(
    attempt: Attempt, reason: Closing, tx: r.SeenTransaction | None = None, *, read_slot: int = 0
) -> e.OrderClosed:
    """The end of an attempt that could still be undone: brought about by `tx`, or read of the account at a slot."""
    is_open_to_undoing = tx is not None and not tx.finalized
    return e.OrderClosed(
        intent_id=attempt.intent_id,
        attempt=attempt.attempt,
        order_id=attempt.order_id,
        user_order_id=attempt.user_order_id,
        reason=reason,
        filled_e9=attempt.filled_e9,
        size_e9=attempt.size_e9,
        signature=tx.signature if tx is not None and is_open_to_undoing else "",
        slot=tx.slot if tx is not None and is_open_to_undoing else read_slot,
    )


def orphaned(attempt: Attempt, order_id: int, slot: int) -> e.OrderOrphaned:
    """The order of a closed attempt is open on the venue."""
    return e.OrderOrphaned(
        intent_id=attempt.intent_id,
        attempt=attempt.attempt,
        order_id=order_id,
        user_order_id=attempt.user_order_id,
        market_index=attempt.market_index,
        slot=slot,
    )
