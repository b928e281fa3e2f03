"""A fill whose record is lost is proven from the venue's exact counters, or it is not booked at all."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.orders.state import flat_position
from gridkeeper_core.units import E6, E9
from gridkeeper_core.venue import records as r
from gridkeeper_core.venue.chain_position import apply_fee, apply_fill, apply_quote
from support.desk import Desk, fill, kinds, order, placed, venue_order

BUY = "tale/buy/4/0"
SELL = "tale/sell/5/0"
REBATE_E6 = -20_800
"""2 bp of 104."""


def both() -> Desk:
    """BUY rests as 7 at 104 and SELL as 8 at 106, 1 SOL each."""
    desk = Desk()
    desk.want(order(BUY, 104), order(SELL, 106))
    desk.landed(placed(desk, BUY, 7), replace(placed(desk, SELL, 8), index=1))
    return desk


def sell_order(filled: float = 0) -> object:
    return replace(venue_order(8, filled), side="sell", price_e6=106 * E6)


def bought(position: e.PositionState, base_e9: int, quote_e6: int, fee_e6: int) -> e.PositionState:
    after, _ = apply_fill(position, base_e9, -quote_e6)
    return apply_fee(after, fee_e6)


FLAT = flat_position("SOL-PERP", 0)


def believed(desk: Desk, **reading: object) -> list[e.Fact]:
    """The facts of the second of two equal readings."""
    assert kinds(desk.read(slot=200, **reading))[-1:] == ["DifferenceSuspected"]  # type: ignore[arg-type]
    return desk.read(slot=201, **reading)  # type: ignore[arg-type]


def test_an_order_that_is_gone_and_a_position_that_moved_prove_the_fill_and_its_fee() -> None:
    desk = both()
    after = bought(FLAT, E9, 104 * E6, REBATE_E6)
    facts = believed(desk, orders=(sell_order(),), positions=(after,))
    assert kinds(facts) == ["FillProven", "OrderClosed", "DifferenceExplained"]
    proven = facts[0]
    assert isinstance(proven, e.FillProven)
    assert (proven.intent_id, proven.base_e9, proven.quote_e6, proven.fee_e6) == (BUY, E9, 104 * E6, REBATE_E6)
    assert desk.account.positions[0].quote_asset_e6 == -104 * E6 - REBATE_E6


def test_a_part_fill_is_proven_by_the_orders_own_counter() -> None:
    desk = both()
    after = bought(FLAT, E9 // 4, 26 * E6, -5_200)
    facts = believed(desk, orders=(venue_order(7, 0.25), sell_order()), positions=(after,))
    assert kinds(facts) == ["FillProven", "DifferenceExplained"]
    assert desk.account.attempts[BUY].filled_e9 == E9 // 4


def test_a_fill_that_reduces_is_proven_with_its_fee_and_the_realised_part() -> None:
    desk = both()
    desk.seen("k1", replace(fill(7, 1, 1.0, 1.0), fee_e6=REBATE_E6))
    after = bought(desk.account.positions[0], -E9 // 2, -53 * E6, -10_600)
    facts = believed(desk, orders=(sell_order(0.5),), positions=(after,))
    proven = facts[0]
    assert isinstance(proven, e.FillProven)
    assert (proven.side, proven.base_e9, proven.quote_e6, proven.fee_e6) == ("sell", E9 // 2, 53 * E6, -10_600)


def test_two_makers_at_their_own_prices_are_proven_together() -> None:
    desk = Desk()
    low = "tale/buy/3/0"
    desk.want(order(BUY, 104), order(low, 103))
    desk.landed(placed(desk, BUY, 7), replace(placed(desk, low, 8), index=1))
    after = bought(bought(FLAT, E9, 104 * E6, REBATE_E6), E9, 103 * E6, -20_600)
    facts = believed(desk, positions=(after,))
    assert kinds(facts) == ["FillProven", "OrderClosed", "FillProven", "OrderClosed", "DifferenceExplained"]


def test_orders_that_are_gone_with_nothing_moved_were_cancelled() -> None:
    desk = both()
    facts = believed(desk)
    assert kinds(facts) == ["OrderClosed", "OrderClosed", "DifferenceExplained"]
    assert [fact.reason for fact in facts if isinstance(fact, e.OrderClosed)] == ["venue", "venue"]


@pytest.mark.parametrize("what", ["two ways", "a foreign trade", "funding beside it", "another price"])
def test_what_is_not_determined_stays_a_gap_and_stops_placing(what: str) -> None:
    desk = both()
    after = bought(FLAT, E9, 104 * E6, REBATE_E6)
    orders = (sell_order(),)
    match what:
        case "two ways":  # the buy by 0.5 or the buy by 1 and the sell by 0.5
            after, orders = bought(FLAT, E9 // 2, 52 * E6, REBATE_E6 // 2), ()  # type: ignore[assignment]
        case "a foreign trade":
            after = bought(FLAT, 3 * E9, 312 * E6, 3 * REBATE_E6)
        case "funding beside it":
            after = apply_quote(after, 1_000)
        case "another price":
            after = bought(FLAT, E9, 103 * E6, -20_600)
    facts = believed(desk, orders=orders, positions=(after,))
    assert kinds(facts) == ["VenueDiffers"]
    assert kinds(desk.want(order("tale/buy/2/0", 102))) == ["OrdersQueued"]


def test_the_record_of_a_proven_fill_that_turns_up_late_is_not_booked_again() -> None:
    desk = both()
    after = bought(FLAT, E9 // 4, 26 * E6, -5_200)
    believed(desk, orders=(venue_order(7, 0.25), sell_order()), positions=(after,))
    late = replace(fill(7, 1, 0.25, 0.25), quote_e6=26 * E6, fee_e6=-5_200)
    assert desk.seen("late", late, slot=150) == []
    assert kinds(desk.seen("next", fill(7, 2, 0.25, 0.5), slot=300)) == ["OrderFilled"]


def test_the_late_record_of_an_order_that_was_proven_filled_is_no_foreign_fill() -> None:
    desk = both()
    believed(desk, orders=(sell_order(),), positions=(bought(FLAT, E9, 104 * E6, REBATE_E6),))
    assert desk.seen("late", fill(7, 1, 1.0, 1.0), slot=150) == []


def test_an_order_filled_whole_before_its_cut_log_was_read_is_proven() -> None:
    desk = Desk()
    desk.want(order(BUY, 104))
    desk.landed(truncated=True)
    facts = believed(desk, positions=(bought(FLAT, E9, 104 * E6, REBATE_E6),))
    assert kinds(facts) == ["FillProven", "OrderClosed", "DifferenceExplained"]


def settled_flat() -> Desk:
    """A turn is over and its profit settled: the venue shows no position any more. BUY rests anew as 9, SELL as 10."""
    desk = both()
    desk.seen("k1", replace(fill(7, 1, 1.0, 1.0), fee_e6=REBATE_E6))
    sold = replace(fill(8, 2, 1.0, 1.0, "sell"), quote_e6=106 * E6, fee_e6=-21_200)
    desk.seen("k2", sold, slot=101)
    desk.seen("k3", r.SettleRecord(index=0, market_index=0, quote_e6=2_042_000), slot=102, ours=False)
    assert desk.account.positions[0].quote_asset_e6 == 0
    desk.want(order(BUY, 104), order(SELL, 106))
    desk.landed(placed(desk, BUY, 9), replace(placed(desk, SELL, 10), index=1), slot=103)
    return desk


@pytest.mark.parametrize("off_e6", [0, 1_000])
def test_a_maker_that_closed_the_position_is_proven_by_its_price_and_the_money(off_e6: int) -> None:
    """1 SOL bought for 104 is sold for 106: break-even and entry are gone with the position, only the quote is left."""
    desk = both()
    desk.seen("k1", replace(fill(7, 1, 1.0, 1.0), fee_e6=REBATE_E6))
    after = bought(desk.account.positions[0], -E9, -106 * E6, -21_200)
    assert (after.base_e9, after.quote_asset_e6, after.quote_break_even_e6) == (0, 2_042_000, 0)

    facts = believed(desk, positions=(replace(after, quote_asset_e6=after.quote_asset_e6 + off_e6),))

    if off_e6:
        assert kinds(facts) == ["VenueDiffers"]
        return
    assert kinds(facts) == ["FillProven", "OrderClosed", "DifferenceExplained"]
    proven = facts[0]
    assert isinstance(proven, e.FillProven)
    assert (proven.side, proven.quote_e6, proven.fee_e6) == ("sell", 106 * E6, -21_200)


def test_orders_that_are_gone_while_no_position_is_shown_were_cancelled() -> None:
    facts = believed(settled_flat(), deposit_e6=10_000 * E6 + 2_042_000)

    assert kinds(facts) == ["OrderClosed", "OrderClosed", "DifferenceExplained"]


def test_a_lost_fill_that_ended_a_position_which_is_settled_since_is_proven_at_its_own_price() -> None:
    desk = both()
    desk.seen("k1", replace(fill(7, 1, 1.0, 1.0), fee_e6=REBATE_E6))
    desk.seen("k3", r.SettleRecord(index=0, market_index=0, quote_e6=2_042_000), slot=102, ours=False)

    facts = believed(desk, deposit_e6=10_000 * E6 + 2_042_000)

    assert kinds(facts) == ["FillProven", "OrderClosed", "DifferenceExplained"]
    proven = facts[0]
    assert isinstance(proven, e.FillProven)
    assert (proven.side, proven.quote_e6, proven.fee_e6) == ("sell", 106 * E6, -21_200)
