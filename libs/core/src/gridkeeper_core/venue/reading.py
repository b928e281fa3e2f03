"""Shows an account of the model as the port to the venue shows it."""

from __future__ import annotations

from collections.abc import Mapping

from gridkeeper_core.events import OrderType, PositionState
from gridkeeper_core.venue import funding
from gridkeeper_core.venue.margin import free_collateral_e6
from gridkeeper_core.venue.records import VenueAccount, VenueOrder
from gridkeeper_core.venue.state import Account, Market, Order

BEING_LIQUIDATED, BANKRUPT = 1, 2


def venue_account(
    held: Account, markets: Mapping[int, Market], *, alias: str, slot: int, lamports: int
) -> VenueAccount:
    """The account at a slot."""
    return VenueAccount(
        alias=alias,
        slot=slot,
        deposit_e6=held.deposit_e6,
        orders=tuple(_venue_order(order) for order in held.open_orders),
        positions=tuple(
            _position_state(held, markets[index])
            for index, position in sorted(held.positions.items())
            if position.base_e9 or position.quote_asset_e6
        ),
        next_order_id=held.next_order_id,
        being_liquidated=user_status(held, markets) != 0,
        lamports=lamports,
    )


def user_status(held: Account, markets: Mapping[int, Market]) -> int:
    """The bits of `User.status`: 1 being liquidated (below its maintenance margin), 2 bankrupt."""
    if held.is_bankrupt:
        return BANKRUPT
    return BEING_LIQUIDATED if held.positions and free_collateral_e6(held, markets, "maintenance") < 0 else 0


def _position_state(held: Account, market: Market) -> PositionState:
    position = held.position(market.spec.index)
    return PositionState(
        market=market.spec.symbol,
        market_index=market.spec.index,
        base_e9=position.base_e9,
        quote_asset_e6=position.quote_asset_e6,
        quote_entry_e6=position.quote_entry_e6,
        quote_break_even_e6=position.quote_break_even_e6,
        oracle_e6=market.oracle_e6,
        unsettled_funding_e6=funding.unsettled_e6(market, position),
    )


def _venue_order(order: Order) -> VenueOrder:
    return VenueOrder(
        order_id=order.order_id,
        user_order_id=order.user_order_id,
        market_index=order.market_index,
        side=order.side,
        price_e6=order.price_e6,
        size_e9=order.size_e9,
        filled_e9=order.filled_e9,
        reduce_only=order.reduce_only,
        max_ts=order.max_ts,
        order_type=_live_type(order),
        trigger_e6=order.trigger_e6,
    )


def _live_type(order: Order) -> OrderType:
    """A trigger order that was triggered rests or fills like the order it stands for."""
    if not order.triggered:
        return order.order_type
    return "market" if order.order_type == "trigger_market" else "limit"
