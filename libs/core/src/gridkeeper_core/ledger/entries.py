"""Turns facts of execution into entries of a grid's books, and entries into what the ledger records of them."""

from __future__ import annotations

import msgspec

from gridkeeper_core.events import FillBooked, FillProven, FillReverted, FundingBooked, Liquidated, OrderFilled
from gridkeeper_core.ledger.books import NO_CELL, NO_RECORD, Booked, Entry, Sums
from gridkeeper_core.names import split_intent
from gridkeeper_core.units import E9

_CELL_KINDS = ("buy", "sell")


def fill_of_fact(fact: OrderFilled | FillProven, alias: str) -> FillBooked:
    """A fill before it is booked: what it did to the sums is still zero."""
    parts = split_intent(fact.intent_id)
    price, record, signature = _price_e6(fact.quote_e6, fact.base_e9), NO_RECORD, ""
    if isinstance(fact, OrderFilled):
        price, record, signature = fact.price_e6, fact.fill_record_id, fact.signature
    return FillBooked(
        intent_id=fact.intent_id,
        market=fact.market,
        side=fact.side,
        cell=fact.cell if parts.kind in _CELL_KINDS else NO_CELL,
        price_e6=price,
        base_e9=fact.base_e9,
        quote_e6=fact.quote_e6,
        fee_e6=fact.fee_e6,
        position_e9=0,
        quote_entry_e6=0,
        realized_pnl_e6=0,
        grid_quote_e6=0,
        fill_record_id=record,
        market_index=fact.market_index,
        signature=signature,
        account=alias,
        slot=fact.slot,
    )


def fill_of_liquidation(fact: Liquidated, alias: str) -> FillBooked:
    """A liquidation as a fill of no intent and no cell."""
    base, quote = abs(fact.base_e9), abs(fact.quote_e6)
    return FillBooked(
        intent_id="",
        market=fact.market,
        side="buy" if fact.base_e9 > 0 else "sell",
        cell=NO_CELL,
        price_e6=_price_e6(quote, base),
        base_e9=base,
        quote_e6=quote,
        fee_e6=fact.fee_e6,
        position_e9=0,
        quote_entry_e6=0,
        realized_pnl_e6=0,
        grid_quote_e6=0,
        fill_record_id=NO_RECORD,
        market_index=fact.market_index,
        signature=fact.signature,
        account=alias,
        slot=fact.slot,
    )


def reverted_fill(fact: FillReverted, entry: Entry, market: str, alias: str) -> FillBooked:
    """A fill taken back: the entry's amounts negated."""
    return FillBooked(
        intent_id=fact.intent_id,
        market=market,
        side=entry.side,
        cell=entry.cell,
        price_e6=_price_e6(entry.quote_e6, entry.base_e9),
        base_e9=-entry.base_e9,
        quote_e6=-entry.quote_e6,
        fee_e6=-entry.fee_e6,
        position_e9=0,
        quote_entry_e6=0,
        realized_pnl_e6=0,
        grid_quote_e6=0,
        fill_record_id=fact.fill_record_id,
        market_index=fact.market_index,
        signature=fact.signature,
        account=alias,
        slot=entry.slot,
    )


def late_entry(fact: FillReverted, cause: str, ts_ns: int) -> Entry | None:
    """The fill that is taken back, from its own amounts, where the books do not remember it; None without amounts."""
    if not fact.base_e9:
        return None
    return Entry(
        kind="fill",
        serial=cause,
        slot=0,
        ts_ns=ts_ns,
        quote_e6=fact.quote_e6,
        side=fact.side,
        cell=fact.cell if split_intent(fact.intent_id).kind in _CELL_KINDS else NO_CELL,
        base_e9=fact.base_e9,
        fee_e6=fact.fee_e6,
        fill_record_id=fact.fill_record_id,
    )


def entry_of_reverted(fill: FillBooked, cause: str, ts_ns: int) -> Entry:
    """The fill behind a booking that takes it back."""
    booked = entry_of_booked(fill, cause, ts_ns)
    return msgspec.structs.replace(booked, base_e9=-fill.base_e9, quote_e6=-fill.quote_e6, fee_e6=-fill.fee_e6)


def with_result(fill: FillBooked, sums: Sums, booked: Booked) -> FillBooked:
    """The fill with what it did to the sums."""
    return msgspec.structs.replace(
        fill,
        position_e9=sums.position.base_e9,
        quote_entry_e6=sums.position.quote_entry_e6,
        realized_pnl_e6=booked.realized_e6,
        grid_quote_e6=booked.grid_quote_e6,
    )


def entry_of_booked(fill: FillBooked, cause: str, ts_ns: int) -> Entry:
    """The entry behind a fill's fact; the same when it is booked and when its record is folded."""
    return Entry(
        kind="fill",
        serial=cause,
        slot=fill.slot,
        ts_ns=ts_ns,
        quote_e6=fill.quote_e6,
        side=fill.side,
        cell=fill.cell,
        base_e9=fill.base_e9,
        fee_e6=fill.fee_e6,
        fill_record_id=fill.fill_record_id,
    )


def entry_of_funding(fact: FundingBooked, cause: str, ts_ns: int) -> Entry:
    """The entry behind a funding payment's fact."""
    return Entry(kind="funding", serial=cause, slot=fact.slot, ts_ns=ts_ns, quote_e6=fact.quote_e6)


def _price_e6(quote_e6: int, base_e9: int) -> int:
    return quote_e6 * E9 // base_e9 if base_e9 else 0
