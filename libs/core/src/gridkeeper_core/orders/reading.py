"""What a reading of the account leads to: orders bound, lost fills proven, venue and record compared and believed."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.inputs import AccountRead
from gridkeeper_core.orders import adoption, foreign, guards, settlement
from gridkeeper_core.orders.decide import LAPSED, AccountDecision
from gridkeeper_core.orders.facts import closed, orphaned, resting
from gridkeeper_core.orders.lifecycle import Attempt, Closing
from gridkeeper_core.orders.proof import ProvenEnd, prove
from gridkeeper_core.orders.reconcile import differences, interest_e6, is_same
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue import records as r

SNAPSHOT_EVERY_NS = 3600 * NS_PER_S


def account_read(d: AccountDecision, item: AccountRead, rules: AccountRules) -> None:
    """Reconcile: MATCH, TIMING (looked at again at a later slot before it is believed) or BREAK.

    The first reading is the baseline; later ones must agree to the unit before the account is live.
    """
    if d.state.flights:
        return
    account = item.account
    is_first = not d.state.has_baseline
    if is_first:
        _snapshot(d, item)
    _bind(d, account)
    foreign.note_orders(d, account)
    _cancel_again(d, account)
    _cancel_orphans_again(d, account)
    if d.state.adoption is not None and item.agreed:
        adoption.adopt(d, account)
    found = differences(d.state, account, d.now_ns)
    if found and _is_believable(d, item, found):
        _take_proof(d, account)
        found = differences(d.state, account, d.now_ns)
    if found:
        _note_difference(d, item, found)
    else:
        _agree(d, item, is_first=is_first)
    guards.account_guards(d, item, rules)
    if d.state.phase == "live" and not found:
        settlement.above(d, rules.settle_above_e6)


def _bind(d: AccountDecision, account: r.VenueAccount) -> None:
    """An order whose log was cut is found by its user order id; by side, price and size where the venue lost that."""
    known = {a.order_id for a in d.state.attempts.values()} | d.state.foreign.keys() | d.state.orphans.keys()
    free = [order for order in account.orders if order.order_id not in known]
    for attempt in [a for a in d.state.attempts.values() if a.order_id is None]:
        order = next((o for o in free if o.user_order_id == attempt.user_order_id and _is_same(o, attempt)), None)
        is_exact = order is not None
        if order is None:
            order = next((o for o in free if not o.user_order_id and _is_same(o, attempt)), None)
        if order is not None:
            free.remove(order)
            d.add(resting(attempt, order.order_id, "user_order_id" if is_exact else "fallback"))


def _cancel_again(d: AccountDecision, account: r.VenueAccount) -> None:
    """A cancel landed and its order is open all the same (the chain took the cancel back): once more."""
    held = {order.order_id for order in account.orders}
    again = [a for a in d.state.attempts.values() if a.cancel_tried and a.order_id in held]
    for market in sorted({a.market for a in again}):
        gone = tuple(e.UnwantedOrder(intent_id=a.intent_id, why=a.cancel_why) for a in again if a.market == market)
        d.add(e.OrdersQueued(market=market, unwanted=gone, wanted=(), reference_e6=0, price_seq=0))


def _cancel_orphans_again(d: AccountDecision, account: r.VenueAccount) -> None:
    for order in account.orders:
        orphan = d.state.orphans.get(order.order_id)
        if orphan is not None and orphan.cancel_tried:
            d.add(orphaned(orphan, order.order_id, account.slot))


def _is_same(order: r.VenueOrder, attempt: Attempt) -> bool:
    what = (order.market_index, order.side, order.size_e9)
    if what != (attempt.market_index, attempt.side, attempt.size_e9):
        return False
    return order.order_type != "limit" or order.price_e6 == attempt.price_e6


def _is_believable(d: AccountDecision, item: AccountRead, found: tuple[e.Difference, ...]) -> bool:
    """The same difference at two slots, and all endpoints see it: timing cannot explain it any more."""
    doubt = d.state.doubt
    is_again = doubt is not None and is_same(found, doubt.differences) and item.account.slot > doubt.slot
    return item.agreed and (is_again or d.state.differs)


def _take_proof(d: AccountDecision, account: r.VenueAccount) -> None:
    ends = prove(d.state, account, d.markets.specs.values())
    for end in ends or ():
        if end.base_e9:
            d.add(_proven(end, account.slot))
        if end.is_gone or end.base_e9 == end.attempt.left_e9:
            attempt = d.state.attempts[end.attempt.intent_id]
            d.add(closed(attempt, _why_gone(d, attempt), read_slot=account.slot))


def _proven(end: ProvenEnd, slot: int) -> e.FillProven:
    attempt = end.attempt
    gone = "the order is gone" if end.is_gone else "the order's own counter"
    return e.FillProven(
        intent_id=attempt.intent_id,
        attempt=attempt.attempt,
        order_id=attempt.order_id or 0,
        market=attempt.market,
        market_index=attempt.market_index,
        cell=attempt.cell,
        side=attempt.side,
        base_e9=end.base_e9,
        quote_e6=end.quote_e6,
        fee_e6=end.fee_e6,
        slot=slot,
        proof=f"{gone}, and base, quote, entry and break-even of the position at slot {slot}",
    )


def _why_gone(d: AccountDecision, attempt: Attempt) -> Closing:
    if attempt.left_e9 == 0 or (attempt.closes_all and attempt.filled_e9):
        return "filled"
    if attempt.order_id is None:
        return "not_placed"
    if attempt.cancel_why == LAPSED or (attempt.max_ts and attempt.max_ts * NS_PER_S < d.now_ns):
        return "lapsed"
    return "cancelled" if attempt.cancel_why else "venue"


def _note_difference(d: AccountDecision, item: AccountRead, found: tuple[e.Difference, ...]) -> None:
    slot = item.account.slot
    if d.state.differs:
        if not is_same(found, d.state.found) and item.agreed:
            d.add(e.VenueDiffers(slot=slot, differences=found))
    elif _is_believable(d, item, found):
        d.add(e.VenueDiffers(slot=slot, differences=found))
    elif d.state.doubt is None or not is_same(found, d.state.doubt.differences):
        d.add(e.DifferenceSuspected(slot=slot, differences=found))


def _agree(d: AccountDecision, item: AccountRead, *, is_first: bool) -> None:
    is_due = item.keeps or d.now_ns - d.state.snapshot_ns >= SNAPSHOT_EVERY_NS
    is_new = d.state.phase == "recovering" or d.state.differs
    if (is_due or is_new) and (interest := interest_e6(d.state, item.account, d.now_ns)):
        d.add(e.InterestPaid(quote_e6=interest, slot=item.account.slot))
    if (is_due or is_new) and not is_first:
        _snapshot(d, item)
    if is_new:
        d.add(
            e.AccountLive(
                slot=item.account.slot,
                open_orders=len(item.account.orders),
                fills_found=d.state.found_fills,
                orders_closed=d.state.found_closed,
                foreign_orders=len(d.state.foreign),
            )
        )
    elif d.state.doubt is not None:
        d.add(e.DifferenceExplained(slot=item.account.slot))


def _snapshot(d: AccountDecision, item: AccountRead) -> None:
    account = item.account
    d.add(
        e.AccountSnapshot(
            slot=account.slot,
            cursor_slot=item.cursor_slot,
            deposit_e6=account.deposit_e6,
            positions=account.positions,
            open_orders=len(account.orders),
            cursor=item.cursor,
            lamports=account.lamports,
        )
    )
