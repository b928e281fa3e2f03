"""Compares the account as the venue holds it with the account as the record tells it, in exact integers."""

from __future__ import annotations

from gridkeeper_core.events import Difference
from gridkeeper_core.orders.state import AccountState, Attempt, flat_position
from gridkeeper_core.venue.records import VenueAccount, VenueOrder


def differences(state: AccountState, account: VenueAccount) -> tuple[Difference, ...]:
    """Every quantity that differs; empty when venue and record agree to the unit."""
    return (*_order_differences(state, account), *_position_differences(state, account), *_deposit(state, account))


def foreign_orders(state: AccountState, account: VenueAccount) -> tuple[VenueOrder, ...]:
    """Open orders that no attempt explains and that were not reported before."""
    ours = {a.order_id for a in state.attempts.values()}
    return tuple(o for o in account.orders if o.order_id not in ours and o.order_id not in state.foreign)


def _order_differences(state: AccountState, account: VenueAccount) -> list[Difference]:
    held = {order.order_id: order for order in account.orders}
    found: list[Difference] = []
    for attempt in state.attempts.values():
        if attempt.order_id is None:
            continue
        order = held.get(attempt.order_id)
        if order is None:
            found.append(Difference(what=f"order {attempt.order_id} open", venue=0, ours=1))
        else:
            found += _one_order(order, attempt)
    return found


def _one_order(order: VenueOrder, attempt: Attempt) -> list[Difference]:
    pairs = (
        ("filled_e9", order.filled_e9, attempt.filled_e9),
        ("size_e9", order.size_e9, attempt.size_e9),
        ("price_e6", order.price_e6, attempt.price_e6),
    )
    return [
        Difference(what=f"order {order.order_id} {name}", venue=venue, ours=ours)
        for name, venue, ours in pairs
        if venue != ours and not (name == "price_e6" and order.order_type != "limit")
    ]


def _position_differences(state: AccountState, account: VenueAccount) -> list[Difference]:
    held = {p.market_index: p for p in account.positions}
    found: list[Difference] = []
    for index in sorted(set(held) | set(state.positions)):
        flat = flat_position("", index)
        venue, ours = held.get(index, flat), state.positions.get(index, flat)
        for name in ("base_e9", "quote_asset_e6", "quote_entry_e6", "quote_break_even_e6"):
            if getattr(venue, name) != getattr(ours, name):
                difference = Difference(
                    what=f"market {index} {name}", venue=getattr(venue, name), ours=getattr(ours, name)
                )
                found.append(difference)
    return found


def _deposit(state: AccountState, account: VenueAccount) -> list[Difference]:
    if account.deposit_e6 == state.deposit_e6:
        return []
    return [Difference(what="deposit_e6", venue=account.deposit_e6, ours=state.deposit_e6)]
