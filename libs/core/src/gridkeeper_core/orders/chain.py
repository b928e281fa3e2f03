"""What execution makes of the chain: transactions seen, gone or vanished, record by record."""

from __future__ import annotations

from typing import Literal

from gridkeeper_core import events as e
from gridkeeper_core.orders.decide import LAPSED, AccountDecision
from gridkeeper_core.orders.state import AccountState, Attempt, fill_key
from gridkeeper_core.venue import records as r


def transaction_seen(d: AccountDecision, tx: r.SeenTransaction) -> None:
    """Take every record of a transaction; for our own, settle what it was to place and cancel."""
    in_flight = d.state.in_flight
    is_awaited = in_flight is not None and in_flight.signature == tx.signature
    if is_awaited and tx.failed:
        d.add(
            e.TransactionFailed(
                signature=tx.signature,
                slot=tx.slot,
                fee_lamports=tx.fee_lamports,
                error_code=tx.error_code,
                error=tx.error,
            )
        )
    elif is_awaited:
        d.add(e.TransactionLanded(signature=tx.signature, slot=tx.slot, fee_lamports=tx.fee_lamports))
    for record in tx.records:
        _take(d, tx, record)
    if is_awaited and in_flight is not None:
        _close_unplaced(d, in_flight.places, "failed" if tx.failed else "not_placed")


def transaction_gone(d: AccountDecision, signature: str, block_height: int) -> None:
    """Our transaction can never land: what it was to place is over, what it was to cancel is still to go."""
    in_flight = d.state.in_flight
    if in_flight is None or in_flight.signature != signature:
        return
    d.add(e.TransactionExpired(signature=signature, block_height=block_height))
    _close_unplaced(d, in_flight.places, "expired")


def transaction_vanished(d: AccountDecision, signature: str) -> None:
    """A confirmed transaction is not part of the finalized chain: what was taken from it is in doubt."""
    doubt = e.Difference(what=f"transaction {signature}", venue=0, ours=1)
    d.add(e.VenueDiffers(slot=d.state.cursor_slot, differences=(doubt,)))


def _close_unplaced(
    d: AccountDecision, places: tuple[str, ...], reason: Literal["failed", "not_placed", "expired"]
) -> None:
    for intent_id in places:
        attempt = d.state.attempts.get(intent_id)
        if attempt is not None and attempt.order_id is None:
            d.add(_closed(attempt, reason))


def _take(d: AccountDecision, tx: r.SeenTransaction, record: r.VenueRecord) -> None:
    match record:
        case r.PlacedRecord():
            _take_placed(d, tx, record)
        case r.FillRecord():
            _take_fill(d, tx, record)
        case r.CancelRecord():
            _take_cancel(d, tx, record)
        case r.TriggerRecord():
            pass
        case _:
            _take_money(d, tx, record)


def _take_placed(d: AccountDecision, tx: r.SeenTransaction, record: r.PlacedRecord) -> None:
    attempt = next(
        (
            a
            for a in d.state.attempts.values()
            if a.signature == tx.signature and a.user_order_id == record.user_order_id and a.order_id is None
        ),
        None,
    )
    if attempt is not None:
        d.add(
            e.OrderResting(
                intent_id=attempt.intent_id,
                attempt=attempt.attempt,
                order_id=record.order_id,
                user_order_id=record.user_order_id,
                side=attempt.side,
                price_e6=attempt.price_e6,
                size_e9=attempt.size_e9,
                filled_e9=attempt.filled_e9,
                matched_by="user_order_id",
                signature=tx.signature,
            )
        )


def _take_fill(d: AccountDecision, tx: r.SeenTransaction, record: r.FillRecord) -> None:
    if fill_key(record.market_index, record.fill_record_id) in d.state.seen:
        return
    attempt = _by_order_id(d.state, record.order_id)
    if attempt is None:
        is_new = tx.slot > max(d.state.cursor_slot, d.state.baseline_slot)
        if is_new and not d.state.differs:
            foreign = e.Difference(what=f"fill of unknown order {record.order_id}", venue=record.base_e9, ours=0)
            d.add(e.VenueDiffers(slot=tx.slot, differences=(foreign,)))
        return
    if attempt.filled_e9 + record.base_e9 > attempt.size_e9:
        over = e.Difference(what=f"order {record.order_id} filled_e9", venue=record.cumulative_e9, ours=attempt.size_e9)
        d.add(e.VenueDiffers(slot=tx.slot, differences=(over,)))
        return
    d.add(_filled(attempt, tx, record))
    after = d.state.attempts[attempt.intent_id]
    if after.left_e9 == 0:
        d.add(_closed(after, "filled"))


def _filled(attempt: Attempt, tx: r.SeenTransaction, record: r.FillRecord) -> e.OrderFilled:
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
    )


def _take_cancel(d: AccountDecision, tx: r.SeenTransaction, record: r.CancelRecord) -> None:
    attempt = _by_order_id(d.state, record.order_id)
    if record.keeper_fee_e6 and (tx.signature, record.index) not in d.state.seen:
        d.add(
            e.KeeperFeeCharged(
                order_id=record.order_id,
                quote_e6=-record.keeper_fee_e6,
                market_index=record.market_index,
                slot=tx.slot,
                signature=tx.signature,
                index=record.index,
            )
        )
    if attempt is None:
        return
    is_lapsed = record.expired or attempt.cancel_why == LAPSED
    d.add(_closed(attempt, "lapsed" if is_lapsed else "cancelled" if attempt.cancel_why else "venue"))


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
            name = d.state.positions[market].market if market in d.state.positions else ""
            d.add(e.FundingPaid(market=name, market_index=market, quote_e6=quote, base_e9=base, **where))  # type: ignore[arg-type]
        case r.SettleRecord(market_index=market, quote_e6=quote):
            name = d.state.positions[market].market if market in d.state.positions else ""
            d.add(e.PnlSettled(market=name, market_index=market, quote_e6=quote, **where))  # type: ignore[arg-type]
        case r.TransferRecord(quote_e6=quote):
            d.add(e.Transferred(quote_e6=quote, **where))  # type: ignore[arg-type]
        case r.LiquidationRecord():
            name = d.state.positions[record.market_index].market if record.market_index in d.state.positions else ""
            d.add(
                e.Liquidated(
                    market=name,
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
    return next((a for a in state.attempts.values() if a.order_id == order_id), None)


def _closed(
    attempt: Attempt,
    reason: Literal["filled", "cancelled", "lapsed", "expired", "failed", "not_placed", "venue"],
) -> e.OrderClosed:
    return e.OrderClosed(
        intent_id=attempt.intent_id,
        attempt=attempt.attempt,
        order_id=attempt.order_id,
        user_order_id=attempt.user_order_id,
        reason=reason,
        filled_e9=attempt.filled_e9,
        size_e9=attempt.size_e9,
    )
