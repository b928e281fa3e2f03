"""What execution makes of the chain: transactions seen, gone or vanished, record by record."""

from __future__ import annotations

from collections.abc import Iterable

from gridkeeper_core import events as e
from gridkeeper_core.orders import foreign, settlement
from gridkeeper_core.orders.decide import LAPSED, AccountDecision, refuse_filled
from gridkeeper_core.orders.facts import closed, orphaned, resting
from gridkeeper_core.orders.lifecycle import Attempt, Closing
from gridkeeper_core.orders.state import FILLED_BEFORE, AccountState, InFlight, fill_key
from gridkeeper_core.venue import records as r

UNDOABLE = (
    e.ForeignFilled, e.FundingPaid, e.PnlSettled, e.Transferred, e.KeeperFeeCharged, e.Liquidated
)  # fmt: skip
"""What a record brought about beside the fills of our orders."""
_FILLS = (e.OrderFilled, e.ForeignFilled)
MARGIN_CODES = (6003,)
"""InsufficientCollateral: what is not settled yet may be what is missing."""


def transaction_seen(d: AccountDecision, tx: r.SeenTransaction) -> None:
    """Take every record of a transaction; for our own, settle what it was to place and cancel."""
    flight = next((f for f in d.state.flights if f.signature == tx.signature), None)
    if flight is not None:
        _outcome(d, tx)
    elif tx.ours and not tx.failed:
        foreign.note_unknown_transaction(d, tx)
    for record in tx.records:
        _take(d, tx, record)
    if flight is not None:
        _conclude(d, tx, flight)


def transaction_gone(d: AccountDecision, signature: str, block_height: int) -> None:
    """Our transaction can never land: what it was to place is over, what it was to cancel is still to go."""
    flight = next((f for f in d.state.flights if f.signature == signature), None)
    if flight is None:
        return
    d.add(e.TransactionExpired(signature=signature, block_height=block_height))
    _close_unplaced(d, flight, "expired")
    if flight.purpose == "settle":
        settlement.ended(d, None, "expired")


def transaction_vanished(d: AccountDecision, signature: str) -> None:
    """A confirmed transaction is not part of the finalized chain: what was taken from it is taken back.

    Its own bytes may still land again: until that is disproven its outcome is open. Orders it closed turn up in the
    next reading, as open ones again. With orders it placed go their fills.
    """
    attempts = (*d.state.attempts.values(), *(over.attempt for over in d.state.retired.values()))
    placed = {a.attempt for a in attempts if a.signature == signature}
    fills = [
        m
        for m in d.state.seen.values()
        if isinstance(m, e.OrderFilled) and (m.signature == signature or m.attempt in placed)
    ]
    for fill in reversed(fills):
        d.add(
            e.FillReverted(
                intent_id=fill.intent_id,
                market_index=fill.market_index,
                fill_record_id=fill.fill_record_id,
                signature=fill.signature,
                attempt=fill.attempt,
                order_id=fill.order_id,
                cell=fill.cell,
                side=fill.side,
                base_e9=fill.base_e9,
                quote_e6=fill.quote_e6,
                fee_e6=fill.fee_e6,
            )
        )
    others = [m for m in d.state.seen.values() if isinstance(m, UNDOABLE) and m.signature == signature]
    for other in others:
        d.add(e.RecordReverted(signature=signature, index=other.index))
    if any(f.signature == signature for f in d.state.landed):
        d.add(e.TransactionReverted(signature=signature))
    doubt = e.Difference(what=f"transaction {signature}", venue=0, ours=1)
    d.add(e.VenueDiffers(slot=d.state.cursor_slot, differences=(doubt,)))


def _outcome(d: AccountDecision, tx: r.SeenTransaction) -> None:
    if tx.failed:
        d.add(
            e.TransactionFailed(
                signature=tx.signature,
                slot=tx.slot,
                fee_lamports=tx.fee_lamports,
                error_code=tx.error_code,
                error=tx.error,
            )
        )
    else:
        d.add(
            e.TransactionLanded(
                signature=tx.signature,
                slot=tx.slot,
                fee_lamports=tx.fee_lamports,
                logs_truncated=tx.logs_truncated,
            )
        )


def _conclude(d: AccountDecision, tx: r.SeenTransaction, flight: InFlight) -> None:
    """What is not placed is over, unless the log was cut: then only a reading of the account can tell."""
    if tx.failed:
        _close_unplaced(d, flight, "failed", tx)
        if tx.error_code in MARGIN_CODES:
            settlement.want(d, "margin")
    elif not tx.logs_truncated:
        _close_unplaced(d, flight, "not_placed", tx)
    if flight.purpose == "settle":
        settlement.ended(d, tx.error_code, tx.error)


def _close_unplaced(d: AccountDecision, flight: InFlight, reason: Closing, tx: r.SeenTransaction | None = None) -> None:
    for intent_id in flight.places:
        attempt = d.state.attempts.get(intent_id)
        if attempt is not None and attempt.order_id is None and attempt.signature == flight.signature:
            d.add(closed(attempt, reason, tx))


# ---------------------------------------------------------------- records


def _take(d: AccountDecision, tx: r.SeenTransaction, record: r.VenueRecord) -> None:
    match record:
        case r.PlacedRecord():
            _take_placed(d, tx, record)
        case r.FillRecord():
            _take_fill(d, tx, record)
        case r.CancelRecord():
            _take_cancel(d, tx, record)
        case r.TriggerRecord():
            _take_trigger(d, tx, record)
        case _:
            _take_money(d, tx, record)


def _take_placed(d: AccountDecision, tx: r.SeenTransaction, record: r.PlacedRecord) -> None:
    _note_reuse(d, tx, record.order_id)
    for attempt in d.state.attempts.values():
        if attempt.order_id is not None:
            continue
        if attempt.signature == tx.signature and attempt.user_order_id == record.user_order_id:
            d.add(resting(attempt, record.order_id, "user_order_id"))
            return
    for over in d.state.retired.values():
        attempt = over.attempt
        is_same = attempt.signature == tx.signature and attempt.user_order_id == record.user_order_id
        if is_same and attempt.order_id is None and record.order_id not in d.state.orphans:
            d.add(orphaned(attempt, record.order_id, tx.slot))
            return


def _note_reuse(d: AccountDecision, tx: r.SeenTransaction, order_id: int) -> None:
    """Order ids are given out once: one given out again proves that what had it before was undone."""
    before = _by_order_id(d.state, order_id)
    if before is not None and before.signature != tx.signature:
        transaction_vanished(d, before.signature)


def _take_fill(d: AccountDecision, tx: r.SeenTransaction, record: r.FillRecord) -> None:
    _note_renumbering(d, tx, record)
    if fill_key(record.market_index, record.fill_record_id) in d.state.seen:
        return
    attempt = _by_order_id(d.state, record.order_id) or _bound_by_fill(d, tx, record)
    if attempt is None:
        if not _may_be_ours(d.state, record):
            foreign.take_fill(d, tx, record)
        return
    if tx.slot <= attempt.proven_slot:
        return  # what was proven, or adopted, holds this fill already
    if attempt.filled_e9 + record.base_e9 > attempt.size_e9:
        over = e.Difference(what=f"order {record.order_id} filled_e9", venue=record.cumulative_e9, ours=attempt.size_e9)
        d.add(e.VenueDiffers(slot=tx.slot, differences=(over,)))
        return
    is_late = d.state.attempts.get(attempt.intent_id) != attempt
    d.add(_filled(attempt, tx, record, is_late=is_late))
    after = d.state.attempts.get(attempt.intent_id)
    if is_late:
        _give_up_later(d, attempt, after)
        _note_end_of_orphan(d, tx, record)
    elif after is not None and after.left_e9 == 0:
        d.add(closed(after, "filled", tx))


def _give_up_later(d: AccountDecision, filled: Attempt, later: Attempt | None) -> None:
    """An attempt that was thought over was filled: a later one of the same intent goes, placed or not."""
    if filled.intent_id in d.state.queued:
        refuse_filled(d, filled)
    if later is not None and not later.cancel_why:
        gone = e.UnwantedOrder(intent_id=filled.intent_id, why=FILLED_BEFORE.lower())
        d.add(e.OrdersQueued(market=later.market, unwanted=(gone,), wanted=(), reference_e6=0, price_seq=0))


def _note_end_of_orphan(d: AccountDecision, tx: r.SeenTransaction, record: r.FillRecord) -> None:
    orphan = d.state.orphans.get(record.order_id)
    if orphan is not None and d.state.retired[orphan.attempt].attempt.left_e9 == 0:
        _orphan_gone(d, tx, orphan, record.order_id)


def _orphan_gone(d: AccountDecision, tx: r.SeenTransaction, orphan: Attempt, order_id: int) -> None:
    d.add(e.OrphanGone(intent_id=orphan.intent_id, attempt=orphan.attempt, order_id=order_id, slot=tx.slot))


def _note_renumbering(d: AccountDecision, tx: r.SeenTransaction, record: r.FillRecord) -> None:
    """Fill records of a market are numbered once, in turn: this number given again undoes what had it.

    So does a lower one that comes later: whatever had a higher number before it was undone.
    """
    undone = []
    for move in d.state.seen.newest_first():
        if not isinstance(move, _FILLS) or move.market_index != record.market_index:
            continue
        if move.fill_record_id < record.fill_record_id:
            break
        is_same = move.fill_record_id == record.fill_record_id
        if move.signature != tx.signature and (is_same or move.slot < tx.slot):
            undone.append(move.signature)
    for signature in dict.fromkeys(reversed(undone)):
        transaction_vanished(d, signature)


def _may_be_ours(state: AccountState, record: r.FillRecord) -> bool:
    """Whether an order without an id could be the one that was filled: then counters decide, not this record."""
    return any(_unbound(state.attempts.values(), record))


def _unbound(attempts: Iterable[Attempt], record: r.FillRecord) -> list[Attempt]:
    what = (record.market_index, record.side, record.order_size_e9)
    return [
        a
        for a in attempts
        if a.order_id is None
        and (a.market_index, a.side, a.size_e9) == what
        and abs(record.quote_e6 * 10**9 - a.price_e6 * record.base_e9) < 10**9
    ]


def _bound_by_fill(d: AccountDecision, tx: r.SeenTransaction, record: r.FillRecord) -> Attempt | None:
    """The one order without an id that side, size and price fit; the last resort, and recorded as such.

    It may be one that was thought over: its transaction landed once more, and its log was cut.
    """
    awaited = {flight.signature for flight in d.state.flights}
    found = [a for a in _unbound(d.state.attempts.values(), record) if a.signature not in awaited]
    if len(found) == 1:
        d.add(resting(found[0], record.order_id, "fallback"))
        return d.state.attempts[found[0].intent_id]
    unread = {flight.signature for flight in d.state.landed if flight.is_cut}
    over = (over.attempt for over in d.state.retired.values() if over.attempt.signature in unread)
    undone = _unbound(over, record)
    if found or len(undone) != 1:
        return None
    d.add(orphaned(undone[0], record.order_id, tx.slot))
    return d.state.retired[undone[0].attempt].attempt


def _filled(attempt: Attempt, tx: r.SeenTransaction, record: r.FillRecord, *, is_late: bool) -> e.OrderFilled:
    return e.OrderFilled(
        intent_id=attempt.intent_id,
        attempt=attempt.attempt,
        order_id=record.order_id,
        market=attempt.market,
        market_index=record.market_index,
        fill_record_id=record.fill_record_id,
        cell=attempt.cell,
        side=record.side,
        price_e6=record.quote_e6 * 10**9 // record.base_e9,
        base_e9=record.base_e9,
        quote_e6=record.quote_e6,
        fee_e6=record.fee_e6,
        maker=record.maker,
        cumulative_e9=record.cumulative_e9,
        size_e9=attempt.size_e9,
        oracle_e6=record.oracle_e6,
        slot=tx.slot,
        signature=tx.signature,
        index=record.index,
        late=is_late,
    )


def _take_cancel(d: AccountDecision, tx: r.SeenTransaction, record: r.CancelRecord) -> None:
    _keeper_fee(d, tx, record, record.keeper_fee_e6)
    if record.order_id in d.state.orphans:
        _orphan_gone(d, tx, d.state.orphans[record.order_id], record.order_id)
        return
    if record.order_id in d.state.foreign:
        d.add(e.ForeignOrderGone(order_id=record.order_id, slot=tx.slot))
        return
    attempt = next((a for a in d.state.attempts.values() if a.order_id == record.order_id), None)
    if attempt is not None:
        d.add(closed(attempt, _why_closed(attempt, is_expired=record.expired), tx))


def _why_closed(attempt: Attempt, *, is_expired: bool) -> Closing:
    if attempt.closes_all and attempt.filled_e9:
        return "filled"  # what is left of a stop once the position is closed is cancelled by the venue
    if is_expired or attempt.cancel_why == LAPSED:
        return "lapsed"
    return "cancelled" if attempt.cancel_why else "venue"


def _take_trigger(d: AccountDecision, tx: r.SeenTransaction, record: r.TriggerRecord) -> None:
    is_known = (tx.signature, record.index) in d.state.seen
    _keeper_fee(d, tx, record, record.keeper_fee_e6)
    attempt = next((a for a in d.state.attempts.values() if a.order_id == record.order_id), None)
    if attempt is None or is_known or attempt.triggered:
        return
    d.add(
        e.OrderTriggered(
            intent_id=attempt.intent_id,
            attempt=attempt.attempt,
            order_id=record.order_id,
            market=attempt.market,
            market_index=record.market_index,
            slot=tx.slot,
            signature=tx.signature,
            index=record.index,
        )
    )


def _keeper_fee(
    d: AccountDecision, tx: r.SeenTransaction, record: r.CancelRecord | r.TriggerRecord, fee_e6: int
) -> None:
    if not fee_e6 or (tx.signature, record.index) in d.state.seen or tx.slot <= d.state.baseline_slot:
        return
    d.add(
        e.KeeperFeeCharged(
            order_id=record.order_id,
            quote_e6=-fee_e6,
            market_index=record.market_index,
            slot=tx.slot,
            signature=tx.signature,
            index=record.index,
            from_deposit=isinstance(record, r.CancelRecord) and record.fee_from_deposit,
        )
    )


def _take_money(d: AccountDecision, tx: r.SeenTransaction, record: r.VenueRecord) -> None:
    if (tx.signature, record.index) in d.state.seen:
        return
    # A transaction that was not final at the first snapshot is shown again, but what it did is in the snapshot. (Our
    # own orders are never that old; on a tape that stands still they may share the snapshot's slot.)
    if tx.slot <= d.state.baseline_slot:
        return
    where = {"slot": tx.slot, "signature": tx.signature, "index": record.index}
    match record:
        case r.FundingRecord(market_index=market, quote_e6=quote, base_e9=base):
            name = d.market_name(market)
            d.add(e.FundingPaid(market=name, market_index=market, quote_e6=quote, base_e9=base, **where))  # type: ignore[arg-type]
        case r.SettleRecord(market_index=market, quote_e6=quote):
            d.add(e.PnlSettled(market=d.market_name(market), market_index=market, quote_e6=quote, **where))  # type: ignore[arg-type]
        case r.TransferRecord(quote_e6=quote):
            d.add(e.Transferred(quote_e6=quote, **where))  # type: ignore[arg-type]
        case r.LiquidationRecord():
            d.add(
                e.Liquidated(
                    market=d.market_name(record.market_index),
                    market_index=record.market_index,
                    base_e9=record.base_e9,
                    quote_e6=record.quote_e6,
                    fee_e6=record.fee_e6,
                    slot=tx.slot,
                    signature=tx.signature,
                    index=record.index,
                )
            )
        case _:
            raise AssertionError(record)


def _by_order_id(state: AccountState, order_id: int) -> Attempt | None:
    """The order's attempt, open or closed as long as its end is not final."""
    for attempt in state.attempts.values():
        if attempt.order_id == order_id:
            return attempt
    return next((over.attempt for over in state.retired.values() if over.attempt.order_id == order_id), None)
