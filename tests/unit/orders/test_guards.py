"""Standing checks: each change is a fact, what is dangerous stops placing, and is over when its cause is gone."""

from __future__ import annotations

import pytest

from gridkeeper_core import events as e
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.units import NS_PER_S
from support.desk import Desk, kinds, order
from support.story import SPEC, config

BUY = "tale/buy/4/0"
WATCHED = AccountRules(watches_sol=True, watches_clock=True)


def tripped(facts: list[e.Fact]) -> tuple[str, str, bool]:
    guard = next(fact for fact in facts if isinstance(fact, e.GuardTripped))
    return (guard.code, guard.market, guard.pauses)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": "reduce-only"}, "MARKET_CLOSED"),
        ({"status": "paused"}, "MARKET_CLOSED"),
        ({"status": "settlement"}, "MARKET_CLOSED"),
        ({"paused_operations": 4}, "MARKET_CLOSED"),
        ({"paused_operations": 5}, "MARKET_CLOSED"),
        ({"index": 7}, "MARKET_CHANGED"),
        ({"tick_e6": 30_000}, "MARKET_CHANGED"),
        ({"step_e9": 3}, "MARKET_CHANGED"),
        ({"minimum_e9": SPEC.minimum_e9 + 1}, "MARKET_CHANGED"),
        ({"oracle_e6": 105_000_000, "oracle_age_slots": 121}, "ORACLE_STALE"),
        ({"oracle_e6": 100_000_000, "oracle_confidence_e6": 2_000_001}, "ORACLE_UNCERTAIN"),
    ],
)
def test_a_market_that_is_not_as_it_should_be_stops_new_risk_there_until_it_is(
    changes: dict[str, object], code: str
) -> None:
    desk = Desk()
    assert tripped(desk.market(**changes)) == (code, "SOL-PERP", True)
    assert desk.market(**changes) == []
    assert kinds(desk.want(order(BUY, 104))) == ["OrdersQueued"]
    facts = desk.market(oracle_e6=105_000_000)
    assert facts[-3:-2] == [e.GuardCleared(code=code, market="SOL-PERP", detail="as it should be again")]
    assert kinds(facts)[-2:] == ["OrderAccepted", "TransactionSigned"]


@pytest.mark.parametrize(
    "changes",
    [
        {"paused_operations": 1},
        {"tick_e6": 1_000},
        {"maker_fee_e5": 0},
        {"oracle_e6": 105_000_000, "oracle_age_slots": 120, "oracle_confidence_e6": 2_100_000},
    ],
)
def test_a_change_that_orders_can_live_with_is_told_and_pauses_nothing(changes: dict[str, object]) -> None:
    desk = Desk()
    assert "GuardTripped" not in kinds(desk.market(**changes))
    assert kinds(desk.want(order(BUY, 104))) == ["OrderAccepted", "TransactionSigned"]


def test_a_market_nobody_trades_is_not_guarded() -> None:
    desk = Desk()
    desk._event("grid:tale", e.GridStopped(position_e9=0, quote_e6=0, fills=0))
    assert kinds(desk.market(status="paused")) == ["MarketChanged"]


def test_a_guard_goes_with_the_last_grid_of_its_market() -> None:
    desk = Desk()
    desk.market(status="paused")
    facts = desk._event("grid:tale", e.GridStopped(position_e9=0, quote_e6=0, fills=0))
    assert kinds(facts) == ["SlotsReleased", "GuardCleared"]


def test_a_signer_that_may_not_trade_any_more_stops_placing() -> None:
    desk = Desk()
    assert tripped(desk.read(slot=100, signer_may_trade=False)) == ("DELEGATE_MISSING", "", True)
    assert kinds(desk.want(order(BUY, 104))) == ["OrdersQueued"]
    (refused,) = desk.propose(config(grid_id="b"))
    assert isinstance(refused, e.GridRefused)
    assert refused.code == "DELEGATE_MISSING"
    facts = desk.read(slot=101)
    assert kinds(facts) == ["GuardCleared", "OrderAccepted", "TransactionSigned"]


def test_little_sol_warns_then_stops_placing_then_leaves_what_cancels_need() -> None:
    desk = Desk(rules=WATCHED)
    assert desk.read(slot=100, lamports=99_999_999) == [e.SolLow(account="main", lamports=99_999_999, level="warn")]
    assert desk.account.may_place
    facts = desk.read(slot=101, lamports=19_999_999)
    assert kinds(facts) == ["SolLow", "GuardTripped"]
    assert kinds(desk.want(order(BUY, 104))) == ["OrdersQueued"]
    facts = desk.read(slot=102, lamports=200_000_000)
    assert kinds(facts) == ["SolEnough", "GuardCleared", "OrderAccepted", "TransactionSigned"]


def test_facts_of_the_wallet_are_in_its_own_stream_and_are_restored() -> None:
    desk = Desk(rules=WATCHED)
    desk.read(slot=100, lamports=50_000_000)
    assert desk.account.sol_level == "warn"
    assert desk.streams[-1] == "wallet:Payer1"


def test_a_balance_that_does_not_last_a_day_at_the_present_pace_is_told() -> None:
    desk = Desk(rules=WATCHED)
    for _ in range(2):
        desk.want(order(BUY, 104))
        desk.landed(fee_lamports=3_000_000)
    desk.now_ns += 3600 * NS_PER_S
    # 6,000,000 an hour: of 0.12 SOL, 0.1 above what placing needs last for 16 hours; of 0.22 SOL they last for 33.
    assert kinds(desk.read(slot=101, lamports=220_000_000))[-1:] != ["SolLow"]
    assert kinds(desk.read(slot=102, lamports=120_000_000))[-1:] == ["SolLow"]


@pytest.mark.parametrize(("skew_s", "expected"), [(1, None), (-2, None), (6, False), (-9, False), (12, True)])
def test_a_clock_that_is_off_warns_and_then_pauses(skew_s: int, expected: bool | None) -> None:
    desk = Desk(rules=WATCHED)
    facts = desk.read(slot=100, block_time_s=desk.now_ns // NS_PER_S + skew_s)
    if expected is None:
        assert facts == []
    else:
        assert tripped(facts) == ("CLOCK_SKEW" if expected else "CLOCK_DRIFT", "", expected)
        assert desk.account.may_place is not expected
        assert "GuardCleared" in kinds(desk.read(slot=101, block_time_s=desk.now_ns // NS_PER_S))
