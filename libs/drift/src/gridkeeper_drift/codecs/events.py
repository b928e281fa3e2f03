"""The program's events both ways: as log lines of a transaction, and as the records that concern one sub-account."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from gridkeeper_core.events import Side
from gridkeeper_core.venue.records import (
    CancelRecord,
    FillRecord,
    FundingRecord,
    LiquidationRecord,
    PlacedRecord,
    SettleRecord,
    TransferRecord,
    TriggerRecord,
    VenueRecord,
)
from gridkeeper_drift.codecs.addresses import PROGRAM_ID, QUOTE_SPOT_MARKET
from gridkeeper_drift.codecs.idl import CodecError, Named, events

_LOG = "Program log: "
_DATA = "Program data: "
_TRUNCATED = "Log truncated"
_INVOKE = re.compile(r"Program (\w+) invoke \[\d+\]")
_RETURN = re.compile(r"Program (\w+) (?:success|failed)")
_LOGGED = {"OrderRecord", "OrderActionRecord"}
"""The program writes these through its own logger, all others through Anchor's."""
_SECOND_INDEX = 1000
"""An event that moves two amounts numbers its second record from here; no transaction has so many events."""


class Logs(NamedTuple):
    """The program's events in a transaction's logs, in order. `complete` is false where events may be missing."""

    events: tuple[Named, ...]
    complete: bool


def log_line(name: str, value: Mapping[str, Any]) -> str:
    """An event as the line the program logs."""
    encoded = base64.b64encode(events().encode(name, value)).decode()
    return f"{_LOG if name in _LOGGED else _DATA}{encoded}"


def program_logs(lines: Iterable[str], *, error_code: int | None = None) -> list[str]:
    """The lines of one call of the program, between its invocation and its return."""
    outcome = "success" if error_code is None else f"failed: custom program error: {error_code:#x}"
    return [f"Program {PROGRAM_ID} invoke [1]", *lines, f"Program {PROGRAM_ID} {outcome}"]


def decode_logs(lines: Iterable[str]) -> Logs:
    """The events the program itself wrote; lines of other programs are passed over, whatever they look like."""
    found: list[Named] = []
    stack: list[str] = []
    complete = True
    for line in lines:
        if line.startswith(_TRUNCATED):
            return Logs(tuple(found), complete=False)
        if invoked := _INVOKE.match(line):
            stack.append(invoked[1])
        elif _RETURN.match(line) and stack:
            stack.pop()
        elif stack and stack[-1] == str(PROGRAM_ID):
            try:
                found.extend(_event_of(line))
            except CodecError:
                complete = False
    return Logs(tuple(found), complete)


def venue_records(found: Sequence[Named], user: Pubkey) -> tuple[VenueRecord, ...]:
    """Every record of `user` among a transaction's events; `index` is the event's place among them."""
    records: list[VenueRecord] = []
    liquidations = _liquidation_fills(found, user)
    for index, event in enumerate(found):
        value = event.value
        match event.name:
            case "OrderRecord" if value["user"] == user and not _repeats(found, index, liquidations):
                records.extend(_placed(index, value["order"]))
            case "OrderActionRecord" if value["market_type"] == "Perp":
                records.extend(_action(index, value, user, liquidations))
            case "FundingPaymentRecord" if value["user"] == user:
                records.append(_funding(index, value))
            case "SettlePnlRecord" if value["user"] == user:
                records.append(SettleRecord(index=index, market_index=value["market_index"], quote_e6=value["pnl"]))
            case "DepositRecord" if value["user"] == user and value["market_index"] == QUOTE_SPOT_MARKET:
                sign = 1 if value["direction"] == "Deposit" else -1
                records.append(TransferRecord(index=index, quote_e6=sign * value["amount"]))
            case "LiquidationRecord" if value["user"] == user:
                records.extend(_liquidation(index, value, liquidations))
    return tuple(records)


def _event_of(line: str) -> Iterator[Named]:
    for prefix in (_LOG, _DATA):
        if not line.startswith(prefix):
            continue
        try:
            data = base64.b64decode(line[len(prefix) :], validate=True)
        except binascii.Error as error:
            if prefix == _DATA:
                raise CodecError(f"the line is not base64: {line}") from error
            return
        event = events().decode(data)
        if event is not None:
            yield event


def _liquidation_fills(found: Sequence[Named], user: Pubkey) -> set[int]:
    """Fill record ids that only repeat what a LiquidationRecord of `user` says in full.

    Only who takes the position over has an order of its own there. Fills by the market say "Liquidation" as well, but
    then the record has the sum of them, with the sign of the position (controller/liquidation.rs `liquidate_perp`,
    `liquidate_perp_with_fill`).
    """
    records = (e.value for e in found if e.name == "LiquidationRecord" and e.value["user"] == user)
    perps = (value["liquidate_perp"] for value in records if value["liquidation_type"] == "LiquidatePerp")
    return {perp["fill_record_id"] for perp in perps if perp["liquidator_order_id"]}


def _repeats(found: Sequence[Named], index: int, liquidations: set[int]) -> bool:
    """Whether an OrderRecord places nothing: it follows a trigger, or stands for a liquidator's taking over."""
    order_id = found[index].value["order"]["order_id"]
    before = found[index - 1] if index else None
    if before is not None and before.name == "OrderActionRecord" and before.value["action"] == "Trigger":
        return order_id in (before.value["taker_order_id"], before.value["maker_order_id"])
    return any(
        event.name == "OrderActionRecord"
        and event.value["fill_record_id"] in liquidations
        and event.value["taker_order_id"] == order_id
        for event in found[index + 1 :]
        if liquidations
    )


def _placed(index: int, order: Mapping[str, Any]) -> Iterator[PlacedRecord]:
    if order["market_type"] != "Perp":
        return
    yield PlacedRecord(
        index=index,
        order_id=order["order_id"],
        user_order_id=order["user_order_id"],
        market_index=order["market_index"],
        side=_side(order["direction"]),
        price_e6=order["price"],
        size_e9=order["base_asset_amount"],
        reduce_only=order["reduce_only"],
        max_ts=order["max_ts"],
    )


def _action(index: int, value: Mapping[str, Any], user: Pubkey, liquidations: set[int]) -> Iterator[VenueRecord]:
    for role in ("taker", "maker"):
        if value[role] != user:
            continue
        match value["action"]:
            case "Fill" if role == "maker" or value["fill_record_id"] not in liquidations:
                yield _fill(index, value, role)
            case "Cancel" | "Expire":
                yield _cancel(index, value, role, user)
            case "Trigger":
                yield TriggerRecord(
                    index=index,
                    order_id=value[f"{role}_order_id"],
                    market_index=value["market_index"],
                    keeper_fee_e6=_keeper_fee_e6(value, user),
                )


def _fill(index: int, value: Mapping[str, Any], role: str) -> FillRecord:
    return FillRecord(
        index=index,
        market_index=value["market_index"],
        fill_record_id=value["fill_record_id"],
        order_id=value[f"{role}_order_id"],
        side=_side(value[f"{role}_order_direction"]),
        base_e9=value["base_asset_amount_filled"],
        quote_e6=value["quote_asset_amount_filled"],
        fee_e6=value[f"{role}_fee"] or 0,
        maker=role == "maker",
        cumulative_e9=value[f"{role}_order_cumulative_base_asset_amount_filled"],
        order_size_e9=value[f"{role}_order_base_asset_amount"],
        oracle_e6=value["oracle_price"],
    )


def _cancel(index: int, value: Mapping[str, Any], role: str, user: Pubkey) -> CancelRecord:
    explanation = value["action_explanation"]
    return CancelRecord(
        index=index,
        order_id=value[f"{role}_order_id"],
        market_index=value["market_index"],
        explanation=explanation,
        keeper_fee_e6=_keeper_fee_e6(value, user),
        expired=value["action"] == "Expire" or explanation == "OrderExpired",
    )


def _keeper_fee_e6(value: Mapping[str, Any], user: Pubkey) -> int:
    """What a keeper was paid for the action, from our account; nothing where we did it ourselves."""
    if value["filler"] is None or value["filler"] == user:
        return 0
    return int(value["filler_reward"] or 0)


def _funding(index: int, value: Mapping[str, Any]) -> FundingRecord:
    return FundingRecord(
        index=index,
        market_index=value["market_index"],
        quote_e6=value["funding_payment"],
        base_e9=value["base_asset_amount"],
    )


def _liquidation(index: int, value: Mapping[str, Any], liquidations: set[int]) -> Iterator[VenueRecord]:
    """A liquidator either takes the position over, or lets the market fill it: then ordinary fills tell the amounts."""
    if value["liquidation_type"] == "LiquidatePerp":
        perp = value["liquidate_perp"]
        taken_over = perp["fill_record_id"] in liquidations
        yield LiquidationRecord(
            index=index,
            market_index=perp["market_index"],
            base_e9=perp["base_asset_amount"] if taken_over else 0,
            quote_e6=perp["quote_asset_amount"] if taken_over else 0,
            fee_e6=perp["liquidator_fee"] + perp["if_fee"],
            fill_record_id=perp["fill_record_id"] if taken_over else 0,
        )
    elif value["liquidation_type"] == "LiquidatePerpPnlForDeposit":
        swap = value["liquidate_perp_pnl_for_deposit"]
        yield LiquidationRecord(
            index=index, market_index=swap["perp_market_index"], base_e9=0, quote_e6=swap["pnl_transfer"], fee_e6=0
        )
        if swap["asset_market_index"] == QUOTE_SPOT_MARKET:
            yield TransferRecord(index=_SECOND_INDEX + index, quote_e6=-swap["asset_transfer"])


def _side(direction: str) -> Side:
    return "buy" if direction == "Long" else "sell"
