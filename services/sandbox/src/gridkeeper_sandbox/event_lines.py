"""Writes what happened at the venue as the log lines the Drift program writes for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue.filling import BY_LIQUIDATION
from gridkeeper_core.venue.margin import collateral_e6, requirement_e6
from gridkeeper_core.venue.model import VenueModel
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
from gridkeeper_core.venue.state import Account, Order
from gridkeeper_drift.codecs.events import log_line
from gridkeeper_drift.codecs.idl import events, type_layout

_ORDER_TYPES = {
    "limit": "Limit",
    "market": "Market",
    "trigger_market": "TriggerMarket",
    "trigger_limit": "TriggerLimit",
}
_STATUSES = {"open": "Open", "filled": "Filled", "cancelled": "Canceled"}
_BLANK_BYTES = bytes(1024)
_LIQUIDATOR_ORDER_ID = 1
"""Who takes a position over does it by an order; none (0) would say that the market filled it."""


class Happened(NamedTuple):
    """The records of one transaction with what is needed to tell them: `before` and `venue` are the account's two ends.

    `filler` is the keeper that did it; None where the account's owner did. `liquidated` are orders a liquidator took.
    """

    venue: VenueModel
    user: Pubkey
    authority: Pubkey
    before: Account
    filler: Pubkey | None = None
    liquidated: tuple[int, ...] = ()


def lines(happened: Happened, records: Sequence[VenueRecord]) -> list[str]:
    """One or two lines for each record, in order."""
    gone = [r.order_id for r in records if isinstance(r, CancelRecord) and r.explanation == BY_LIQUIDATION]
    happened = happened._replace(liquidated=tuple(gone))
    return [line for record in records for line in _lines_of(happened, record)]


def new_user_line(user: Pubkey, authority: Pubkey, sub_account_id: int, name: bytes, now_ns: int) -> str:
    """The line for a sub-account that was created."""
    return _line(
        "NewUserRecord",
        ts=now_ns // NS_PER_S,
        user_authority=authority,
        user=user,
        sub_account_id=sub_account_id,
        name=name,
    )


def order_value(order: Order) -> dict[str, Any]:
    """An order as the program's own struct."""
    above = order.trigger_above
    condition = ("TriggeredAbove" if above else "TriggeredBelow") if order.triggered else "Above" if above else "Below"
    return _blank_order() | {
        "slot": order.slot,
        "price": order.price_e6,
        "base_asset_amount": order.size_e9,
        "base_asset_amount_filled": order.filled_e9,
        "quote_asset_amount_filled": order.filled_quote_e6,
        "trigger_price": order.trigger_e6,
        "max_ts": order.max_ts,
        "order_id": order.order_id,
        "market_index": order.market_index,
        "status": _STATUSES[order.status],
        "order_type": _ORDER_TYPES[order.order_type],
        "market_type": "Perp",
        "user_order_id": order.user_order_id,
        "direction": _direction(order),
        "reduce_only": order.reduce_only,
        "post_only": order.post_only,
        "immediate_or_cancel": order.immediate_or_cancel,
        "trigger_condition": condition,
        "posted_slot_tail": order.slot % 256,
    }


def _lines_of(happened: Happened, record: VenueRecord) -> Iterator[str]:
    now_s = happened.venue.now_ns // NS_PER_S
    match record:
        case PlacedRecord():
            order = _order(happened, record.order_id)
            yield _action(happened, order, "Place", "None")
            placed = order_value(order) | {
                "base_asset_amount_filled": 0,
                "quote_asset_amount_filled": 0,
                "status": "Open",
            }
            yield _line("OrderRecord", ts=now_s, user=happened.user, order=placed)
        case TriggerRecord():
            order = _order(happened, record.order_id)
            fee_e6 = record.keeper_fee_e6
            yield _action(happened, order, "Trigger", "None", filler=happened.filler, filler_reward=fee_e6)
            yield _line("OrderRecord", ts=now_s, user=happened.user, order=order_value(order))
        case CancelRecord():
            order = _order(happened, record.order_id)
            fee_e6 = record.keeper_fee_e6
            yield _action(happened, order, "Cancel", record.explanation, filler=happened.filler, filler_reward=fee_e6)
        case FillRecord():
            yield _fill(happened, record)
        case LiquidationRecord():
            yield from _liquidation(happened, record)
        case FundingRecord() | SettleRecord() | TransferRecord():
            yield _money(happened, record)
        case _:
            raise AssertionError(record)


def _fill(happened: Happened, record: FillRecord) -> str:
    order = _order(happened, record.order_id)
    return _action(
        happened,
        order,
        "Fill",
        "OrderFilledWithAMM",
        as_maker=record.maker,
        filler=happened.filler,
        filler_reward=0,
        fill_record_id=record.fill_record_id,
        base_asset_amount_filled=record.base_e9,
        quote_asset_amount_filled=record.quote_e6,
        oracle_price=record.oracle_e6,
        **{"maker_fee" if record.maker else "taker_fee": record.fee_e6},
    )


def _liquidation(happened: Happened, record: LiquidationRecord) -> Iterator[str]:
    """The fill by which the liquidator took over, and what it was for."""
    now_s, venue = happened.venue.now_ns // NS_PER_S, happened.venue
    oracle_e6 = venue.markets[record.market_index].oracle_e6
    yield _line(
        "OrderActionRecord",
        ts=now_s,
        action="Fill",
        action_explanation="Liquidation",
        market_index=record.market_index,
        market_type="Perp",
        fill_record_id=record.fill_record_id,
        base_asset_amount_filled=abs(record.base_e9),
        quote_asset_amount_filled=abs(record.quote_e6),
        taker=happened.user,
        taker_order_direction="Long" if record.base_e9 > 0 else "Short",
        taker_order_base_asset_amount=abs(record.base_e9),
        maker=happened.filler,
        maker_order_id=_LIQUIDATOR_ORDER_ID,
        oracle_price=oracle_e6,
    )
    perp = {
        "market_index": record.market_index,
        "oracle_price": oracle_e6,
        "base_asset_amount": record.base_e9,
        "quote_asset_amount": record.quote_e6,
        "fill_record_id": record.fill_record_id,
        "liquidator_order_id": _LIQUIDATOR_ORDER_ID,
        "liquidator_fee": record.fee_e6,
    }
    yield _line(
        "LiquidationRecord",
        ts=now_s,
        liquidation_type="LiquidatePerp",
        user=happened.user,
        liquidator=happened.filler,
        margin_requirement=requirement_e6(happened.before, venue.markets, "maintenance"),
        total_collateral=collateral_e6(happened.before, venue.markets),
        bankrupt=venue.accounts[str(happened.user)].is_bankrupt,
        canceled_order_ids=list(happened.liquidated),
        liquidate_perp=_blank_event("LiquidationRecord")["liquidate_perp"] | perp,
    )


def _action(
    happened: Happened, order: Order, action: str, explanation: str, *, as_maker: bool | None = None, **more: Any
) -> str:
    role = "maker" if (order.post_only if as_maker is None else as_maker) else "taker"
    value = {
        "ts": happened.venue.now_ns // NS_PER_S,
        "action": action,
        "action_explanation": explanation,
        "market_index": order.market_index,
        "market_type": "Perp",
        "oracle_price": happened.venue.markets[order.market_index].oracle_e6,
        role: happened.user,
        f"{role}_order_id": order.order_id,
        f"{role}_order_direction": _direction(order),
        f"{role}_order_base_asset_amount": order.size_e9,
        f"{role}_order_cumulative_base_asset_amount_filled": order.filled_e9,
        f"{role}_order_cumulative_quote_asset_amount_filled": order.filled_quote_e6,
    }
    return _line("OrderActionRecord", **(value | more))


def _money(happened: Happened, record: FundingRecord | SettleRecord | TransferRecord) -> str:
    now_s, venue = happened.venue.now_ns // NS_PER_S, happened.venue
    held = venue.accounts[str(happened.user)]
    if isinstance(record, TransferRecord):
        return _line(
            "DepositRecord",
            ts=now_s,
            user_authority=happened.authority,
            user=happened.user,
            direction="Deposit" if record.quote_e6 > 0 else "Withdraw",
            amount=abs(record.quote_e6),
            oracle_price=10**6,
            total_deposits_after=held.deposited_e6,
            total_withdraws_after=held.withdrawn_e6,
        )
    market, position = venue.markets[record.market_index], held.position(record.market_index)
    if isinstance(record, FundingRecord):
        return _line(
            "FundingPaymentRecord",
            ts=now_s,
            user_authority=happened.authority,
            user=happened.user,
            market_index=record.market_index,
            funding_payment=record.quote_e6,
            base_asset_amount=record.base_e9,
            user_last_cumulative_funding=happened.before.position(record.market_index).last_funding_rate_e9,
            amm_cumulative_funding_long=market.funding_long_e9,
            amm_cumulative_funding_short=market.funding_short_e9,
        )
    return _line(
        "SettlePnlRecord",
        ts=now_s,
        user=happened.user,
        market_index=record.market_index,
        pnl=record.quote_e6,
        base_asset_amount=position.base_e9,
        quote_asset_amount_after=position.quote_asset_e6,
        quote_entry_amount=position.quote_entry_e6,
        settle_price=market.oracle_e6,
    )


def _order(happened: Happened, order_id: int) -> Order:
    """The order as it is now; one whose slot was used again in the same transaction, as it was before."""
    order = happened.venue.accounts[str(happened.user)].order(order_id) or happened.before.order(order_id)
    assert order is not None
    return order


def _line(event: str, /, **values: Any) -> str:
    return log_line(event, _blank_event(event) | values)


def _direction(order: Order) -> str:
    return "Long" if order.side == "buy" else "Short"


@cache
def _blank_event(name: str) -> dict[str, Any]:
    blank: dict[str, Any] = events().layouts[name].decode(_BLANK_BYTES, 0)[0]
    return blank


@cache
def _blank_order() -> dict[str, Any]:
    blank: dict[str, Any] = type_layout("Order").decode(_BLANK_BYTES, 0)[0]
    return blank
