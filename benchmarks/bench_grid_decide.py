"""Measures what one decision of a grid costs, for ten, a hundred and a thousand levels, beside the bare loop."""

from __future__ import annotations

import time
from collections.abc import Callable

from section import print_section

from gridkeeper_core import events as e
from gridkeeper_core.grid import decide, fills
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.evolve import begin
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.grid.opening import reserved
from gridkeeper_core.grid.state import GridState, LiveOrder
from gridkeeper_core.inputs import EventSeen, PriceTick
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import GENESIS, Recorded
from gridkeeper_core.units import E6, E9, NS_PER_S

LEVELS = (10, 100, 1_000)
ROUNDS = 9
TICKS, DECISIONS = 5_000, 200
START_LIVE, FEW_LIVE = 28, 4
START_NS = 1_767_225_600 * NS_PER_S
SPEC = MarketSpec(
    symbol="SOL-PERP",
    venue="drift",
    index=0,
    tick_e6=10_000,
    step_e9=E9 // 100,
    minimum_e9=E9 // 100,
    margin_ratio_initial_e4=1_000,
    margin_ratio_maintenance_e4=500,
    maker_fee_e5=-20,
    taker_fee_e5=100,
)

ABOUT = """
One neutral grid, arithmetic levels 0.50 apart, the price in its middle; nanoseconds of processor time, best of nine
rounds in which the sizes take turns, so that a load on the machine falls on all alike. *Bare loop*: the same calls of a
function that does nothing. *Tick*: a price that reaches no level, through the whole strategy machine. *Fill*: the fill
of the nearest buy and all that follows from it, as facts folded into the state, with 28 live orders (with ten levels:
nine). *Roll*: a quarter of the live orders, all of them sells, was filled and the window follows: as many buys go and
twice as many orders come. Ten levels have a window of 4 only.
"""
COLUMNS = ("levels", "bare loop", "tick", "fill", "roll of 4 live orders", "roll of 28 live orders")

Act = Callable[[int], object]


def main() -> None:
    acts = {count: _acts(count) for count in LEVELS}
    best = {(count, name): float("inf") for count in LEVELS for name in acts[count]}
    for _ in range(ROUNDS):
        for count, name in best:
            act, calls = acts[count][name]
            best[count, name] = min(best[count, name], _ns(act, calls))
    names = list(acts[LEVELS[-1]])
    rows = [
        (f"{count:,}", *(f"{best[count, name]:,.0f}" if (count, name) in best else "all are live" for name in names))
        for count in LEVELS
    ]
    grown = [f"{best[LEVELS[-1], name] / best[LEVELS[1], name]:.2f}" for name in names]
    rows.append((f"{LEVELS[-1]:,} against {LEVELS[1]}", *grown))
    print_section("A decision of a grid: nanoseconds", ABOUT, COLUMNS, rows)


def _acts(count: int) -> dict[str, tuple[Act, int]]:
    """What is measured of a grid of so many levels, and how often per round."""
    state = _opened(_config(count, START_LIVE))
    acts: dict[str, tuple[Act, int]] = {
        "bare loop": (lambda _: None, TICKS),
        "tick": (_ticks(state.config), TICKS),
        "fill": (_fill(state), DECISIONS),
        "roll of 4": (_roll(_opened(_config(count, FEW_LIVE))), DECISIONS),
    }
    if count > START_LIVE + 1:
        acts["roll of 28"] = (_roll(state), DECISIONS)
    return acts


def _ns(act: Act, calls: int) -> float:
    began_ns = time.process_time_ns()
    for index in range(calls):
        act(index)
    return (time.process_time_ns() - began_ns) / calls


def _config(levels: int, live_orders: int) -> GridConfig:
    lower_e6 = 1_000 * E6
    return GridConfig(
        grid_id="bench",
        market="SOL-PERP",
        lower_e6=lower_e6,
        upper_e6=lower_e6 + (levels - 1) * E6 // 2,
        intervals=levels - 1,
        spacing="arithmetic",
        size_base_e9=E9,
        live_orders=live_orders,
        order_life_ns=0,
        roll_interval_ns=0,
        risk_enabled=False,
        pump_move_e4=10_000,
    )


def _price(seq: int, oracle_e6: int) -> Price:
    return Price(
        market="SOL-PERP",
        source="bench",
        source_seq=seq,
        ts_ns=START_NS,
        oracle_e6=oracle_e6,
        good_for_ns=3_600 * NS_PER_S,
    )


def _middle_e6(config: GridConfig) -> int:
    return (config.lower_e6 + config.upper_e6) // 2 + E6 // 10


def _reserved() -> e.SlotsReserved:
    return e.SlotsReserved(grid_id="bench", slots=32, spec=SPEC, position_e9=0, collateral_e6=10**12)


def _proposed(config: GridConfig) -> e.GridProposed:
    return e.GridProposed(config=config, source="", author="bench", reason="")


def _opened(config: GridConfig) -> GridState:
    d = Decision(begin("bench", _proposed(config)), _price(1, _middle_e6(config)), START_NS)
    reserved(d, _reserved())
    decide.settle(d)
    return d.state


def _ticks(config: GridConfig) -> Act:
    machine = StrategyMachine()
    machine.restore(_recorded("grid:bench", _proposed(config)))
    machine.accept(PriceTick(now_ns=START_NS, price=_price(1, _middle_e6(config))))
    machine.accept(EventSeen(now_ns=START_NS, event=_recorded("account:main", _reserved())))
    inputs = [PriceTick(now_ns=START_NS, price=_price(2 + k, _middle_e6(config) + k % 2)) for k in range(100)]
    assert machine.grid("bench").status == "open"
    return lambda index: machine.accept(inputs[index % 100])


def _recorded(stream: str, fact: e.Fact) -> Recorded:
    return Recorded(stream=stream, version=1, ts_ns=START_NS, cause="", thread="", prev=GENESIS, fact=fact)


def _fill(state: GridState) -> Act:
    price = _price(2, _middle_e6(state.config))
    order = max((o for o in state.orders.values() if o.side == "buy"), key=lambda o: o.price_e6)
    fact = _filled(order)

    def act(_: int) -> None:
        d = Decision(state, price, START_NS + NS_PER_S)
        decide.settle(d, fills.filled(d, fact))
        assert len(d.facts) == 3

    return act


def _roll(state: GridState) -> Act:
    rolled = state.config.live_orders // 4
    nearest = sorted((o for o in state.orders.values() if o.side == "sell"), key=lambda o: o.price_e6)[:rolled]
    price = _price(2, nearest[-1].price_e6 + E6 // 10)
    before = Decision(state, price, START_NS)
    for order in nearest:
        fills.filled(before, _filled(order))

    def act(_: int) -> None:
        d = Decision(before.state, price, START_NS + NS_PER_S)
        decide.settle(d)
        change = d.facts[-1]
        assert isinstance(change, e.OrdersWanted)
        assert (len(change.unwanted), len(change.wanted)) == (rolled, 2 * rolled)

    return act


def _filled(order: LiveOrder) -> e.OrderFilled:
    return e.OrderFilled(
        intent_id=order.intent_id,
        attempt=1,
        order_id=1,
        market="SOL-PERP",
        market_index=0,
        fill_record_id=1,
        cell=order.cell,
        side=order.side,
        price_e6=order.price_e6,
        base_e9=order.size_e9,
        quote_e6=order.price_e6,
        fee_e6=0,
        maker=True,
        cumulative_e9=order.size_e9,
        size_e9=order.size_e9,
        oracle_e6=order.price_e6,
        slot=1,
        signature="",
        index=0,
    )


if __name__ == "__main__":
    main()
