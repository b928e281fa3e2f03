"""Orders that the account cannot carry, told of a grid at 100, 101, … 110 with 1 SOL per cell and 25 USD of collateral.

At an initial margin of a tenth, 25 USD carry two buys and two sells at about 105.
"""

from __future__ import annotations

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.grid.state import Retry
from gridkeeper_core.grid.window import BEYOND_THE_ACCOUNT, retry_band, retry_move_e6
from gridkeeper_core.units import E6, NS_PER_S
from gridkeeper_core.venue.state import FillRules, MarketRules
from gridkeeper_lab.engine import Lab
from support.story import SPEC, Story


@pytest.fixture
def story() -> Story:
    told = Story()
    told.lab = Lab([MarketRules(spec=SPEC)], fills=FillRules(model="touch"), deposit_e6=25 * E6)
    return told.opened_at(105)


def refused_at_s(story: Story, intent_id: str) -> list[int]:
    """After how many seconds the account's gate turned this order away."""
    opened_ns = next(event.ts_ns for event in story.lab.log if isinstance(event.fact, e.GridOpened))
    return [
        (event.ts_ns - opened_ns) // NS_PER_S
        for event in story.lab.log
        if isinstance(event.fact, e.OrderRefused) and event.fact.intent_id == intent_id
    ]


def test_what_the_account_cannot_carry_is_wanted_again_after_2_4_8_up_to_60_seconds(story: Story) -> None:
    assert [price for _, price, _ in story.resting()] == [103, 104, 106, 107]

    for second in range(1, 200):
        story.price(105 + 0.01 * (second % 7))

    assert refused_at_s(story, "tale/buy/0/0") == [0, 2, 6, 14, 30, 62, 122, 182]


def test_it_is_wanted_again_at_once_when_the_price_moved_by_a_level_and_then_counts_anew(story: Story) -> None:
    # The sell of cell 9 is turned away at 105, and again two seconds later: then it has to wait for four.
    story.prices(105, 105.2, 105.9)
    assert refused_at_s(story, "tale/sell/9/0") == [0, 2]

    # A level from where it was turned away (the sell at 106 fills on the way), and another two seconds.
    story.price(106.05)
    assert refused_at_s(story, "tale/sell/9/0") == [0, 2, 4]
    story.prices(106.1, 106.05, 106.1)
    assert refused_at_s(story, "tale/sell/9/0") == [0, 2, 4, 6]


def test_another_reason_waits_for_a_tick_and_an_order_of_no_cell_too(story: Story) -> None:
    margin = Retry(not_before_ns=0, price_e6=105 * E6, tries=1, why="MARGIN")
    crossed = Retry(not_before_ns=0, price_e6=105 * E6, tries=1, why="POST_ONLY_CROSS")

    assert retry_move_e6(story.grid, ("buy", 3), margin) == E6
    assert retry_move_e6(story.grid, ("buy", 3), crossed) == SPEC.tick_e6
    assert retry_move_e6(story.grid, ("flatten", -1), margin) == SPEC.tick_e6


def test_prices_within_a_level_of_all_that_waits_lead_to_nothing(story: Story) -> None:
    assert {retry.why for retry in story.grid.retries.values()} <= BEYOND_THE_ACCOUNT
    assert retry_band(story.grid, 105 * E6, story.lab.now_ns) == (104 * E6, 106 * E6)
    assert story.lab.strategy.bands()["SOL-PERP"] == (104 * E6, 106 * E6)

    before = len(story.lab.log)
    story.price(105.99)

    assert len(story.lab.log) == before


def test_a_wait_that_the_price_left_binds_only_prices_on_its_side_and_one_that_is_over_binds_none(story: Story) -> None:
    now_ns, over_ns = story.lab.now_ns, max(retry.not_before_ns for retry in story.grid.retries.values())
    assert now_ns < over_ns

    # Below 104 nothing waits; it begins again just above it. Above 106 likewise.
    assert retry_band(story.grid, 103 * E6, now_ns) == (0, 104 * E6 + 1)
    assert retry_band(story.grid, 107 * E6, now_ns) == (106 * E6 - 1, 2**63 - 1)

    assert retry_band(story.grid, 105 * E6, over_ns) == (0, 2**63 - 1)


def test_collateral_that_comes_ends_the_wait_at_once(story: Story) -> None:
    for _ in range(20):
        story.price(105.5)
    waiting = {key for key, retry in story.grid.retries.items() if retry.not_before_ns > story.now_ns}
    assert ("buy", 0) in waiting
    assert len(story.resting()) == 4

    story.lab.deposit(1_000 * E6)

    assert [fact.quote_e6 for fact in story.facts(e.CollateralSeen) if isinstance(fact, e.CollateralSeen)] == [
        1_000 * E6
    ]
    assert story.prices_of("buy") == [100, 101, 102, 103, 104]
    assert story.prices_of("sell") == [106, 107, 108, 109, 110]
    assert story.grid.retries == {}


def test_collateral_that_leaves_or_that_nobody_waits_for_changes_nothing() -> None:
    story = Story().opened_at(105.2)

    story.lab.deposit(1_000 * E6)

    assert story.facts(e.CollateralSeen) == []
