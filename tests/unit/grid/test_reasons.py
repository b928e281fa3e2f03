"""Why a level has an order or none, told of a grid at 100, 101, … 110 with 1 SOL per cell."""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core.grid.reasons import ENDINGS, WORDS, LevelReason, grid_reasons, level_reasons, words_of
from gridkeeper_core.grid.state import Retry
from gridkeeper_core.inputs import FlagGrid, HaltAccount, PauseGrid, StopGrid
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue.state import FillRules
from support.story import SPEC, Story


def told(story: Story, now_ns: int | None = None) -> tuple[LevelReason, ...]:
    newest = story.lab.strategy.newest_price("SOL-PERP")
    return level_reasons(story.grid, newest, story.now_ns if now_ns is None else now_ns)


def codes(story: Story) -> list[str]:
    return [reason.code for reason in told(story)]


def at(price: float) -> Price:
    return Price(market="SOL-PERP", source="t", source_seq=99, ts_ns=10**18, oracle_e6=round(price * E6))


def test_in_a_whole_grid_every_level_but_the_gap_has_its_order() -> None:
    story = Story().opened_at(105)

    assert codes(story) == ["ORDER"] * 5 + ["GAP"] + ["ORDER"] * 5
    assert told(story)[4].intent_id == "tale/buy/4/0"
    assert (told(story)[5].side, told(story)[5].cell, told(story)[5].size_e9) == ("", -1, 0)


def test_what_is_far_from_the_price_waits_outside_of_the_window() -> None:
    story = Story(live_orders=4).opened_at(105)

    assert codes(story) == ["WINDOW"] * 3 + ["ORDER"] * 2 + ["GAP"] + ["ORDER"] * 2 + ["WINDOW"] * 3


def test_a_level_the_price_went_over_without_a_fill_is_missed() -> None:
    story = Story().opened_at(105)
    # No order of cell 4 is open any more, and the price is below its buy at 104.
    grid = replace(story.grid, orders={k: o for k, o in story.grid.orders.items() if k != ("buy", 4)})

    reason = level_reasons(grid, at(103.5), 0)[4]

    assert (reason.code, reason.side, reason.detail) == ("MISSED", "buy", "the price is 103.5")


def test_a_part_under_the_market_minimum_is_named_and_not_dropped() -> None:
    story = Story(fills=FillRules(model="queue"), spec=replace(SPEC, minimum_e9=E9 // 10)).opened_at(105)
    story.price(104, size=0.04)

    reason = level_reasons(story.grid, at(104.5), story.now_ns)[5]

    assert story.grid.held_e9[4] == 40_000_000
    assert (reason.code, reason.side, reason.cell, reason.size_e9) == ("MIN_SIZE", "sell", 4, 40_000_000)
    assert reason.detail == "0.04 of at least 0.1"


def test_an_order_that_was_turned_away_says_what_for_and_until_when() -> None:
    story = Story().opened_at(105)
    until_ns = story.now_ns + 4 * NS_PER_S
    orders = {k: o for k, o in story.grid.orders.items() if k not in (("buy", 4), ("sell", 5))}
    retries = {
        ("buy", 4): Retry(not_before_ns=until_ns, price_e6=105 * E6, tries=2, why="MARGIN"),
        ("sell", 5): Retry(not_before_ns=until_ns, price_e6=105 * E6, tries=1, why="not_placed"),
    }
    reasons = level_reasons(replace(story.grid, orders=orders, retries=retries), at(105), story.now_ns)

    assert (reasons[4].code, reasons[4].until_ns, reasons[4].detail) == ("MARGIN", until_ns, "2 tries")
    assert (reasons[6].code, reasons[6].until_ns) == ("POST_ONLY_CROSS", until_ns)


def test_an_order_on_its_way_out_is_in_flight() -> None:
    story = Story().opened_at(105)
    order = replace(story.grid.orders[("buy", 4)], unwanted="resize")
    grid = replace(story.grid, orders={**story.grid.orders, ("buy", 4): order})

    reason = level_reasons(grid, at(105), 0)[4]

    assert (reason.code, reason.detail) == ("IN_FLIGHT", "to go: resize")


def test_a_due_order_waits_for_the_time_between_two_rolls() -> None:
    story = Story(roll_interval_ns=5 * NS_PER_S).opened_at(105)
    grid = replace(story.grid, orders={k: o for k, o in story.grid.orders.items() if k != ("buy", 4)})

    soon = level_reasons(grid, at(105), grid.last_roll_ns + 1)[4]

    assert (soon.code, soon.until_ns) == ("ROLL", grid.last_roll_ns + 5 * NS_PER_S)
    assert level_reasons(grid, at(105), grid.last_roll_ns + 5 * NS_PER_S)[4].code == "WINDOW"


def test_a_paused_grid_says_so_on_every_level_that_wants_an_order() -> None:
    story = Story().opened_at(105).command(PauseGrid())

    assert set(codes(story)) == {"PAUSED", "GAP"}
    assert story.grid.told == {"PAUSED": "ann: because"}


def test_of_several_pauses_the_one_a_person_has_to_end_is_told() -> None:
    story = Story().opened_at(105).command(HaltAccount(), "account:main")
    grid = replace(story.grid, pauses={"STALE_PRICE": True, "ACCOUNT_HALTED": False})

    assert grid_reasons(grid) == ("ACCOUNT_HALTED", "STALE_PRICE")
    assert level_reasons(grid, at(105), 0)[4].code == "ACCOUNT_HALTED"


def test_a_shadow_grid_says_that_nothing_is_sent() -> None:
    story = Story().opened_at(105).command(FlagGrid(flag="shadow"))

    assert {r.code for r in told(story) if r.side} == {"SHADOW"}


def test_a_stopped_grid_has_no_levels_to_explain() -> None:
    story = Story().opened_at(105).command(StopGrid())

    assert story.grid.status == "stopped"
    assert told(story) == ()


def test_without_a_price_nothing_but_that_can_be_said() -> None:
    grid = replace(Story().opened_at(105).grid, orders={})

    assert {r.code for r in level_reasons(grid, None, 0)} == {"NO_PRICE", "GAP"}


def test_every_code_has_words() -> None:
    assert all(words.endswith(".") for words in (*WORDS.values(), *ENDINGS.values()))
    assert "SOMETHING" in words_of("SOMETHING")


def test_what_is_not_wanted_because_the_position_is_reduced_says_so() -> None:
    # 10.00 may be lost; four bought from 104 to 101 are worth 8.80 less at 100.3: orange.
    story = Story(risk_enabled=True, capital_e6=100 * E6, max_drawdown_e4=1_000).opened_at(105.2).price(100.3)

    reason = told(story)[0]
    assert (reason.side, reason.code, reason.detail) == ("buy", "REDUCING", "the position is 4")
