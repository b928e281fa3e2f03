"""The User account (4376 bytes) both ways by fixed offsets, for the two places where the IDL walk is too slow.

Execution reads every account each second and the sandbox writes one after each change. Field names, order and numbers
are the IDL's; the tests hold this module against the IDL's layout on recorded mainnet accounts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from solders.pubkey import Pubkey

from gridkeeper_drift.codecs.idl import CodecError, accounts

USER_SIZE = 4376
STATUS_BEING_LIQUIDATED = 1
STATUS_BANKRUPT = 2
_HEAD = struct.Struct("<8s32s32s32s")
_SPOT = struct.Struct("<QqqqHBB4s")
_PERP = struct.Struct("<qqqqqqqqQqq2sHHBb")
_ORDER = struct.Struct("<QQQQQQqqqiIHBBBBBBBBBBBBBB")
_TAIL = struct.Struct("<qQQQqqqQQIIHHBBBBBBBBB3sI12s")


class SpotSlot(NamedTuple):
    """One of 8 spot positions. `balance_type` 0 is a deposit, 1 a borrow."""

    scaled_balance: int = 0
    open_bids: int = 0
    open_asks: int = 0
    cumulative_deposits: int = 0
    market_index: int = 0
    balance_type: int = 0
    open_orders: int = 0
    padding: bytes = bytes(4)


class PerpSlot(NamedTuple):
    """One of 8 perp positions."""

    last_cumulative_funding_rate: int = 0
    base_asset_amount: int = 0
    quote_asset_amount: int = 0
    quote_break_even_amount: int = 0
    quote_entry_amount: int = 0
    open_bids: int = 0
    open_asks: int = 0
    settled_pnl: int = 0
    lp_shares: int = 0
    last_base_asset_amount_per_lp: int = 0
    last_quote_asset_amount_per_lp: int = 0
    padding: bytes = bytes(2)
    max_margin_ratio: int = 0
    market_index: int = 0
    open_orders: int = 0
    per_lp_base: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the slot holds neither position nor orders nor unsettled quote."""
        return not (self.base_asset_amount or self.quote_asset_amount or self.open_orders or self.lp_shares)


class OrderSlot(NamedTuple):
    """One of 32 orders. Enums are numbers: status 1 is open, type 1 a limit, market 1 a perp, direction 0 long."""

    slot: int = 0
    price: int = 0
    base_asset_amount: int = 0
    base_asset_amount_filled: int = 0
    quote_asset_amount_filled: int = 0
    trigger_price: int = 0
    auction_start_price: int = 0
    auction_end_price: int = 0
    max_ts: int = 0
    oracle_price_offset: int = 0
    order_id: int = 0
    market_index: int = 0
    status: int = 0
    order_type: int = 0
    market_type: int = 0
    user_order_id: int = 0
    existing_position_direction: int = 0
    direction: int = 0
    reduce_only: int = 0
    post_only: int = 0
    immediate_or_cancel: int = 0
    trigger_condition: int = 0
    auction_duration: int = 0
    posted_slot_tail: int = 0
    bit_flags: int = 0
    padding: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the order rests; a closed order's slot keeps its data until it is used again."""
        return self.status == 1


class UserTail(NamedTuple):
    """What follows the orders."""

    last_add_perp_lp_shares_ts: int = 0
    total_deposits: int = 0
    total_withdraws: int = 0
    total_social_loss: int = 0
    settled_perp_pnl: int = 0
    cumulative_spot_fees: int = 0
    cumulative_perp_funding: int = 0
    liquidation_margin_freed: int = 0
    last_active_slot: int = 0
    next_order_id: int = 1
    max_margin_ratio: int = 0
    next_liquidation_id: int = 1
    sub_account_id: int = 0
    status: int = 0
    is_margin_trading_enabled: int = 0
    idle: int = 0
    open_orders: int = 0
    has_open_order: int = 0
    open_auctions: int = 0
    has_open_auction: int = 0
    margin_mode: int = 0
    pool_id: int = 0
    padding1: bytes = bytes(3)
    last_fuel_bonus_update_ts: int = 0
    padding: bytes = bytes(12)


class User(NamedTuple):
    """A whole User account; always 8 spot positions, 8 perp positions and 32 orders when decoded."""

    authority: Pubkey
    delegate: Pubkey
    name: bytes
    spot_positions: tuple[SpotSlot, ...]
    perp_positions: tuple[PerpSlot, ...]
    orders: tuple[OrderSlot, ...]
    tail: UserTail


def decode_user(data: bytes) -> User:
    """Raises CodecError where `data` is no User account."""
    if len(data) != USER_SIZE or data[:8] != accounts().discriminators["User"]:
        raise CodecError(f"expected a User account of {USER_SIZE} bytes, was {len(data)} bytes")
    _, authority, delegate, name = _HEAD.unpack_from(data)
    offset = _HEAD.size
    spot = [SpotSlot(*_SPOT.unpack_from(data, offset + place * _SPOT.size)) for place in range(8)]
    offset += 8 * _SPOT.size
    perp = [PerpSlot(*_PERP.unpack_from(data, offset + place * _PERP.size)) for place in range(8)]
    offset += 8 * _PERP.size
    orders = [OrderSlot(*_ORDER.unpack_from(data, offset + place * _ORDER.size)) for place in range(32)]
    offset += 32 * _ORDER.size
    tail = UserTail(*_TAIL.unpack_from(data, offset))
    return User(
        Pubkey.from_bytes(authority), Pubkey.from_bytes(delegate), name, tuple(spot), tuple(perp), tuple(orders), tail
    )


def encode_user(user: User) -> bytes:
    """The account's bytes; missing positions and orders are written as empty slots.

    Raises CodecError where there are too many of them or a number does not fit.
    """
    try:
        head = _HEAD.pack(
            accounts().discriminators["User"], bytes(user.authority), bytes(user.delegate), user.name.ljust(32)
        )
        spot = _filled(_SPOT, user.spot_positions, 8)
        perp = _filled(_PERP, user.perp_positions, 8)
        return head + spot + perp + _filled(_ORDER, user.orders, 32) + _TAIL.pack(*user.tail)
    except struct.error as error:
        raise CodecError(f"a number does not fit into the User account: {error}") from error


def _filled(layout: struct.Struct, slots: Iterable[tuple[object, ...]], count: int) -> bytes:
    body = b"".join(layout.pack(*slot) for slot in slots)
    if len(body) > count * layout.size:
        raise CodecError(f"at most {count} slots, was {len(body) // layout.size}")
    return body.ljust(count * layout.size, b"\0")
