"""What must be known of a market before an order is placed on it."""

from __future__ import annotations

from typing import Literal

import msgspec

MarketStatus = Literal["active", "reduce-only", "paused", "settlement", "delisted", "initialized"]


class MarketSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One perpetual market as its venue describes it now; every number can be changed by the venue's admin.

    Ratios are 1e-4 of notional, fees 1e-5 (Drift's FEE_DENOMINATOR is 100,000); a negative maker fee is a rebate.
    """

    symbol: str
    venue: str
    index: int
    status: MarketStatus = "active"
    tick_e6: int
    step_e9: int
    minimum_e9: int
    margin_ratio_initial_e4: int
    margin_ratio_maintenance_e4: int
    maker_fee_e5: int
    taker_fee_e5: int
    paused_operations: int = 0
    oracle: str = ""

    @property
    def is_open(self) -> bool:
        """Whether risk-increasing orders may be placed."""
        return self.status == "active"


def round_down_to(value: int, unit: int) -> int:
    """The largest multiple of `unit` not above `value`."""
    return value - value % unit


def round_half_even_to(numerator: int, denominator: int, unit: int) -> int:
    """numerator/denominator rounded half-even to a multiple of `unit` (all positive)."""
    whole, rest = divmod(numerator, denominator * unit)
    twice = 2 * rest
    if twice > denominator * unit or (twice == denominator * unit and whole % 2 == 1):
        whole += 1
    return whole * unit
