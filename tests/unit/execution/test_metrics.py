"""What execution shows of its accounts, from the events it commits and the state they fold to."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from prometheus_client import REGISTRY

from gridkeeper_core import events as e
from gridkeeper_core.record import GENESIS, Recorded
from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_drift.metrics import endpoint_label
from gridkeeper_execution.metrics import AccountMeter
from support.desk import Desk, fill, kinds, order, placed, venue_order
from support.story import START_NS


def shown(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"gridkeeper_{name}", {"account": "main"} | labels)


def recorded(facts: list[e.Fact], at_s: float) -> list[Recorded]:
    stream = {fact: "tx:main" if type(fact).__name__.startswith("Transaction") else "account:main" for fact in facts}
    return [
        Recorded(
            stream=stream[fact],
            version=1,
            ts_ns=START_NS + round(at_s * NS_PER_S),
            cause="",
            thread="",
            prev=GENESIS,
            fact=fact,
        )
        for fact in facts
    ]


def test_an_order_that_is_placed_filled_and_quoted_anew_is_counted_and_timed() -> None:
    desk, meter = Desk(), AccountMeter()
    before = {name: shown(f"{name}_total", **labels) or 0 for name, labels in COUNTED.items()}
    quick = REGISTRY.get_sample_value("gridkeeper_requote_seconds_bucket", {"le": "3.0"}) or 0

    desk.want(order("tale/buy/4/0", 104))
    meter.count(recorded(desk.landed(placed(desk, "tale/buy/4/0", 7), slot=100), at_s=1))
    filled = desk.seen("k", fill(7, 1, base=1, cumulative=1), slot=101)
    assert kinds(filled)[-2:] == ["OrderFilled", "OrderClosed"]
    meter.count(recorded(filled, at_s=2))
    desk.want(order("tale/sell/4/0", 105.5))
    meter.count(recorded(desk.landed(placed(desk, "tale/sell/4/0", 8), slot=102), at_s=4.5))

    after = {name: shown(f"{name}_total", **labels) or 0 for name, labels in COUNTED.items()}
    assert {name: after[name] - before[name] for name in COUNTED} == {"fills": 1, "transactions": 2}
    assert (REGISTRY.get_sample_value("gridkeeper_requote_seconds_bucket", {"le": "3.0"}) or 0) == quick + 1


COUNTED: dict[str, dict[str, str]] = {"fills": {"role": "maker"}, "transactions": {"outcome": "landed"}}


def test_what_is_so_of_an_account_is_shown_and_what_is_not_known_is_absent() -> None:
    desk, meter = Desk(), AccountMeter()
    meter.measure(desk.machine, {"main": 5 * E9}, desk.now_ns)
    assert [shown(name) for name in ("account_live", "venue_differences", "orders_wrong_price")] == [1, 0, 0]
    assert shown("wallet_lamports") == 5 * E9
    assert shown("order_unresolved_since_timestamp_seconds") == 0
    assert shown("liquidation_distance_ratio") is None
    assert shown("sol_runway_seconds") is None


def test_a_transaction_without_an_outcome_is_shown_with_the_time_it_was_first_open() -> None:
    desk, meter = Desk(), AccountMeter()
    desk.want(order("tale/buy/4/0", 104))
    meter.measure(desk.machine, {}, START_NS)
    meter.measure(desk.machine, {}, START_NS + 70 * NS_PER_S)
    assert shown("order_unresolved_since_timestamp_seconds") == START_NS / NS_PER_S
    desk.landed(placed(desk, "tale/buy/4/0", 7))
    meter.measure(desk.machine, {}, START_NS + 71 * NS_PER_S)
    assert shown("order_unresolved_since_timestamp_seconds") == 0


def test_a_believed_difference_is_counted_and_an_order_at_another_price_by_itself() -> None:
    desk, meter = Desk(), AccountMeter()
    desk.want(order("tale/buy/4/0", 104))
    desk.landed(placed(desk, "tale/buy/4/0", 7))
    wrong = replace(venue_order(7), price_e6=103 * E6)
    for slot in (110, 111):
        desk.read(orders=(wrong,), slot=slot)
    meter.measure(desk.machine, {}, desk.now_ns)
    assert (shown("venue_differences"), shown("orders_wrong_price")) == (1, 1)


def test_the_distance_to_liquidation_is_that_of_what_is_held() -> None:
    # 1 bought at 104 with a deposit of 50, worth 105: equity a little above 51, less than half of what is held.
    desk, meter = Desk(deposit_e6=50 * E6), AccountMeter()
    desk.want(order("tale/buy/4/0", 104))
    desk.landed(placed(desk, "tale/buy/4/0", 7), fill(7, 1, base=1, cumulative=1))
    meter.measure(desk.machine, {}, desk.now_ns)
    ratio = shown("liquidation_distance_ratio")
    assert ratio is not None
    assert 0.4 < ratio < 0.5


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("https://rpc.example.org/v2/secret-token?key=x", "rpc.example.org:443"),
        ("http://user:password@127.0.0.1:8899", "127.0.0.1:8899"),
    ],
)
def test_the_label_of_an_endpoint_holds_no_secret(url: str, label: str) -> None:
    assert endpoint_label(url) == label
