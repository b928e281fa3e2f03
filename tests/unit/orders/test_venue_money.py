"""What the program does to an account's counters, record by record, told with the numbers it would show."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.units import E6
from gridkeeper_core.venue import records as r
from support.desk import Desk, fill, kinds, order, placed

BUY = "tale/buy/4/0"
SELL = "tale/sell/5/0"
AGAIN = "tale/buy/4/1"


def turned() -> Desk:
    """1 SOL bought for 104 and sold for 106, with a rebate of 0.001 each time; no order is open."""
    desk = Desk()
    desk.want(order(BUY, 104), order(SELL, 106))
    desk.landed(placed(desk, BUY, 7), replace(placed(desk, SELL, 8), index=1), slot=100)
    desk.seen("k1", fill(7, 1, 1.0, 1.0), slot=101)
    desk.seen("k2", replace(fill(8, 2, 1.0, 1.0, "sell"), quote_e6=106 * E6), slot=102)
    return desk


def shown(base_e9: int, quote_e6: int, entry_e6: int, even_e6: int) -> e.PositionState:
    return e.PositionState(
        market="SOL-PERP",
        market_index=0,
        base_e9=base_e9,
        quote_asset_e6=quote_e6,
        quote_entry_e6=entry_e6,
        quote_break_even_e6=even_e6,
        oracle_e6=105 * E6,
    )


def test_after_a_turn_the_venue_shows_the_money_and_no_break_even() -> None:
    assert turned().read(positions=(shown(0, 2_002_000, 0, 0),), slot=103) == []


@pytest.mark.parametrize("settles", [False, True])
def test_the_next_turn_begins_without_what_the_last_one_cost(settles: bool) -> None:
    desk = turned()
    deposit_e6, quote_e6 = 10_000 * E6, 2_002_000
    if settles:
        desk.seen("k3", r.SettleRecord(index=0, market_index=0, quote_e6=quote_e6), slot=103)
        deposit_e6, quote_e6 = deposit_e6 + quote_e6, 0
    desk.want(order(AGAIN, 104))
    desk.landed(placed(desk, AGAIN, 9), slot=104)
    desk.seen("k4", fill(9, 3, 1.0, 1.0), slot=105)

    held = shown(10**9, quote_e6 - 103_999_000, -104 * E6, -103_999_000)
    assert desk.read(deposit_e6, positions=(held,), slot=106) == []


def test_the_deposit_pays_the_keeper_who_takes_orders_away_for_want_of_margin() -> None:
    desk = Desk()
    desk.want(order(BUY, 104))
    desk.landed(placed(desk, BUY, 7), slot=100)
    gone = r.CancelRecord(
        index=0, order_id=7, market_index=0, explanation="InsufficientFreeCollateral", keeper_fee_e6=10_000
    )

    facts = desk.seen("k1", gone, slot=101, ours=False)

    assert kinds(facts) == ["KeeperFeeCharged", "OrderClosed"]
    assert desk.read(9_999_990_000, slot=102) == []
    assert desk.account.positions == {}
