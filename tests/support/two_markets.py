"""A lab with two small markets and a grid on each, one of which may see no prices for a while."""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core.inputs import ProposeGrid
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E6, NS_PER_S
from gridkeeper_core.venue.state import FillRules, MarketRules
from gridkeeper_lab.engine import Lab
from support.story import SPEC, START_NS, config

OTHER = replace(SPEC, symbol="BTC-PERP", index=1)


class TwoMarkets:
    """Grid `sol` between 100 and 110, grid `btc` between 200 and 210."""

    def __init__(self) -> None:
        self.lab = Lab([MarketRules(spec=SPEC), MarketRules(spec=OTHER)], fills=FillRules(model="touch"))
        self.now_ns = START_NS
        self._rows = 0

    def opened(self) -> TwoMarkets:
        """A price each, then both grids."""
        self.price("SOL-PERP", 105).price("BTC-PERP", 205)
        wishes = (
            config(grid_id="sol", live_orders=8),
            config(grid_id="btc", market="BTC-PERP", lower_e6=200 * E6, upper_e6=210 * E6, live_orders=8),
        )
        for wish in wishes:
            self.lab.command(f"grid:{wish.grid_id}", ProposeGrid(config=wish, source=""), author="ann")
        return self

    def price(self, market: str, price: float, after_s: int = 1) -> TwoMarkets:
        """One row of one market; a price is good for a quarter of an hour."""
        self._rows += 1
        self.now_ns += after_s * NS_PER_S
        self.lab.row(
            Price(
                market=market,
                source="story",
                source_seq=self._rows,
                ts_ns=self.now_ns,
                oracle_e6=round(price * E6),
                good_for_ns=900 * NS_PER_S,
            )
        )
        return self
