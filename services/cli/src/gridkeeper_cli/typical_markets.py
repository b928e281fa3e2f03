"""What Drift's large markets usually look like, for a preview while nothing runs that could be asked."""

from __future__ import annotations

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.market import MarketSpec

NOTE = "nothing runs that knows the venue's own values: tick, sizes, margin and fees are typical ones of Drift"

TYPICAL = tuple(
    MarketSpec(
        symbol=symbol,
        venue="drift",
        index=index,
        tick_e6=tick_e6,
        step_e9=step_e9,
        minimum_e9=step_e9,
        margin_ratio_initial_e4=1000,
        margin_ratio_maintenance_e4=500,
        maker_fee_e5=-20,
        taker_fee_e5=100,
    )
    for index, (symbol, tick_e6, step_e9) in enumerate(
        (("SOL-PERP", 100, 10_000_000), ("BTC-PERP", 100_000, 100_000), ("ETH-PERP", 10_000, 1_000_000))
    )
)


def typical_market(symbol: str) -> MarketSpec:
    """The usual values of a market. Raises GridkeeperError MARKET_UNKNOWN."""
    for spec in TYPICAL:
        if spec.symbol == symbol:
            return spec
    raise GridkeeperError(
        "MARKET_UNKNOWN",
        field="grid.market",
        value=symbol,
        expected=" or ".join(spec.symbol for spec in TYPICAL) + " while nothing runs",
        do="Start gridkeeper: then any market of its venue can be previewed.",
    )
