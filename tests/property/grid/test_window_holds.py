"""Which orders are live, on every path: the nearest eligible ones up to the hysteresis, and none while a grid waits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gridkeeper_core import events as e
from gridkeeper_core.events import Side
from gridkeeper_core.grid.decide import settle
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.fills import filled
from gridkeeper_core.grid.state import GridState
from gridkeeper_core.grid.triggers import reference_e6
from gridkeeper_core.grid.window import candidates, must_wait, order_price_e6, per_side
from gridkeeper_core.inputs import HaltAccount, PauseGrid, ResumeAccount, ResumeGrid
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue.state import FillRules
from support.story import MARKET, Story

paths = st.lists(st.integers(9_900, 11_100), min_size=1, max_size=40)
fill_rules = st.sampled_from([FillRules(model="touch"), FillRules(model="through")])
SIDES: tuple[Side, Side] = ("buy", "sell")


@settings(max_examples=60)
@given(st.integers(2, 12), st.integers(0, 3), fill_rules, paths)
def test_live_orders_are_the_nearest_eligible_cells_up_to_the_hysteresis(
    live_orders: int, hysteresis: int, fills: FillRules, path: list[int]
) -> None:
    story = Story(fills, live_orders=live_orders, hysteresis=hysteresis).opened_at(105.2)
    for tick in path:
        story.price(tick / 100)
        newest = story.lab.strategy.newest_price(MARKET)
        assert newest is not None
        for side, count in zip(SIDES, per_side(live_orders), strict=True):
            _check_side(story.grid, side, count, reference_e6(story.grid, newest), story.now_ns)


def _check_side(grid: GridState, side: Side, count: int, at_e6: int, now_ns: int) -> None:
    eligible = list(candidates(grid, side, at_e6))
    live = {order.cell for order in grid.orders.values() if order.side == side and not order.unwanted}
    # On the passive side nothing live is farther out than the hysteresis allows.
    reach = eligible[: count + grid.config.hysteresis]
    if len(reach) == count + grid.config.hysteresis:
        edge_e6 = order_price_e6(grid, side, reach[-1])
        prices = [order_price_e6(grid, side, cell) for cell in live]
        assert all(price >= edge_e6 if side == "buy" else price <= edge_e6 for price in prices)
    # And the nearest ones are live, unless one was turned away, or its level still has the order of the other side.
    taken = {order.price_e6 for order in grid.orders.values()}
    for cell in eligible[: max(count - grid.config.hysteresis, 1)]:
        waits = must_wait(grid, (side, cell), at_e6, now_ns) or order_price_e6(grid, side, cell) in taken
        is_full = sum(not order.unwanted for order in grid.orders.values()) >= grid.config.live_orders
        assert cell in live or waits or is_full


WAYS: dict[str, tuple[Callable[[Story], object], Callable[[Story], object]]] = {
    "paused": (lambda s: s.command(PauseGrid()), lambda s: s.command(ResumeGrid())),
    "kept": (lambda s: s.command(PauseGrid(keep_orders=True)), lambda s: s.command(ResumeGrid())),
    "halted": (
        lambda s: s.command(HaltAccount(), "account:main"),
        lambda s: s.command(ResumeAccount(), "account:main"),
    ),
}


@settings(max_examples=60)
@given(st.sampled_from(sorted(WAYS)), st.sampled_from(["neutral", "long"]), paths, st.integers(1, 39))
def test_nothing_is_wanted_while_a_grid_waits_and_it_is_whole_afterwards(
    way: str, direction: str, path: list[int], at: int
) -> None:
    begin, end = WAYS[way]
    story = Story(direction=direction, entry="taker").opened_at(105.2)
    for tick in path[:at]:
        story.price(tick / 100)
    begin(story)
    count = len(_wanted(story))
    for tick in path[at:]:
        story.price(tick / 100)
    assert len(_wanted(story)) == count
    end(story)
    story.price(105.2).price(105.3, after_s=61)
    assert story.grid.pauses == {}
    assert story.resting()


def _wanted(story: Story) -> list[e.WantedOrder]:
    facts = (fact for fact in story.facts(e.OrdersWanted) if isinstance(fact, e.OrdersWanted))
    return [want for fact in facts for want in fact.wanted]


def test_a_stale_price_wants_nothing() -> None:
    story = Story().opened_at(105.2)
    story.lab.advance(story.now_ns + 2 * 3600 * NS_PER_S)

    assert list(story.grid.pauses) == ["STALE_PRICE"]
    count = len(_wanted(story))
    story.command(PauseGrid()).command(ResumeGrid())
    assert len(_wanted(story)) == count


def test_a_decision_takes_as_many_steps_for_a_thousand_levels_as_for_a_hundred() -> None:
    small, large = _steps(100), _steps(1_000)

    # The window is the same; only a search may look into a few chunks more.
    assert all(many <= few * 1.1 + 20 for few, many in zip(small, large, strict=True))


def _steps(levels: int) -> tuple[int, int]:
    """Function calls of a fill's decision and of a price's at the end of the window."""
    changes: dict[str, Any] = {
        "lower_e6": 1_000 * E6,
        "upper_e6": (1_000 + levels) * E6,
        "intervals": levels - 1,
        "live_orders": 28,
    }
    middle = 1_000 + levels / 2 + 0.3
    story = Story(**changes).opened_at(middle)
    order = max((o for o in story.grid.orders.values() if o.side == "buy"), key=lambda o: o.price_e6)
    fact = e.OrderFilled(
        intent_id=order.intent_id,
        attempt=1,
        order_id=1,
        market=MARKET,
        market_index=0,
        fill_record_id=1,
        cell=order.cell,
        side="buy",
        price_e6=order.price_e6,
        base_e9=E9,
        quote_e6=order.price_e6,
        fee_e6=0,
        maker=True,
        cumulative_e9=E9,
        size_e9=E9,
        oracle_e6=order.price_e6,
        slot=1,
        signature="",
        index=0,
    )
    newest = story.lab.strategy.newest_price(MARKET)

    def fill() -> None:
        d = Decision(story.grid, newest, story.now_ns)
        settle(d, filled(d, fact))

    far = Price(
        market=MARKET, source="story", source_seq=99, ts_ns=story.now_ns, oracle_e6=round((middle + 9) * E6),
        good_for_ns=3_600 * NS_PER_S,
    )  # fmt: skip
    return _calls(fill), _calls(lambda: settle(Decision(story.grid, far, story.now_ns)))


def _calls(act: Callable[[], object]) -> int:
    count = 0

    def counted(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count
