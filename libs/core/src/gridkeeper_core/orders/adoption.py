"""A person takes the venue's word for it: the venue's numbers become the record's, as facts that books can post."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.orders import foreign
from gridkeeper_core.orders.decide import AccountDecision
from gridkeeper_core.orders.facts import closed
from gridkeeper_core.orders.reconcile import differences
from gridkeeper_core.orders.state import AccountState, flat_position
from gridkeeper_core.venue import records as r

ADOPTED = "adopted"
"""Why an order whose filled amount was adopted is cancelled: its grid wants anew what is really missing."""


def adopt(d: AccountDecision, account: r.VenueAccount) -> None:
    """Close what the venue does not hold, then take its numbers; orders it filled otherwise than we knew are to go."""
    assert d.state.adoption is not None
    author, reason = d.state.adoption
    found = differences(d.state, account, d.now_ns)
    held = {order.order_id: order for order in account.orders}
    for attempt in list(d.state.attempts.values()):
        if attempt.order_id is None or attempt.order_id not in held:
            d.add(closed(attempt, "adopted"))
    others = [a for a in d.state.attempts.values() if held[a.order_id or 0].filled_e9 != a.filled_e9]
    orders = tuple(
        e.AdoptedOrder(intent_id=a.intent_id, order_id=a.order_id or 0, filled_e9=held[a.order_id or 0].filled_e9)
        for a in others
    )
    d.add(
        e.AccountAdopted(
            author=author,
            reason=reason,
            slot=account.slot,
            differences=found,
            deposit_e6=account.deposit_e6,
            deposit_change_e6=account.deposit_e6 - d.state.deposit_e6,
            positions=account.positions,
            changes=_changes(d, d.state, account),
            orders=orders,
        )
    )
    for market in sorted({a.market for a in others}):
        gone = tuple(e.UnwantedOrder(intent_id=a.intent_id, why=ADOPTED) for a in others if a.market == market)
        d.add(e.OrdersQueued(market=market, unwanted=gone, wanted=(), reference_e6=0, price_seq=0))
    foreign.accepted(d)


def _changes(d: AccountDecision, state: AccountState, account: r.VenueAccount) -> tuple[e.PositionChange, ...]:
    held = {p.market_index: p for p in account.positions}
    changes = []
    for index in sorted(set(held) | set(state.positions)):
        flat = flat_position("", index)
        venue, ours = held.get(index, flat), state.positions.get(index, flat)
        base_e9, quote_e6 = venue.base_e9 - ours.base_e9, venue.quote_asset_e6 - ours.quote_asset_e6
        if base_e9 or quote_e6:
            name = venue.market or d.market_name(index)
            changes.append(e.PositionChange(market=name, market_index=index, base_e9=base_e9, quote_e6=quote_e6))
    return tuple(changes)
