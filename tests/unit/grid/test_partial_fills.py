"""Partial fills in cells, over-fills, fills that are taken back, and cells the price went over: levels 100 to 110."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.inputs import EventSeen, PauseGrid, ResumeGrid
from gridkeeper_core.record import GENESIS, Recorded
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_core.venue.state import FillRules
from support.story import SPEC, Story

QUEUE = FillRules(model="queue")


def seen(story: Story, fact: e.Fact) -> list[e.Fact]:
    """What the grid makes of one event of execution."""
    event = Recorded(
        stream="account:main", version=999, ts_ns=story.now_ns, cause="", thread="", prev=GENESIS, fact=fact
    )
    return [draft.fact for draft in story.lab.strategy.accept(EventSeen(now_ns=story.now_ns, event=event))]


def last_fill(story: Story) -> e.OrderFilled:
    fact = story.facts(e.OrderFilled)[-1]
    assert isinstance(fact, e.OrderFilled)
    return fact


def reverted(fill: e.OrderFilled) -> e.FillReverted:
    return e.FillReverted(
        intent_id=fill.intent_id,
        market_index=0,
        fill_record_id=fill.fill_record_id,
        signature=fill.signature,
        cell=fill.cell,
        side=fill.side,
        base_e9=fill.base_e9,
        quote_e6=fill.quote_e6,
        fee_e6=fill.fee_e6,
    )


def test_partials_over_three_levels_leave_each_cell_with_what_it_got() -> None:
    story = Story(QUEUE).opened_at(105.2)

    # 2.3 SOL are sold down to 102: one at 104, one at 103, 0.3 at 102.
    story.price(102, size=2.3)
    assert [story.grid.held_e9[cell] / E9 for cell in (2, 3, 4)] == [0.3, 1.0, 1.0]
    assert story.grid.position_e9 == 23 * E9 // 10
    assert ("buy", 102.0, 0.7) in story.resting()
    assert [(price, size) for side, price, size in story.resting() if side == "sell"][:3] == [
        (103.0, 0.3),
        (104.0, 1.0),
        (105.0, 1.0),
    ]
    # 1.5 SOL are bought up to 104: the 0.3 at 103, one at 104, 0.2 of the one at 105 do not come: 1.3 is all below.
    story.price(104, size=1.3)
    assert [story.grid.held_e9[cell] / E9 for cell in (2, 3, 4)] == [0.0, 0.0, 1.0]
    assert story.grid.position_e9 == 1 * E9
    # Bought 1 + 1 + 0.3 for 238.6, sold 0.3 for 30.9 and 1 for 104; rebates of 2 bp on all of it.
    assert (
        story.grid.cash_e6 - story.grid.fees_e6 * -1
        == -104_000_000 - 103_000_000 - 30_600_000 + 30_900_000 + 104_000_000
    )


def test_the_opposite_of_a_partial_grows_at_most_once_per_resize_after_while_its_source_fills() -> None:
    story = Story(QUEUE, resize_after_ns=5 * NS_PER_S).opened_at(105.2)

    story.price(104, size=0.2)
    assert ("sell", 105.0, 0.2) in story.resting()
    story.price(104, size=0.2).price(104, size=0.2)
    assert ("sell", 105.0, 0.2) in story.resting()
    story.price(104.1, after_s=5)
    assert ("sell", 105.0, 0.6) in story.resting()


def test_dust_stays_with_its_cell_and_joins_the_next_order() -> None:
    fine = replace(SPEC, step_e9=E9 // 1000)
    story = Story(QUEUE, spec=fine, size_base_e9=E9 // 50).opened_at(105.2)

    story.price(104, size=0.005)
    assert (story.grid.held_e9[4], 105 in story.prices_of("sell")) == (E9 // 200, False)
    story.price(104, size=0.015)
    assert ("sell", 105.0, 0.02) in story.resting()


@pytest.mark.parametrize("how", ["renewal", "pause"])
def test_a_partly_filled_order_of_the_smallest_size_does_not_lose_its_level(how: str) -> None:
    """The minimum is 1 SOL, as large as each cell: 0.4 and 0.6 are both too little, but to reduce."""
    spec = replace(SPEC, minimum_e9=E9)
    story = Story(fills=FillRules(model="queue"), spec=spec, order_life_ns=100 * NS_PER_S).opened_at(105)
    story.price(104, size=0.4)
    assert story.grid.held_e9[4] == 400_000_000
    if how == "pause":
        story.command(PauseGrid()).command(ResumeGrid())
    for _ in range(4):
        story.price(104.5, size=0, after_s=60)
    (reducing,) = [attempt for attempt in story.lab.execution.account("main").attempts.values() if attempt.reduce_only]
    assert (reducing.side, reducing.size_e9, reducing.price_e6) == ("sell", 400_000_000, 105 * E6)

    story.price(105.5, size=20).price(104.5, size=20)
    assert story.grid.held_e9[4] == 0
    assert ("buy", 104.0, 1.0) in story.resting()


def test_a_cancel_after_a_partial_keeps_what_was_bought() -> None:
    story = Story(QUEUE).opened_at(105.2).price(104, size=0.4).command(PauseGrid())

    assert story.resting() == []
    assert (story.grid.held_e9[4], story.grid.position_e9) == (4 * E9 // 10, 4 * E9 // 10)
    story.command(ResumeGrid()).price(104.2)
    assert ("buy", 104.0, 0.6) in story.resting()
    assert ("sell", 105.0, 0.4) in story.resting()


def test_a_fill_beyond_its_order_is_refused_and_stops_the_grid() -> None:
    story = Story(QUEUE).opened_at(105.2).price(104, size=0.4)

    over = replace(last_fill(story), base_e9=7 * E9 // 10, cumulative_e9=11 * E9 // 10)
    facts = seen(story, over)
    assert [fact.detail for fact in facts if isinstance(fact, e.GridFaulted)] == ["filled 1100000000 of 1000000000"]
    assert story.grid.held_e9[4] == 4 * E9 // 10
    assert list(story.grid.pauses) == ["FAULT"]
    wanted = facts[-1]
    assert isinstance(wanted, e.OrdersWanted)
    assert wanted.wanted == ()


def test_a_fill_for_a_full_cell_stops_the_grid_and_still_counts_as_position() -> None:
    story = Story().opened_at(105.2).price(103.9)

    facts = seen(story, replace(last_fill(story), fill_record_id=77))
    assert [fact.detail for fact in facts if isinstance(fact, e.GridFaulted)] == ["cell 4 would hold 2000000000"]
    assert story.grid.held_e9[4] == E9
    assert story.grid.position_e9 == 2 * E9


def test_a_proven_fill_counts_like_any_other() -> None:
    story = Story().opened_at(105.2)
    fact = e.FillProven(
        intent_id="tale/buy/4/0", attempt=1, order_id=1, market="SOL-PERP", market_index=0, cell=4, side="buy",
        base_e9=E9, quote_e6=104 * E6, fee_e6=-20_800, slot=1, proof="counters",
    )  # fmt: skip

    facts = seen(story, fact)
    changed = next(fact for fact in facts if isinstance(fact, e.CellChanged))
    assert (changed.held_e9, changed.price_e6) == (E9, 104 * E6)
    assert story.grid.position_e9 == E9


def test_a_fill_that_is_not_on_the_chain_goes_back_with_its_cost() -> None:
    story = Story().opened_at(105.2)
    before = story.grid
    story.price(103.9)
    assert story.grid.position_e9 == E9

    facts = seen(story, reverted(last_fill(story)))
    changed = next(fact for fact in facts if isinstance(fact, e.CellChanged))
    assert (changed.held_e9, changed.filled_e9, changed.quote_e6) == (0, -E9, -104 * E6)
    after = story.grid
    assert (after.position_e9, after.cash_e6, after.fees_e6, after.fills) == (0, 0, 0, 0)
    assert after.cells == before.cells
    # The sell at 105 has nothing to sell any more.
    wanted = facts[-1]
    assert isinstance(wanted, e.OrdersWanted)
    assert [gone.intent_id for gone in wanted.unwanted] == ["tale/sell/4/0"]


def test_a_fill_taken_back_after_the_cell_traded_on_belongs_to_no_cell() -> None:
    story = Story().opened_at(105.2).price(103.9)
    bought = last_fill(story)
    story.price(105.1)
    assert story.grid.position_e9 == 0

    facts = seen(story, reverted(bought))
    assert [fact.filled_e9 for fact in facts if isinstance(fact, e.PositionReduced)] == [-E9]
    assert story.grid.position_e9 == -E9
    assert story.grid.held_e9[4] == 0


def test_two_orders_of_a_cell_that_both_filled_are_both_taken() -> None:
    """The fill of 104 is taken back and its order wanted anew; then the first order fills 0.3 and the second one 1."""
    story = Story().opened_at(105.2).price(103.9)
    bought = last_fill(story)
    seen(story, reverted(bought))
    story.price(104.5)
    assert [order.intent_id for order in story.grid.orders.values() if order.cell == 4 and order.side == "buy"]

    seen(story, replace(bought, late=True, base_e9=3 * E9 // 10, quote_e6=31_200_000, cumulative_e9=3 * E9 // 10))
    assert story.grid.held_e9[4] == 3 * E9 // 10
    facts = seen(story, replace(bought, attempt=99, fill_record_id=77))

    changed = next(fact for fact in facts if isinstance(fact, e.CellChanged))
    outside = next(fact for fact in facts if isinstance(fact, e.PositionReduced))
    assert (changed.held_e9, changed.filled_e9, outside.filled_e9, outside.cell) == (E9, 7 * E9 // 10, 3 * E9 // 10, 4)
    assert (changed.quote_e6 + outside.quote_e6, changed.fee_e6 + outside.fee_e6) == (104 * E6, bought.fee_e6)
    assert (story.grid.position_e9, list(story.grid.pauses)) == (13 * E9 // 10, [])
    assert story.grid.cash_e6 == -31_200_000 - bought.fee_e6 - 104 * E6 - bought.fee_e6


def test_a_sell_that_comes_late_for_an_empty_cell_is_taken_outside_of_it() -> None:
    story = Story().opened_at(105.2).price(103.9).price(105.1)
    sold = last_fill(story)
    assert (sold.side, story.grid.position_e9) == ("sell", 0)

    facts = seen(story, replace(sold, late=True, fill_record_id=77))

    assert [fact.filled_e9 for fact in facts if isinstance(fact, e.PositionReduced)] == [E9]
    assert (story.grid.position_e9, story.grid.held_e9[4], list(story.grid.pauses)) == (-E9, 0, [])


def test_a_late_fill_beyond_its_order_stops_the_grid_all_the_same() -> None:
    story = Story(QUEUE).opened_at(105.2).price(104, size=0.4)

    over = replace(last_fill(story), base_e9=7 * E9 // 10, cumulative_e9=11 * E9 // 10, late=True)
    facts = seen(story, over)

    assert [fact.detail for fact in facts if isinstance(fact, e.GridFaulted)] == ["filled 1100000000 of 1000000000"]


def test_a_missed_cell_waits_unless_it_is_told_to_take() -> None:
    waits = Story().opened_at(105.2).command(PauseGrid()).price(102.5).command(ResumeGrid())
    assert (waits.grid.position_e9, waits.prices_of("buy")) == (0, [100, 101, 102])

    takes = Story(missed="take").opened_at(105.2).command(PauseGrid()).price(102.5).command(ResumeGrid())
    # 104 and 103 were missed: both are bought at 102.5, cheaper than their own levels.
    takes.prices(102.5, 102.6)
    assert takes.grid.position_e9 == 2 * E9
    fills = [fact for fact in takes.facts(e.OrderFilled) if isinstance(fact, e.OrderFilled)]
    assert [(fill.side, fill.cell, fill.price_e6, fill.maker) for fill in fills] == [
        ("buy", 3, 102_500_000, False),
        ("buy", 4, 102_500_000, False),
    ]
    assert takes.prices_of("sell") == [104, 105, 106, 107, 108, 109, 110]


def test_what_takes_never_pays_more_than_the_cap_or_its_own_level() -> None:
    story = Story(missed="take", slippage_e4=20).opened_at(105.2).command(PauseGrid()).price(103.95)
    story.command(ResumeGrid())

    wants = [want for fact in story.facts(e.OrdersWanted) if isinstance(fact, e.OrdersWanted) for want in fact.wanted]
    taking = [want for want in wants if want.immediate_or_cancel]
    # 103.95 and 20 bp are 104.15; the cell's own level is 104.
    assert [(want.intent_id, want.price_e6) for want in taking] == [("tale/buy/4/0", 104 * E6)]


def test_three_hours_below_with_the_price_far_away_and_back_leave_a_whole_grid() -> None:
    story = Story(lower_e6=80 * E6, upper_e6=130 * E6, intervals=50, live_orders=10).opened_at(105.2)
    before = story.resting()

    story.command(PauseGrid())
    story.price(90, after_s=3 * 3600)
    story.command(ResumeGrid()).price(90.1)
    story.prices(*range(91, 106)).price(105.2).price(105.2, after_s=61)
    assert story.resting() == before
