"""Tells stories about grids: a lab with one small market, and short words for what happens in it."""

from __future__ import annotations

from collections.abc import Iterator

from gridkeeper_core import events as e
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.state import GridState
from gridkeeper_core.inputs import CommandBody, ProposeGrid
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue.state import FillRules, MarketRules
from gridkeeper_lab.engine import Lab
from support.sol_perp import CENTS

MARKET = "SOL-PERP"
START_NS = 1_700_000_000 * NS_PER_S
SPEC = CENTS


def config(**changes: object) -> GridConfig:
    """A neutral grid at 100, 101, … 110 with 1 SOL per cell and nothing that makes it wait."""
    settings: dict[str, object] = {
        "grid_id": "tale",
        "market": MARKET,
        "lower_e6": 100 * E6,
        "upper_e6": 110 * E6,
        "intervals": 10,
        "spacing": "arithmetic",
        "size_base_e9": E9,
        "live_orders": 28,
        "hysteresis": 0,
        "roll_interval_ns": 0,
        "order_life_ns": 0,
        "risk_enabled": False,
    }
    return GridConfig(**(settings | changes))  # type: ignore[arg-type]


class Story:
    """A lab in which rows of prices pass, one second apart."""

    def __init__(self, fills: FillRules | None = None, spec: MarketSpec = SPEC, **changes: object) -> None:
        self.lab = Lab([MarketRules(spec=spec)], fills=fills or FillRules(model="touch"))
        self.config = config(**changes)
        self.seq = 0
        self.now_ns = START_NS

    def opened_at(self, price: float) -> Story:
        """The first price comes and the grid opens at it."""
        self.price(price)
        self.command(ProposeGrid(config=self.config, source=""))
        return self

    def price(self, price: float, size: float | None = None, after_s: int = 1) -> Story:
        """One row."""
        self.seq += 1
        self.now_ns += after_s * NS_PER_S
        self.lab.row(
            Price(
                market=MARKET,
                source="story",
                source_seq=self.seq,
                ts_ns=self.now_ns,
                oracle_e6=round(price * E6),
                size_e9=None if size is None else round(size * E9),
                good_for_ns=3600 * NS_PER_S,
            )
        )
        return self

    def prices(self, *prices: float) -> Story:
        """Several rows."""
        for price in prices:
            self.price(price)
        return self

    def command(self, body: CommandBody, target: str = "grid:tale") -> Story:
        """A person asks for something."""
        self.lab.command(target, body, author="ann", reason="because")
        return self

    @property
    def grid(self) -> GridState:
        """The grid as it is."""
        return self.lab.strategy.grid("tale")

    def facts(self, *kinds: type[e.Fact]) -> list[e.Fact]:
        """All facts of these kinds so far."""
        return [event.fact for event in self.lab.log if isinstance(event.fact, kinds)]

    def resting(self) -> list[tuple[str, float, float]]:
        """(side, price, size left) of every order on the venue, by price."""
        account = self.lab.venue.read("main", "main")
        return sorted((o.side, o.price_e6 / E6, (o.size_e9 - o.filled_e9) / E9) for o in account.orders)

    def prices_of(self, side: str) -> list[float]:
        """Where orders of one side rest."""
        return [price for s, price, _ in self.resting() if s == side]

    def stream(self, name: str) -> Iterator[Recorded]:
        """The events of one stream."""
        return (event for event in self.lab.log if event.stream == name)
