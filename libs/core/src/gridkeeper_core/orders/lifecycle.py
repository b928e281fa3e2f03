"""The life of an attempt: which step may follow which; an illegal step is refused, whoever asks for it."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from gridkeeper_core.events import OrderType, PostOnly, Side
from gridkeeper_core.venue.records import WHOLE_POSITION_E9

Status = Literal["signed", "resting", "partly_filled", "cancel_wanted"]
"""Of an open attempt. *signed* covers sent: from the commit on its transaction may be on its way. *cancel_wanted* says
that it is to go; it may be bound or not, filled in part or not."""

Closing = Literal["filled", "cancelled", "lapsed", "expired", "failed", "not_placed", "venue", "adopted"]

BEFORE_RESTING = frozenset({"expired", "failed", "not_placed", "adopted"})
"""Ways to end for an attempt that no order id is known of. (A proof may also show that it was filled whole.)"""
AFTER_RESTING = frozenset({"filled", "cancelled", "lapsed", "venue", "adopted"})
"""Ways to end for an order that rested."""


class IllegalStepError(Exception):
    """A step that an attempt in its present state cannot take: the record contradicts itself."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One placement of an intent, from the decision to the proof that it is over.

    Without `order_id` its order has not been seen on the venue. `cancel_why` is set once the order is to go,
    `cancel_tried` while a cancel has landed that says nothing of it: only a reading can tell what became of it.
    `trigger_e6` is not 0 for an order that sleeps until the oracle reaches it. `proven_slot` is how far its fills are
    known without their records.
    """

    intent_id: str
    attempt: int
    user_order_id: int
    market: str
    market_index: int
    cell: int
    side: Side
    price_e6: int
    size_e9: int
    filled_e9: int
    post_only: PostOnly
    reduce_only: bool
    max_ts: int
    signature: str
    order_id: int | None = None
    cancel_why: str = ""
    cancel_tried: bool = False
    order_type: OrderType = "limit"
    trigger_e6: int = 0
    triggered: bool = False
    proven_slot: int = 0

    @property
    def left_e9(self) -> int:
        """What is not filled yet."""
        return self.size_e9 - self.filled_e9

    @property
    def is_stop(self) -> bool:
        """Whether it rests on the venue for the day the bot is away: pause and halt leave it there."""
        return self.trigger_e6 != 0

    @property
    def closes_all(self) -> bool:
        """Whether its size is whatever the position is when it fills."""
        return self.size_e9 == WHOLE_POSITION_E9

    @property
    def status(self) -> Status:
        """Where it is in its life."""
        if self.cancel_why:
            return "cancel_wanted"
        if self.order_id is None:
            return "signed"
        return "partly_filled" if self.filled_e9 else "resting"


def bind(attempt: Attempt, order_id: int) -> Attempt:
    """The venue holds the order under this id."""
    if attempt.order_id is not None and attempt.order_id != order_id:
        raise IllegalStepError(f"{attempt.intent_id} is order {attempt.order_id} and cannot become {order_id}")
    return replace(attempt, order_id=order_id)


def unbind(attempt: Attempt) -> Attempt:
    """The transaction that placed it is not on the chain any more: its order never was, or will get another id."""
    return replace(attempt, order_id=None)


def fill(attempt: Attempt, base_e9: int, *, proven_slot: int = 0) -> Attempt:
    """Part of it was filled; never more than its size."""
    if base_e9 <= 0 or attempt.filled_e9 + base_e9 > attempt.size_e9:
        raise IllegalStepError(f"{attempt.intent_id} has {attempt.left_e9} left and cannot be filled {base_e9}")
    if attempt.order_id is None and not proven_slot:
        raise IllegalStepError(f"{attempt.intent_id} is filled before it rests")
    proven_slot = max(proven_slot, attempt.proven_slot)
    return replace(attempt, filled_e9=attempt.filled_e9 + base_e9, proven_slot=proven_slot)


def unfill(attempt: Attempt, base_e9: int) -> Attempt:
    """A fill is taken back, because the chain took it back."""
    if base_e9 > attempt.filled_e9:
        raise IllegalStepError(f"{attempt.intent_id} has {attempt.filled_e9} filled and cannot lose {base_e9}")
    return replace(attempt, filled_e9=attempt.filled_e9 - base_e9)


def trigger(attempt: Attempt) -> Attempt:
    """The oracle reached its trigger price: it is a live order now."""
    if not attempt.trigger_e6 or attempt.order_id is None:
        raise IllegalStepError(f"{attempt.intent_id} does not sleep on the venue and cannot wake up")
    return replace(attempt, triggered=True)


def want_gone(attempt: Attempt, why: str) -> Attempt:
    """It is to be cancelled, or cancelled again; the first reason stays."""
    if not why:
        raise IllegalStepError(f"{attempt.intent_id} is to go without a reason")
    return replace(attempt, cancel_why=attempt.cancel_why or why, cancel_tried=False)


def note_cancel(attempt: Attempt) -> Attempt:
    """A transaction that cancels it has landed. The venue passes over an order that is not open any more."""
    return replace(attempt, cancel_tried=True)


def check_closing(attempt: Attempt, reason: Closing) -> None:
    """Whether it can end this way from where it is. Raises IllegalStepError."""
    is_whole = attempt.left_e9 == 0 or (attempt.closes_all and attempt.filled_e9 > 0)
    if reason == "filled":
        allowed = is_whole
    elif attempt.order_id is None:
        allowed = reason in BEFORE_RESTING
    else:
        allowed = reason in AFTER_RESTING and not (attempt.left_e9 == 0 and reason != "adopted")
    if not allowed:
        raise IllegalStepError(f"{attempt.intent_id} is {attempt.status} and cannot end as {reason}")
