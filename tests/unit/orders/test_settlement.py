"""Settlement: one at a time, everyone gets its result, and a refusal is a normal one."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import SettleAccount
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.units import E6, NS_PER_S
from gridkeeper_core.venue import records as r
from support.desk import Desk, fill, kinds, order, placed, venue_order

BUY = "tale/buy/4/0"
SELL = "tale/sell/5/0"


def with_profit(rules: AccountRules | None = None) -> Desk:
    """Bought 1 SOL at 104 and sold 0.5 at 106: 1 USD of profit and the rebates are not settled."""
    desk = Desk(rules=rules)
    desk.want(order(BUY, 104), order(SELL, 106))
    desk.landed(placed(desk, BUY, 7), replace(placed(desk, SELL, 8), index=1))
    desk.seen("k1", fill(7, 1, 1.0, 1.0))
    desk.seen("k2", replace(fill(8, 2, 0.5, 0.5, "sell"), quote_e6=53 * E6))
    return desk


def settled(quote_e6: int) -> r.SettleRecord:
    return r.SettleRecord(index=0, market_index=0, quote_e6=quote_e6)


def test_a_person_settles_and_a_late_caller_gets_the_same_result() -> None:
    desk = with_profit()
    assert kinds(desk.command(SettleAccount())) == ["SettlementWanted", "TransactionSigned"]
    assert desk.rolls[-1].settle_markets == (0,)
    assert desk.rolls[-1].places == ()
    assert kinds(desk.command(SettleAccount(market="SOL-PERP"))) == ["SettlementWanted"]
    facts = desk.landed(settled(1_002_000))
    assert kinds(facts) == ["TransactionLanded", "PnlSettled", "SettlementEnded"]
    assert facts[-1] == e.SettlementEnded(markets=(0,), quote_e6=1_002_000, error_code=None, error="")
    assert sum(bool(roll.settle_markets) for roll in desk.rolls) == 1


def test_what_the_venue_cannot_settle_now_is_recorded_and_not_tried_again_at_once() -> None:
    desk = with_profit(AccountRules(settle_above_e6=E6))
    position = desk.account.positions[0]
    reading = {"orders": (replace(venue_order(8, 0.5), side="sell", price_e6=106 * E6),), "positions": (position,)}
    assert kinds(desk.read(slot=200, **reading)) == ["SettlementWanted", "TransactionSigned"]  # type: ignore[arg-type]
    facts = desk.landed(error="PnlPoolCantSettleUser", code=6260)
    assert facts[-1] == e.SettlementEnded(markets=(0,), quote_e6=0, error_code=6260, error="PnlPoolCantSettleUser")
    assert desk.read(slot=201, **reading) == []  # type: ignore[arg-type]
    desk.now_ns += 601 * NS_PER_S
    assert "SettlementWanted" in kinds(desk.read(slot=202, **reading))  # type: ignore[arg-type]


def test_a_place_refused_for_margin_settles_first() -> None:
    desk = with_profit()
    desk.want(order("tale/buy/3/0", 103))
    facts = desk.landed(error="InsufficientCollateral", code=6003)
    assert kinds(facts) == ["TransactionFailed", "OrderClosed", "SettlementWanted", "TransactionSigned"]
    assert desk.rolls[-1].settle_markets == (0,)


def test_without_a_position_there_is_nothing_to_settle() -> None:
    with pytest.raises(GridkeeperError, match="NOTHING_TO_SETTLE"):
        Desk().command(SettleAccount())
