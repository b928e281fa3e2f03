"""A grid's settings as integers, whatever file they were read from."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.units import NS_PER_S

Direction = Literal["neutral", "long", "short"]
Spacing = Literal["arithmetic", "geometric", "custom"]


class GridConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a grid's settings.

    Prices 1e-6 quote, sizes 1e-9 base, quote amounts 1e-6, leverage and drawdown 1e-4, durations ns. Exactly one of
    `size_base_e9` and `size_quote_e6` is set. Levels are rounded to the market's tick only when the market is known.
    """

    grid_id: str
    market: str
    account: str = "main"
    direction: Direction = "neutral"
    lower_e6: int
    upper_e6: int
    intervals: int
    spacing: Spacing = "geometric"
    custom_levels_e6: tuple[int, ...] = ()
    size_base_e9: int | None = None
    size_quote_e6: int | None = None
    leverage_e4: int = 30_000
    capital_e6: int | None = None
    live_orders: int = 28
    reserve: int = 4
    hysteresis: int = 2
    roll_interval_ns: int = 5 * NS_PER_S
    resize_after_ns: int = 5 * NS_PER_S
    order_life_ns: int = 4 * 3600 * NS_PER_S
    risk_enabled: bool = True
    max_drawdown_e4: int = 1_500
    price_age_max_ns: int = 30 * NS_PER_S
