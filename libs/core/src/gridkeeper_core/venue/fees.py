"""Trading fees as Drift rounds them: what a taker pays is rounded up, what a maker gets is rounded down."""

from __future__ import annotations

from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import div_ceil

FEE_DENOMINATOR = 100_000


def taker_fee_e6(spec: MarketSpec, quote_e6: int) -> int:
    """What a taker pays on `quote_e6` (not negative)."""
    return div_ceil(quote_e6 * spec.taker_fee_e5, FEE_DENOMINATOR)


def maker_fee_e6(spec: MarketSpec, quote_e6: int) -> int:
    """What a maker pays on `quote_e6` (not negative); negative is a rebate."""
    # Rounding up a negative fee is rounding down the rebate.
    return div_ceil(quote_e6 * spec.maker_fee_e5, FEE_DENOMINATOR)
