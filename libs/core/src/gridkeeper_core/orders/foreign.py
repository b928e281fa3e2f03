"""Orders and fills on the account that no intent explains: recognised, counted, shown, and never ours by guessing."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.orders.decide import AccountDecision
from gridkeeper_core.orders.facts import orphaned
from gridkeeper_core.orders.lifecycle import Attempt
from gridkeeper_core.venue import records as r

FOREIGN_ACTION = "FOREIGN_ACTION"
"""Guard: somebody else acted on the account, so that what its grids hold is not what it holds."""


def note_orders(d: AccountDecision, account: r.VenueAccount) -> None:
    """Which open orders nobody here wants, and which of those known are gone."""
    ours = {a.order_id for a in d.state.attempts.values()}
    held = {order.order_id for order in account.orders}
    for order in account.orders:
        known = order.order_id in ours or order.order_id in d.state.foreign or order.order_id in d.state.orphans
        if not known:
            _note(d, account, order)
    for order_id in [i for i in d.state.foreign if i not in held]:
        d.add(e.ForeignOrderGone(order_id=order_id, slot=account.slot))
    for order_id, orphan in [(i, a) for i, a in d.state.orphans.items() if i not in held]:
        d.add(e.OrphanGone(intent_id=orphan.intent_id, attempt=orphan.attempt, order_id=order_id, slot=account.slot))


def take_fill(d: AccountDecision, tx: r.SeenTransaction, record: r.FillRecord) -> None:
    """A fill of an order that is not ours moves our position all the same: it is booked, and the account's grids wait.

    What is in a snapshot, in what a person adopted or in what was proven is not booked again.
    """
    known_slot = max(d.state.cursor_slot, d.state.baseline_slot, d.state.proven_slot)
    if tx.slot <= known_slot:
        return
    d.add(
        e.ForeignFilled(
            order_id=record.order_id,
            market=d.market_name(record.market_index),
            market_index=record.market_index,
            fill_record_id=record.fill_record_id,
            side=record.side,
            base_e9=record.base_e9,
            quote_e6=record.quote_e6,
            fee_e6=record.fee_e6,
            maker=record.maker,
            oracle_e6=record.oracle_e6,
            slot=tx.slot,
            signature=tx.signature,
            index=record.index,
        )
    )
    _wait(d, f"order {record.order_id} was filled and is not ours")


def note_unknown_transaction(d: AccountDecision, tx: r.SeenTransaction) -> None:
    """Our own key cancelled orders of ours in a transaction that is not in the record: an emergency, by hand."""
    if tx.slot <= max(d.state.cursor_slot, d.state.baseline_slot):
        return
    open_ids = {a.order_id for a in d.state.attempts.values()}
    cancelled = [rec.order_id for rec in tx.records if isinstance(rec, r.CancelRecord) and rec.order_id in open_ids]
    if cancelled:
        _wait(d, f"{len(cancelled)} orders were cancelled by our key, but not by us")


def reject(d: AccountDecision, author: str, reason: str) -> None:
    """Cancel all of them. Raises GridkeeperError NO_FOREIGN_ORDERS."""
    order_ids = tuple(sorted(d.state.foreign))
    if not order_ids:
        raise GridkeeperError("NO_FOREIGN_ORDERS", field="account", value=d.state.alias)
    d.add(e.ForeignRejected(author=author, reason=reason, order_ids=order_ids))


def accepted(d: AccountDecision) -> None:
    """A person took note of what somebody else did: grids may go on."""
    if (FOREIGN_ACTION, "") in d.state.guards:
        d.add(e.GuardCleared(code=FOREIGN_ACTION, market="", detail="adopted"))


def _note(d: AccountDecision, account: r.VenueAccount, order: r.VenueOrder) -> None:
    orphan = _retired(d, order)
    if orphan is not None:
        d.add(orphaned(orphan, order.order_id, account.slot))
        return
    d.add(
        e.ForeignOrderSeen(
            order_id=order.order_id,
            market_index=order.market_index,
            side=order.side,
            price_e6=order.price_e6,
            size_e9=order.size_e9,
            slot=account.slot,
            user_order_id=order.user_order_id,
        )
    )


def _retired(d: AccountDecision, order: r.VenueOrder) -> Attempt | None:
    """The closed attempt whose end was undone: the same id, or the same order under an id we never learnt."""
    for over in d.state.retired.values():
        attempt = over.attempt
        if attempt.order_id == order.order_id:
            return attempt
        what = (attempt.user_order_id, attempt.market_index, attempt.side, attempt.size_e9, attempt.price_e6)
        same = (order.user_order_id, order.market_index, order.side, order.size_e9, order.price_e6)
        if attempt.order_id is None and what == same:
            return attempt
    return None


def _wait(d: AccountDecision, detail: str) -> None:
    if (FOREIGN_ACTION, "") not in d.state.guards:
        d.add(e.GuardTripped(code=FOREIGN_ACTION, market="", detail=detail))
