"""An order as driftpy's OrderParams; to be imported by those who place orders, since driftpy's types take a while."""

from __future__ import annotations

import warnings
from typing import Any

from gridkeeper_core.venue.records import PlaceOrder

with warnings.catch_warnings():
    # What driftpy's enums are made with passes an argument that attrs is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from driftpy.types import (
        MarketType,
        OrderParams,
        OrderTriggerCondition,
        OrderType,
        PositionDirection,
        PostOnlyParams,
    )

_ORDER_TYPES = {
    "limit": OrderType.Limit(),
    "market": OrderType.Market(),
    "trigger_market": OrderType.TriggerMarket(),
    "trigger_limit": OrderType.TriggerLimit(),
}
_POST_ONLY = {
    "must": PostOnlyParams.MustPostOnly(),
    "try": PostOnlyParams.TryPostOnly(),
    "none": PostOnlyParams.NONE(),
}
_IMMEDIATE_OR_CANCEL = 1


def order_params(place: PlaceOrder) -> Any:
    """One order as driftpy's OrderParams."""
    # Without a trigger the condition means nothing; it is what driftpy sends then.
    above = place.trigger_above or not place.trigger_e6
    return OrderParams(
        order_type=_ORDER_TYPES[place.order_type],
        market_type=MarketType.Perp(),
        direction=PositionDirection.Long() if place.side == "buy" else PositionDirection.Short(),
        user_order_id=place.user_order_id,
        base_asset_amount=place.size_e9,
        price=place.price_e6,
        market_index=place.market_index,
        reduce_only=place.reduce_only,
        post_only=_POST_ONLY[place.post_only],
        bit_flags=_IMMEDIATE_OR_CANCEL if place.immediate_or_cancel else 0,
        max_ts=place.max_ts or None,
        trigger_price=place.trigger_e6 or None,
        trigger_condition=OrderTriggerCondition.Above() if above else OrderTriggerCondition.Below(),
    )
