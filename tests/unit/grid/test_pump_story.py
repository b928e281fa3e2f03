"""Waits that end by themselves: after a sharp move, while the oracle is uncertain, while the market is elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.grid.reasons import words_of
from gridkeeper_core.grid.state import ORACLE_DIVERGES, ORACLE_UNCERTAIN, PUMP, RISK
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E6, NS_PER_S
from support.story import MARKET, Story


def watched(**changes: Any) -> Story:
    settings: dict[str, Any] = {
        "risk_enabled": True,
        "max_drawdown_e4": 10_000,
        "capital_e6": 10_000 * E6,
        "pump_move_e4": 150,
    }
    return Story(**(settings | changes)).opened_at(105.2)


def pumps(story: Story) -> list[e.PumpSeen]:
    return [fact for fact in story.facts(e.PumpSeen) if isinstance(fact, e.PumpSeen)]


def test_a_move_of_more_than_one_and_a_half_percent_within_a_minute_pauses_for_five() -> None:
    story = watched().price(106.3, after_s=20).price(106.9, after_s=20)

    # From 105.20 to 106.90 is 1.6159 %.
    assert [(p.from_e6, p.price_e6, p.move_e6, p.allowed_e6) for p in pumps(story)] == [
        (105_200_000, 106_900_000, 16_159, 15_000)
    ]
    assert story.resting() == []
    story.price(106.9, after_s=299)
    assert story.resting() == []
    story.price(106.9, after_s=1)
    assert story.resting()
    assert story.grid.pauses == {}


def test_a_grid_that_follows_the_price_is_guarded_and_one_that_stays_is_not() -> None:
    following = watched(pump_move_e4=None, trail_up_limit_e6=200 * E6).price(106.9, after_s=20)
    staying = watched(pump_move_e4=None).price(106.9, after_s=20)

    assert len(pumps(following)) == 1
    assert pumps(staying) == []


def test_the_same_move_over_more_than_a_minute_is_none() -> None:
    story = watched()
    for price in (105.8, 106.4, 107.0, 107.6, 108.2):
        story.price(price, after_s=50)

    assert pumps(story) == []


def test_where_moves_are_usual_the_guard_lets_more_pass() -> None:
    story = watched(lower_e6=50 * E6, upper_e6=200 * E6, intervals=15)
    for price in (106.4, 105.2, 106.4, 105.2) * 30:  # 1.14 % twice a minute, for two hours
        story.price(price, after_s=30)
    assert pumps(story) == []
    assert 4 * story.grid.memory.sigma_e6 > 15_000

    story.price(107.4, after_s=20)
    assert pumps(story) == []


def test_a_price_alone_is_recorded_once_it_moved_by_a_third_of_what_is_allowed() -> None:
    story = watched(lower_e6=50 * E6, upper_e6=200 * E6, intervals=3)
    count = len(story.facts(e.PriceSeen))

    story.prices(105.3, 105.5, 105.6)
    assert len(story.facts(e.PriceSeen)) == count
    story.price(105.8)
    assert len(story.facts(e.PriceSeen)) == count + 1


def shown(story: Story, price: float, **known: int) -> Story:
    story.seq += 1
    story.now_ns += 10**9
    seen = Price(
        market=MARKET,
        source="story",
        source_seq=story.seq,
        ts_ns=story.now_ns,
        oracle_e6=round(price * E6),
        good_for_ns=10**12,
        **known,
    )
    story.lab.row(seen)
    return story


def test_an_uncertain_oracle_keeps_new_orders_back_until_it_is_certain() -> None:
    story = watched()

    shown(story, 105.2, confidence_e6=3 * E6)
    assert story.grid.pauses == {"ORACLE_UNCERTAIN": True}
    assert len(story.resting()) == 10
    shown(story, 105.2, confidence_e6=1 * E6)
    assert story.grid.pauses == {}


def test_a_market_far_from_its_oracle_keeps_new_orders_back() -> None:
    story = watched()

    shown(story, 105.2, bid_e6=97 * E6, ask_e6=98 * E6)
    assert story.grid.pauses == {"ORACLE_DIVERGES": True}
    shown(story, 105.2, bid_e6=105 * E6, ask_e6=106 * E6)
    assert story.grid.pauses == {}


@pytest.mark.parametrize("code", [RISK, PUMP, ORACLE_UNCERTAIN, ORACLE_DIVERGES])
def test_every_pause_of_these_rules_says_in_words_how_it_ends(code: str) -> None:
    words = words_of(code)
    assert "goes on by itself" in words or "gridkeeper grid resume" in words


def test_a_jump_over_the_time_without_a_price_is_a_sharp_move_too() -> None:
    story = watched()
    story.lab.row(plain_price(story, 5, 105))
    story.lab.row(plain_price(story, 40, 110))

    # The price was stale for ten seconds; the one that ends this is 4.5627 % above 105.20, the last one noted.
    assert [p.move_e6 for p in pumps(story)] == [45_627]
    assert list(story.grid.pauses) == ["PUMP"]


def test_what_the_price_did_during_the_wait_is_no_move_within_a_minute() -> None:
    story = watched().price(106.3, after_s=20).price(106.9, after_s=20)
    assert len(pumps(story)) == 1

    story.price(108.5, after_s=100).price(110, after_s=199).price(110, after_s=1)
    assert (len(pumps(story)), story.grid.pauses) == (1, {})


def plain_price(story: Story, after_s: int, price: int) -> Price:
    """One that is good for `price_age_max` and no longer."""
    story.seq += 1
    story.now_ns += after_s * NS_PER_S
    return Price(market="SOL-PERP", source="story", source_seq=story.seq, ts_ns=story.now_ns, oracle_e6=price * E6)
