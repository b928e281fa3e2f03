"""A grid's settings as integers, whatever file they were read from."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.units import NS_PER_S

Direction = Literal["neutral", "long", "short"]
Spacing = Literal["arithmetic", "geometric", "custom"]
RangePolicy = Literal["hold", "trail", "recenter", "reduce", "close"]

RESERVE_WITH_STOPS = 5
"""Two stops, and three slots for what is being replaced."""


class GridConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a grid's settings.

    Prices 1e-6 quote, sizes 1e-9 base, quote amounts 1e-6, leverage and drawdown 1e-4, durations ns. Exactly one of
    `size_base_e9` and `size_quote_e6` is set. Levels are rounded to the market's tick only when the market is known.
    A stop, trigger or profit of None is not set.
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
    adopt: bool = False
    entry: Literal["maker", "taker"] = "maker"
    entry_timeout_ns: int = 600 * NS_PER_S
    start_trigger_e6: int | None = None
    stop_low_e6: int | None = None
    stop_high_e6: int | None = None
    take_profit_e6: int | None = None
    take_profit_pnl_e4: int | None = None
    missed: Literal["wait", "take"] = "wait"
    slippage_e4: int = 50
    sol_budget_lamports: int = 100_000_000
    transaction_lamports: int = 10_000
    range_below: RangePolicy = "hold"
    range_above: RangePolicy = "hold"
    reduce_share_e4: int = 5_000
    recenter_after_ns: int = 600 * NS_PER_S
    trail_up_limit_e6: int | None = None
    trail_down_limit_e6: int | None = None
    fixed_floor: bool = False
    on_red: Literal["hold", "flatten"] = "hold"
    cool_down_ns: int = 600 * NS_PER_S
    daily_loss_e4: int | None = None
    failures_max: int = 10
    burst_fills: int = 0
    burst_window_ns: int = 10 * NS_PER_S
    confidence_max_e4: int = 200
    divergence_max_e4: int = 500
    pump_move_e4: int | None = None
    pump_pause_ns: int = 300 * NS_PER_S
    compound_every_e4: int | None = None
    canary_share_e4: int = 500
    canary_for_ns: int = 24 * 3600 * NS_PER_S

    @property
    def has_stops(self) -> bool:
        """Whether orders that close the whole position rest on the venue."""
        return not (self.stop_low_e6 is None and self.stop_high_e6 is None and self.take_profit_e6 is None)

    @property
    def order_slots(self) -> int:
        """How many order slots of its account the grid needs."""
        return self.live_orders + (max(self.reserve, RESERVE_WITH_STOPS) if self.has_stops else self.reserve)
