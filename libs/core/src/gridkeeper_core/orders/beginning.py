"""Notes where the venue begins to count a position anew."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.orders.decide import AccountDecision
from gridkeeper_core.orders.lifecycle import Attempt
from gridkeeper_core.orders.moves import is_left_over
from gridkeeper_core.orders.state import AccountState

_LOST = -1
"""In place of the place of a record that nobody has."""


def begun(d: AccountDecision, market_index: int, *, slot: int, signature: str, index: int) -> None:
    """An order of ours was placed: where nothing was left of a position but its counters, those are zero from here.

    A market without base, quote and open order has no place among the account's positions, and its next order gets it
    an empty one (state/user.rs `PerpPosition::is_available`, controller/position.rs `add_new_position`).
    """
    position = d.state.positions.get(market_index)
    if position is None or not is_left_over(position) or _has_open_order(d.state, market_index):
        return
    d.add(
        e.PositionBegun(
            market=d.market_name(market_index), market_index=market_index, slot=slot, signature=signature, index=index
        )
    )


def begun_unseen(d: AccountDecision, attempt: Attempt, slot: int) -> None:
    """The same of an order whose record is lost: placed where its transaction landed, or by `slot`."""
    landed = (flight.slot for flight in d.state.landed if flight.signature == attempt.signature)
    begun(d, attempt.market_index, slot=next(landed, slot), signature=attempt.signature, index=_LOST)


def _has_open_order(state: AccountState, market_index: int) -> bool:
    ours = (*state.attempts.values(), *state.orphans.values())
    has_ours = any(a.market_index == market_index for a in ours if a.order_id is not None)
    return has_ours or any(order.market_index == market_index for order in state.foreign.values())
