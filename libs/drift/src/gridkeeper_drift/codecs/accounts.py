"""What the venue's accounts say in Gridkeeper's own terms: a sub-account, a market with its fees, an oracle price.

All arithmetic is the program's own, integer by integer; each function names the file of protocol-v2 it follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from solders.pubkey import Pubkey

from gridkeeper_core.events import OrderType, PositionState
from gridkeeper_core.market import MarketSpec, MarketStatus
from gridkeeper_core.requests import FundingView
from gridkeeper_core.units import E6, NS_PER_S
from gridkeeper_core.venue.records import VenueAccount, VenueOrder
from gridkeeper_drift.codecs.addresses import QUOTE_SPOT_MARKET
from gridkeeper_drift.codecs.idl import CodecError, accounts
from gridkeeper_drift.codecs.oracles import OraclePrice, decode_oracle
from gridkeeper_drift.codecs.user import (
    STATUS_BANKRUPT,
    STATUS_BEING_LIQUIDATED,
    OrderSlot,
    PerpSlot,
    User,
)

VENUE = "drift"
_QUOTE_DECIMALS = 6
_EXCHANGE_ALL_PAUSED = 0xFF
_PERP_MARKET_TYPE = 1
_S_PER_HOUR = 3600
_TRIGGERED = (2, 3)
_ORDER_TYPES: tuple[OrderType, ...] = ("market", "limit", "trigger_market", "trigger_limit", "market")
"""By their number; the last is the oracle auction order, which fills like a market order."""
_STATUSES: dict[str, MarketStatus] = {
    "Initialized": "initialized",
    "Active": "active",
    "ReduceOnly": "reduce-only",
    "Settlement": "settlement",
    "Delisted": "delisted",
}
"""The others are pauses of parts of the market that newer programs keep in `paused_operations`."""


class PerpMarketRead(NamedTuple):
    """A perp market's account and the price of its oracle, read at the same slot."""

    account: Mapping[str, Any]
    price: OraclePrice


def decode_account(name: str, data: bytes) -> dict[str, Any]:
    """An account of the program as plain data. Raises CodecError where it is of another type."""
    named = accounts().decode(data)
    if named is None or named.name != name:
        raise CodecError(f"expected an account of type {name}, was {named.name if named else 'unknown'}")
    return named.value


def market_symbol(market: Mapping[str, Any]) -> str:
    """The name of a perp or spot market, for example SOL-PERP."""
    return bytes(market["name"]).rstrip(b"\0 ").decode()


def market_spec(
    market: Mapping[str, Any], state: Mapping[str, Any], user_stats: Mapping[str, Any] | None = None
) -> MarketSpec:
    """A perp market with the fees that `user_stats` has there now (the first tier without it)."""
    amm = market["amm"]
    taker_e5, rebate_e5 = _fees_e5(state, user_stats, market["fee_adjustment"])
    paused = state["exchange_status"] == _EXCHANGE_ALL_PAUSED
    return MarketSpec(
        symbol=market_symbol(market),
        venue=VENUE,
        index=market["market_index"],
        status="paused" if paused else _STATUSES.get(market["status"], "paused"),
        tick_e6=amm["order_tick_size"],
        step_e9=amm["order_step_size"],
        minimum_e9=amm["min_order_size"],
        margin_ratio_initial_e4=market["margin_ratio_initial"],
        margin_ratio_maintenance_e4=market["margin_ratio_maintenance"],
        maker_fee_e5=-rebate_e5,
        taker_fee_e5=taker_e5,
        paused_operations=market["paused_operations"],
        oracle=str(amm["oracle"]),
    )


def referrer_of(user_stats: Mapping[str, Any] | None) -> Pubkey | None:
    """The authority that referred this one; None where nobody did."""
    referrer: Pubkey | None = user_stats["referrer"] if user_stats else None
    return None if referrer == Pubkey.default() else referrer


def funding_of(market: Mapping[str, Any], oracle_e6: int) -> FundingView | None:
    """The rate the program set last, per hour and against a price; None where it never set one.

    state/perp_market.rs `last_funding_rate`: 1e-9 quote per base for one `funding_period`, longs pay where positive.
    """
    amm = market["amm"]
    if not amm["last_funding_rate_ts"] or not amm["funding_period"] or not oracle_e6:
        return None
    paid_e9 = amm["last_funding_rate"] * E6 * _S_PER_HOUR // (oracle_e6 * amm["funding_period"])
    return FundingView(market=market_symbol(market), paid_hour_e9=paid_e9, at_ns=amm["last_funding_rate_ts"] * NS_PER_S)


def venue_account(
    alias: str,
    slot: int,
    user: User,
    quote_market: Mapping[str, Any],
    markets: Mapping[int, PerpMarketRead],
    signer: Pubkey,
    lamports: int,
) -> VenueAccount:
    """The sub-account as read at `slot`. `markets` must hold every market it has a position in (KeyError)."""
    return VenueAccount(
        alias=alias,
        slot=slot,
        deposit_e6=deposit_e6(user, quote_market),
        orders=tuple(_order(order) for order in user.orders if order.is_open and _is_perp(order)),
        positions=tuple(
            _position(position, markets[position.market_index])
            for position in user.perp_positions
            if position.base_asset_amount or position.quote_asset_amount
        ),
        next_order_id=user.tail.next_order_id,
        being_liquidated=bool(user.tail.status & (STATUS_BEING_LIQUIDATED | STATUS_BANKRUPT)),
        lamports=lamports,
        signer_may_trade=signer in (user.authority, user.delegate),
        signer=str(signer),
    )


def deposit_e6(user: User, quote_market: Mapping[str, Any]) -> int:
    """The quote asset held (negative: owed), interest to the market's last update included.

    math/spot_balance.rs `get_token_amount`: a deposit is rounded down, a debt up.
    """
    total = 0
    divisor = 10 ** (19 - _QUOTE_DECIMALS)
    for position in user.spot_positions:
        if position.scaled_balance == 0 or position.market_index != QUOTE_SPOT_MARKET:
            continue
        if position.balance_type == 0:
            total += position.scaled_balance * quote_market["cumulative_deposit_interest"] // divisor
        else:
            total -= -(-position.scaled_balance * quote_market["cumulative_borrow_interest"] // divisor)
    return total


def unsettled_funding_e6(position: PerpSlot, market: Mapping[str, Any]) -> int:
    """What the next settlement of funding will pay the position; positive is received.

    math/funding.rs `calculate_funding_payment`: the magnitude is rounded towards zero.
    """
    base = position.base_asset_amount
    side = "cumulative_funding_rate_long" if base > 0 else "cumulative_funding_rate_short"
    delta: int = market["amm"][side] - position.last_cumulative_funding_rate
    payment = abs(delta) * abs(base) // 10**12
    return -payment if (delta > 0) == (base > 0) else payment


def oracle_price(market: Mapping[str, Any], oracle_data: bytes | None) -> OraclePrice:
    """The price of a perp market's oracle account, scaled as state/oracle.rs does it.

    Of an oracle kind that is not read here, it is the price the market itself last used, with the slot of that use.
    Raises CodecError where the account is not of the kind the market names.
    """
    amm = market["amm"]
    found = None if oracle_data is None else decode_oracle(amm["oracle_source"], oracle_data)
    if found is not None:
        return found
    last = amm["historical_oracle_data"]
    slot = amm["last_update_slot"] - max(0, last["last_oracle_delay"])
    return OraclePrice(last["last_oracle_price"], slot, last["last_oracle_conf"])


def _position(position: PerpSlot, market: PerpMarketRead) -> PositionState:
    return PositionState(
        market=market_symbol(market.account),
        market_index=position.market_index,
        base_e9=position.base_asset_amount,
        quote_asset_e6=position.quote_asset_amount,
        quote_entry_e6=position.quote_entry_amount,
        quote_break_even_e6=position.quote_break_even_amount,
        oracle_e6=market.price.price_e6,
        unsettled_funding_e6=unsettled_funding_e6(position, market.account),
    )


def _is_perp(order: OrderSlot) -> bool:
    return order.market_type == _PERP_MARKET_TYPE


def _order(order: OrderSlot) -> VenueOrder:
    # A trigger order that was triggered rests or fills like the order it stands for.
    order_type = _ORDER_TYPES[order.order_type]
    if order.trigger_condition in _TRIGGERED and order_type.startswith("trigger_"):
        order_type = cast("OrderType", order_type.removeprefix("trigger_"))
    return VenueOrder(
        order_id=order.order_id,
        user_order_id=order.user_order_id,
        market_index=order.market_index,
        side="buy" if order.direction == 0 else "sell",
        price_e6=order.price,
        size_e9=order.base_asset_amount,
        filled_e9=order.base_asset_amount_filled,
        reduce_only=bool(order.reduce_only),
        max_ts=order.max_ts,
        order_type=order_type,
        trigger_e6=order.trigger_price,
    )


_VOLUME_TIERS_E6 = tuple(millions * 10**12 for millions in (2, 10, 20, 80, 200))
_STAKE_TIERS_E6 = tuple(tokens * 10**6 for tokens in (999, 9_999, 49_999, 99_999, 249_995))
_STAKE_BENEFITS_PERCENT = (0, 5, 10, 20, 30, 40)


def _fees_e5(
    state: Mapping[str, Any], user_stats: Mapping[str, Any] | None, adjustment_percent: int
) -> tuple[int, int]:
    """Taker fee and maker rebate, 1e-5 of notional, after math/fees.rs: fees round up, rebates down."""
    volume = user_stats["taker_volume30d"] + user_stats["maker_volume30d"] if user_stats else 0
    staked = user_stats["if_staked_gov_token_amount"] if user_stats else 0
    tier = state["perp_fee_structure"]["fee_tiers"][sum(volume >= bound for bound in _VOLUME_TIERS_E6)]
    benefit = _STAKE_BENEFITS_PERCENT[sum(staked >= bound for bound in _STAKE_TIERS_E6)]
    taker = _ratio_up(tier["fee_numerator"] * 10**5 * (100 - benefit), tier["fee_denominator"] * 100)
    rebate_denominator = tier["maker_rebate_denominator"] * 100
    rebate = tier["maker_rebate_numerator"] * 10**5 * (100 + benefit) // rebate_denominator
    scale = 100 + adjustment_percent
    return _ratio_up(taker * scale, 100), rebate * scale // 100


def _ratio_up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
