"""Compares the account as the venue holds it with the account as the record tells it, in exact integers."""

from __future__ import annotations

from gridkeeper_core.events import Difference
from gridkeeper_core.orders.lifecycle import Attempt
from gridkeeper_core.orders.state import AccountState, flat_position
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue.records import VenueAccount, VenueOrder

_YEAR_NS = 365 * 24 * 3600 * NS_PER_S
_DEPOSIT = "deposit_e6"
_BETWEEN_READINGS = 100_000
"""Of a deposit no more than this part is earned while a difference is looked at again (five minutes, as a year's)."""


def differences(state: AccountState, account: VenueAccount, now_ns: int) -> tuple[Difference, ...]:
    """Every quantity that differs; empty when venue and record agree to the unit (interest apart)."""
    return (
        *_order_differences(state, account),
        *_position_differences(state, account),
        *_deposit(state, account, now_ns),
    )


def is_same(found: tuple[Difference, ...], before: tuple[Difference, ...]) -> bool:
    """Whether a difference is the one that was found before; a deposit that differs goes on earning interest."""
    return len(found) == len(before) and all(map(_is_same_quantity, found, before))


def _is_same_quantity(one: Difference, other: Difference) -> bool:
    if one.what != other.what or one.what != _DEPOSIT:
        return one == other
    return one.ours == other.ours and abs(one.venue - other.venue) <= abs(one.ours) // _BETWEEN_READINGS + 1


def same_books(one: VenueAccount, other: VenueAccount) -> bool:
    """Whether two endpoints tell the same of an account, whatever slot each is at."""
    return _books(one) == _books(other)


def _books(account: VenueAccount) -> tuple[object, ...]:
    positions = tuple(
        (p.market_index, p.base_e9, p.quote_asset_e6, p.quote_entry_e6, p.quote_break_even_e6)
        for p in account.positions
    )
    return (account.deposit_e6, account.orders, positions)


def interest_e6(state: AccountState, account: VenueAccount, now_ns: int) -> int:
    """The change of the deposit that is interest since the last snapshot (at most 100 percent a year); else 0."""
    change_e6 = account.deposit_e6 - state.deposit_e6
    most_e6 = abs(state.deposit_e6) * max(0, now_ns - state.interest_ns) // _YEAR_NS + 1
    return change_e6 if abs(change_e6) <= most_e6 else 0


def _order_differences(state: AccountState, account: VenueAccount) -> list[Difference]:
    held = {order.order_id: order for order in account.orders}
    found: list[Difference] = []
    for attempt in state.attempts.values():
        if attempt.order_id is None:
            found.append(Difference(what=f"order of {attempt.intent_id} open", venue=0, ours=1))
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


def _deposit(state: AccountState, account: VenueAccount, now_ns: int) -> list[Difference]:
    if account.deposit_e6 == state.deposit_e6 or interest_e6(state, account, now_ns):
        return []
    return [Difference(what=_DEPOSIT, venue=account.deposit_e6, ours=state.deposit_e6)]
