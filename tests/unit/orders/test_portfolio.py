"""The whole account before each placement: margin over all markets, the owner's limits, nearest first.

The desk's market costs 105; its initial margin ratio is a tenth.
"""

from __future__ import annotations

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.inputs import MarketRead
from gridkeeper_core.orders.portfolio import Portfolio, leverage_breach, nearest_first
from gridkeeper_core.orders.risk_gate import Refused
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.orders.state import QueuedWant, Reservation
from gridkeeper_core.units import E6, E9
from support.desk import Desk
from support.story import SPEC, config

ETH = replace(SPEC, symbol="ETH-PERP", index=2)


def want(intent: str, side: e.Side, price: float, size: float = 1.0) -> e.WantedOrder:
    kind, cell = intent.split("/")[1:3]
    return e.WantedOrder(
        intent_id=intent, kind=kind, cell=int(cell), side=side, price_e6=round(price * E6), size_e9=round(size * E9)
    )


def buy(cell: int, size: float = 1.0) -> e.WantedOrder:
    return want(f"tale/buy/{cell}/0", "buy", 100 + cell, size)


def refusals(facts: list[e.Fact]) -> list[tuple[str, str]]:
    return [(fact.intent_id, fact.code) for fact in facts if isinstance(fact, e.OrderRefused)]


def placed(facts: list[e.Fact]) -> list[str]:
    return [fact.intent_id for fact in facts if isinstance(fact, e.OrderAccepted)]


def limited(**limits: int) -> Desk:
    return Desk(rules=AccountRules(limits=e.LimitsSet(**limits)))


def test_limits_are_recorded_once_and_again_when_they_change() -> None:
    assert [f for f in limited(max_gross_e6=E6).facts if isinstance(f, e.LimitsSet)] == [e.LimitsSet(max_gross_e6=E6)]
    assert not [f for f in Desk().facts if isinstance(f, e.LimitsSet)]


def test_what_margin_allows_is_placed_nearest_first_and_the_rest_refused() -> None:
    # 25 of equity carry two orders at a margin of 10.5 each.
    desk = Desk(deposit_e6=25 * E6)

    facts = desk.want(buy(4), buy(3), buy(2))

    assert placed(facts) == ["tale/buy/4/0", "tale/buy/3/0"]
    assert refusals(facts) == [("tale/buy/2/0", "MARGIN")]


def test_the_margin_of_other_markets_is_not_there_twice() -> None:
    eth = e.PositionState(
        market="ETH-PERP",
        market_index=2,
        base_e9=E9 // 20,
        quote_asset_e6=-150 * E6,
        quote_entry_e6=-150 * E6,
        quote_break_even_e6=-150 * E6,
        oracle_e6=3_000 * E6,
    )
    prices = {"SOL-PERP": 105 * E6, "ETH-PERP": 3_000 * E6}
    both = {"SOL-PERP": SPEC, "ETH-PERP": ETH}
    account = replace(Desk(deposit_e6=25 * E6).account, positions={2: eth})

    # 0.05 ETH at 3,000 binds 15 of the 25: 10 are left, and an order needs 10.5.
    verdict = Portfolio(account, both, prices.get).review(buy(4), SPEC)

    assert isinstance(verdict, Refused)
    assert verdict.code == "MARGIN"
    assert "equity 25000000 less 15000000 elsewhere" in verdict.detail


def test_one_market_may_not_come_to_more_than_its_limit() -> None:
    facts = limited(max_per_market_e6=210 * E6).want(buy(4), buy(3), buy(2))

    assert placed(facts) == ["tale/buy/4/0", "tale/buy/3/0"]
    assert refusals(facts) == [("tale/buy/2/0", "LIMIT_MARKET")]


def test_all_markets_together_may_not_come_to_more_than_the_gross_limit() -> None:
    facts = limited(max_gross_e6=105 * E6).want(buy(4), buy(3))

    assert refusals(facts) == [("tale/buy/3/0", "LIMIT_GROSS")]


def test_no_more_of_the_collateral_is_bound_than_its_share() -> None:
    # A thousandth of 10,000 is 10: less than the 10.5 of one order.
    facts = limited(max_collateral_share_e4=10).want(buy(4))

    assert refusals(facts) == [("tale/buy/4/0", "LIMIT_COLLATERAL")]


def test_an_order_that_makes_the_position_no_larger_passes_a_limit_that_is_reached() -> None:
    desk = limited(max_gross_e6=105 * E6)

    facts = desk.want(buy(4), want("tale/sell/5/0", "sell", 106))

    assert placed(facts) == ["tale/buy/4/0", "tale/sell/5/0"]


def test_what_closes_a_position_passes_every_limit() -> None:
    desk = limited(max_gross_e6=0)
    close = replace(want("tale/flatten/0/0", "sell", 100), kind="flatten", reduce_only=True, post_only="none", cell=-1)

    assert placed(desk.want(close)) == ["tale/flatten/0/0"]


def test_orders_of_several_grids_go_by_the_way_the_price_has_to_go() -> None:
    prices = {"SOL-PERP": 100 * E6, "ETH-PERP": 3_000 * E6}
    queued = [
        QueuedWant(want=want("sol/buy/0/0", "buy", 99), market="SOL-PERP", reference_e6=0, price_seq=0),
        QueuedWant(want=want("sol/buy/1/0", "buy", 95), market="SOL-PERP", reference_e6=0, price_seq=0),
        QueuedWant(want=want("eth/buy/0/0", "buy", 2_985), market="ETH-PERP", reference_e6=0, price_seq=0),
        QueuedWant(want=want("eth/buy/1/0", "buy", 2_910), market="ETH-PERP", reference_e6=0, price_seq=0),
    ]

    # 0.5 %, 1 %, 3 %, 5 %.
    ordered = [one.want.intent_id for one in nearest_first(queued, prices.get)]

    assert ordered == ["eth/buy/0/0", "sol/buy/0/0", "eth/buy/1/0", "sol/buy/1/0"]


def test_a_leverage_the_market_allows_no_more_pauses_its_grids_until_it_does() -> None:
    desk = Desk(wish=config(leverage_e4=80_000))

    tripped = desk.take(MarketRead(now_ns=desk.now_ns, spec=replace(SPEC, margin_ratio_initial_e4=2_000)))
    cleared = desk.take(MarketRead(now_ns=desk.now_ns, spec=SPEC))

    guards = [fact for fact in (*tripped, *cleared) if isinstance(fact, e.GuardTripped | e.GuardCleared)]
    assert [(type(fact), fact.code, fact.market) for fact in guards] == [
        (e.GuardTripped, "LEVERAGE", "SOL-PERP"),
        (e.GuardCleared, "LEVERAGE", "SOL-PERP"),
    ]
    assert guards[0].detail == "the market allows a leverage of 5 now, tale has 8"


def test_the_leverage_of_other_markets_is_not_asked() -> None:
    reservations = {"eth": Reservation(slots=32, market="ETH-PERP", leverage_e4=100_000)}

    assert leverage_breach(reservations, replace(SPEC, margin_ratio_initial_e4=5_000)) == ""
