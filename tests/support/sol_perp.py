"""The market most tests trade on, as exchanges list it; where a test wants cents as ticks, so does `CENTS`."""

from __future__ import annotations

import msgspec

from gridkeeper_core.market import MarketSpec

SOL_PERP = MarketSpec(
    symbol="SOL-PERP",
    venue="drift",
    index=0,
    tick_e6=100,
    step_e9=10_000_000,
    minimum_e9=10_000_000,
    margin_ratio_initial_e4=1_000,
    margin_ratio_maintenance_e4=500,
    maker_fee_e5=-20,
    taker_fee_e5=100,
)
CENTS = msgspec.structs.replace(SOL_PERP, tick_e6=10_000)
"""The same with ticks of 0.01, so that a story's prices are whole ticks that a reader can count."""
