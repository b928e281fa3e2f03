"""Changes an open order the program's way: finds it, and says which cancel and which new order take its place."""

from __future__ import annotations

import msgspec

from gridkeeper_core.events import PostOnly, Side
from gridkeeper_core.venue.errors import VenueCode, VenueError
from gridkeeper_core.venue.records import PlaceOrder, Roll
from gridkeeper_core.venue.state import Account, Order


class ModifyOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Which order to change, by the one id that is given, and what of it; None leaves a field as the order has it.

    `size_e9` None asks for what is still unfilled. With `must_modify` an order that is not open is an error, with
    `exclude_previous_fill` a given size counts what the order has already filled.
    """

    order_id: int | None = None
    user_order_id: int | None = None
    side: Side | None = None
    price_e6: int | None = None
    size_e9: int | None = None
    post_only: PostOnly | None = None
    reduce_only: bool | None = None
    max_ts: int | None = None
    trigger_e6: int | None = None
    trigger_above: bool | None = None
    must_modify: bool = False
    exclude_previous_fill: bool = False


def find(account: Account, wanted: ModifyOrder) -> Order | None:
    """The open order it names, the first in slot order; None lets it pass. Raises VenueError 6061 where it must be."""
    for order in account.open_orders:
        if wanted.order_id == order.order_id or wanted.user_order_id == order.user_order_id:
            return order
    if wanted.must_modify:
        named = wanted.user_order_id if wanted.order_id is None else wanted.order_id
        raise VenueError(VenueCode.ORDER_DOES_NOT_EXIST, str(named))
    return None


def replacement(account: str, order: Order, wanted: ModifyOrder) -> Roll:
    """The order's cancel, and the order that takes its place unless the old one's fills have used up the size."""
    size_e9 = order.unfilled_e9 if wanted.size_e9 is None else wanted.size_e9
    if wanted.size_e9 is not None and wanted.exclude_previous_fill:
        size_e9 -= order.filled_e9
        is_used_up = size_e9 <= 0
    else:
        is_used_up = False
    places = () if is_used_up else (_new_order(order, wanted, size_e9),)
    return Roll(alias=account, purpose="modify", cancel_order_ids=(order.order_id,), places=places)


def _new_order(order: Order, wanted: ModifyOrder, size_e9: int) -> PlaceOrder:
    # The old order does not say how it became post-only; the program takes the strict way.
    post_only: PostOnly = "must" if order.post_only else "none"
    # Nothing of the old order's flags is kept, and one that was triggered waits for its trigger again.
    return PlaceOrder(
        user_order_id=order.user_order_id,
        market_index=order.market_index,
        side=wanted.side or order.side,
        price_e6=_given(wanted.price_e6, order.price_e6),
        size_e9=size_e9,
        post_only=wanted.post_only or post_only,
        reduce_only=order.reduce_only if wanted.reduce_only is None else wanted.reduce_only,
        max_ts=_given(wanted.max_ts, order.max_ts),
        order_type=order.order_type,
        trigger_e6=_given(wanted.trigger_e6, order.trigger_e6),
        trigger_above=order.trigger_above if wanted.trigger_above is None else wanted.trigger_above,
    )


def _given(wanted: int | None, held: int) -> int:
    return held if wanted is None else wanted
