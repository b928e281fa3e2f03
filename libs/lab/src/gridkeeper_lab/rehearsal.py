"""Rehearses a grid's settings on recorded prices: what would have been wanted, filled and earned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import GridRejected, OrderFilled, OrdersWanted
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.inputs import ProposeGrid
from gridkeeper_core.ledger.marks import Result
from gridkeeper_core.ledger.views import grid_view
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.names import stream
from gridkeeper_core.prices.price import Price
from gridkeeper_core.venue.state import FillRules, MarketRules
from gridkeeper_lab.engine import ACCOUNT, Lab


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What the rehearsal is played in: markets, deposit (1e-6), the price the grid is proposed at, how orders fill."""

    specs: tuple[MarketSpec, ...]
    deposit_e6: int
    proposed_at_seq: int
    fills: FillRules = FillRules()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended. `intents` are all orders ever wanted (at price and size), `fills` those that filled."""

    ticks: int
    intents: frozenset[str]
    fills: tuple[str, ...]
    result: Result


def rehearse(
    scene: Scene,
    config: GridConfig,
    source: str,
    prices: Iterable[Price],
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Play the prices from the one at which the grid was proposed. Raises GridkeeperError, also when it is rejected."""
    lab = Lab([MarketRules(spec=spec) for spec in scene.specs], fills=scene.fills, deposit_e6=scene.deposit_e6)
    mine = msgspec.structs.replace(config, account=ACCOUNT)
    count, is_proposed = 0, False
    for price in prices:
        if price.source_seq < scene.proposed_at_seq:
            continue
        lab.row(price)
        count += 1
        progress(count)
        if not is_proposed and price.market == config.market:
            lab.command(stream("grid", config.grid_id), ProposeGrid(config=mine, source=source))
            is_proposed = True
    if not is_proposed:
        raise GridkeeperError("NO_PRICE", field="prices", value=config.market, expected="recorded prices of the market")
    facts = [event.fact for event in lab.log]
    for fact in facts:
        if isinstance(fact, GridRejected):
            raise GridkeeperError(fact.code, field="grid", value=config.grid_id, detail=fact.detail)
    return Outcome(
        ticks=count,
        intents=frozenset(_wanted(facts)),
        fills=tuple(f"{f.intent_id} {f.side} {f.base_e9} at {f.price_e6}" for f in facts if isinstance(f, OrderFilled)),
        result=grid_view(lab.ledger.state, config.grid_id).result,
    )


def _wanted(facts: Sequence[object]) -> Iterable[str]:
    for fact in facts:
        if isinstance(fact, OrdersWanted):
            yield from (f"{order.intent_id} {order.side} {order.size_e9} at {order.price_e6}" for order in fact.wanted)
