"""What holds while levels move, settings change, flags come and go and limits trip, on random paths through the lab."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.decide import settle
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.inputs import CommandBody, EditGrid, FlagGrid, PauseGrid, ResumeGrid
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.ledger.marks import lines_at, result_at
from gridkeeper_core.orders.state import SLOTS
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue.state import FillRules
from support.story import Story, config

grids = st.fixed_dictionaries(
    {
        "direction": st.sampled_from(["neutral", "neutral", "long", "short"]),
        "entry": st.just("taker"),
        "live_orders": st.integers(2, 28),
        "spacing": st.sampled_from(["arithmetic", "geometric"]),
        "range_below": st.sampled_from(["hold", "recenter", "reduce"]),
        "range_above": st.sampled_from(["hold", "recenter", "reduce"]),
        "recenter_after_ns": st.just(5 * NS_PER_S),
        "risk_enabled": st.booleans(),
        "capital_e6": st.just(100 * E6),
        "max_drawdown_e4": st.sampled_from([300, 1_000, 5_000]),
        "on_red": st.sampled_from(["hold", "flatten"]),
        "cool_down_ns": st.just(0),
        "daily_loss_e4": st.sampled_from([None, 400]),
        "pump_move_e4": st.sampled_from([150, None]),
        "pump_pause_ns": st.just(10 * NS_PER_S),
        "compound_every_e4": st.sampled_from([None, 100]),
        "canary_for_ns": st.just(7 * NS_PER_S),
        "canary_share_e4": st.sampled_from([500, 5_000]),
    }
)
trails = st.sampled_from([{}, {"trail_up_limit_e6": 125 * E6}, {"trail_down_limit_e6": 90 * E6}])
fill_rules = st.sampled_from([FillRules(model="touch"), FillRules(model="through"), FillRules(model="queue")])
rows = st.tuples(st.just("price"), st.integers(9_600, 11_600), st.sampled_from([0.3, 1.0, 5.0]), st.integers(1, 20))
changes = st.fixed_dictionaries(
    {},
    optional={
        "lower_e6": st.sampled_from([96 * E6, 98 * E6, 100 * E6]),
        "upper_e6": st.sampled_from([108 * E6, 112 * E6, 110 * E6]),
        "intervals": st.sampled_from([4, 10, 13]),
        "size_base_e9": st.sampled_from([E9 // 2, E9, 2 * E9]),
        "live_orders": st.integers(2, 27),
        "reserve": st.integers(1, 5),
        "stop_low_e6": st.sampled_from([90 * E6, None]),
    },
)
steps = st.lists(
    st.one_of(
        rows,
        rows,
        rows,
        st.tuples(st.just("edit"), changes),
        st.tuples(st.just("flag"), st.sampled_from(["shadow", "canary", "live"])),
        st.tuples(st.just("pause")),
        st.tuples(st.just("resume")),
    ),
    min_size=1,
    max_size=25,
)


def with_policies(grid: dict[str, Any], trail: dict[str, int]) -> dict[str, Any]:
    """A side that trails has no other policy."""
    above = {"range_above": "hold"} if "trail_up_limit_e6" in trail else {}
    below = {"range_below": "hold"} if "trail_down_limit_e6" in trail else {}
    return grid | trail | above | below


def told(story: Story, changed: dict[str, Any], path: list[tuple[Any, ...]]) -> None:
    for step in path:
        match step:
            case ("price", tick, size, seconds):
                story.price(tick / 100, size=size, after_s=seconds)
            case ("edit", edits):
                ask(story, EditGrid(config=config(**(changed | edits)), source=str(edits)))
            case ("flag", flag):
                ask(story, FlagGrid(flag=flag))
            case ("pause",):
                ask(story, PauseGrid())
            case _:
                ask(story, ResumeGrid())
        check(story)


def ask(story: Story, body: CommandBody) -> None:
    """What the grid refuses must have changed nothing."""
    before, count = story.grid, len(story.lab.log)
    try:
        story.command(body)
    except GridkeeperError:
        assert (story.grid, len(story.lab.log)) == (before, count)


def check(story: Story) -> None:
    grid = story.grid
    if grid.status == "rejected":
        return
    assert all(0 <= held <= size for held, size in zip(grid.held_e9, grid.sizes_e9, strict=True))
    assert len(set(grid.names.all(len(grid.sizes_e9)))) == len(grid.sizes_e9) == len(grid.levels_e6) - 1
    assert sorted(grid.levels_e6) == list(grid.levels_e6)
    # A stop rests beside the window as well, and has no price of its own.
    prices = [price for _, price, _ in story.resting() if price]
    assert len(prices) == len(set(prices))
    # The one order that reduces belongs to no level: it rests in the reserve, not in the window.
    reducing = sum(order.kind == "flatten" for order in grid.orders.values())
    assert reducing <= 1
    assert len(prices) <= grid.config.live_orders + reducing
    if grid.status == "open":
        check_slots(story)
    venue = story.lab.venue.read("main", "main")
    assert grid.position_e9 == (venue.positions[0].base_e9 if venue.positions else 0)
    assert story.facts(e.GridFaulted, e.VenueDiffers) == []
    books = story.lab.ledger.state.grids.get("tale")
    if books is not None:
        assert books.sums.position.base_e9 == grid.position_e9
        assert books.sums.position.quote_asset_e6 == grid.cash_e6
        result = result_at(books.sums, 105 * E6)
        assert sum(line.quote_e6 for line in lines_at(books, 105 * E6)) == result.total_pnl_e6


def check_slots(story: Story) -> None:
    """The account keeps for the grid what its settings need, or more as long as orders are in it; never too little."""
    grid, account = story.grid, story.lab.execution.account("main")
    reserved = account.reservations["tale"]
    assert (reserved.slots, reserved.leverage_e4) == (grid.slots, grid.config.leverage_e4)
    assert len(account.attempts) + len(account.queued) <= reserved.slots <= SLOTS
    assert grid.config.order_slots <= grid.slots
    assert grid.slots == grid.config.order_slots or len(grid.orders) > grid.config.order_slots
    assert grid.pending is None


@settings(max_examples=120)
@given(grids, trails, fill_rules, steps)
def test_position_cells_and_books_agree_through_every_change_of_the_levels(
    grid: dict[str, Any], trail: dict[str, int], fills: FillRules, path: list[tuple[Any, ...]]
) -> None:
    changed = with_policies(grid, trail)
    story = Story(fills, **changed).opened_at(105.2)
    told(story, changed, path)
    story.lab.reconcile()
    assert not story.lab.execution.account("main").differs


@settings(max_examples=60)
@given(grids, trails, fill_rules, steps)
def test_the_log_alone_gives_state_and_books_and_no_pause_saw_a_new_order(
    grid: dict[str, Any], trail: dict[str, int], fills: FillRules, path: list[tuple[Any, ...]]
) -> None:
    changed = with_policies(grid, trail)
    story = Story(fills, **changed).opened_at(105.2)
    told(story, changed, path)

    strategy, ledger = StrategyMachine(), LedgerMachine()
    for event in story.lab.log:
        kind = event.stream.partition(":")[0]
        if kind == "grid":
            strategy.restore(event)
            check_wanted(strategy, event.fact)
        elif kind in ("ledger", "books"):
            ledger.restore(event)
    assert strategy.grid("tale") == story.grid
    assert strategy.digests() == story.lab.strategy.digests()
    assert ledger.digests() == story.lab.ledger.digests()


def check_wanted(strategy: StrategyMachine, fact: e.Fact) -> None:
    """While a grid is paused, only its entry, its stops and what reduces it are placed."""
    if isinstance(fact, e.OrdersWanted) and strategy.grid("tale").pauses:
        assert {want.kind for want in fact.wanted} <= {"entry", "flatten", "stop-low", "stop-high", "take-profit"}


@settings(max_examples=60)
@given(grids, trails, steps)
def test_prices_inside_the_band_lead_to_nothing_under_these_rules_too(
    grid: dict[str, Any], trail: dict[str, int], path: list[tuple[Any, ...]]
) -> None:
    changed = with_policies(grid, trail)
    story = Story(**changed).opened_at(105.2)
    told(story, changed, path)
    low_e6, high_e6 = story.lab.strategy.bands()["SOL-PERP"]
    before = story.grid
    for offset in (1, (high_e6 - low_e6) // 2, high_e6 - low_e6 - 1):
        price_e6 = low_e6 + offset
        if not low_e6 < price_e6 < min(high_e6, 200 * E6):
            continue
        price = Price(
            market="SOL-PERP", source="story", source_seq=story.seq + 1, ts_ns=story.now_ns, oracle_e6=price_e6
        )
        d = Decision(before, price, story.now_ns)
        settle(d)
        assert d.facts == []


@settings(max_examples=40)
@given(grids, trails, steps)
def test_every_pause_has_a_way_back(grid: dict[str, Any], trail: dict[str, int], path: list[tuple[Any, ...]]) -> None:
    changed = with_policies(grid, trail)
    story = Story(**changed).opened_at(105.2)
    told(story, changed, path)
    if story.grid.status != "open":
        return
    # Time and a calm price end what ends by itself, a person the rest; twice, as a limit may trip once more meanwhile.
    for _ in range(3):
        story.price(105.3, after_s=601).price(105.3, after_s=601)
        ask(story, ResumeGrid())
    assert story.grid.pauses == {}
