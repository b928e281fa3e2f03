"""The driver's judgement: who is not at rest and why, where the clock stops, and which rows may go out together."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_core.prices.lockstep import Expected, calm_rows, fingerprint, next_stop_ns, unrest
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import PRICE_MAX_E6, Band, Quiet

SOL = "SOL-PERP"
EXPECTED = Expected(now_ns=50, price_seq={SOL: 9}, price_readers=frozenset({"strategy"}))
STRATEGY = Quiet(
    service="strategy",
    now_ns=50,
    app="strategy_0",
    head_id=7,
    published_id=7,
    positions={"execution_0": 4},
    price_seq={SOL: 9},
    next_wake_ns=60,
    band={SOL: Band(90, 110)},
)
EXECUTION = Quiet(
    service="execution", now_ns=50, app="execution_0", head_id=4, published_id=4, positions={"strategy_0": 7}, band={}
)


def row(seq: int, price_e6: int, *, market: str = SOL) -> Price:
    return Price(market=market, source="tape", source_seq=seq, ts_ns=10 * seq, oracle_e6=price_e6)


def test_services_that_have_read_each_other_to_the_end_are_at_rest() -> None:
    assert unrest([STRATEGY, EXECUTION], EXPECTED) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"busy": True}, "strategy is busy"),
        ({"now_ns": 49}, "strategy has the clock at 49, not 50"),
        ({"published_id": 6}, "strategy has published up to 6 of 7"),
        ({"positions": {"execution_0": 3}}, "strategy has read execution_0 up to 3 of 4"),
        ({"price_seq": {SOL: 8}}, "strategy has the price 8 of SOL-PERP, not 9"),
        ({"price_seq": {}}, "strategy has the price 0 of SOL-PERP, not 9"),
        ({"next_wake_ns": 50}, "strategy has not taken its deadline 50"),
    ],
)
def test_each_thing_on_its_way_is_named(change: dict[str, object], reason: str) -> None:
    restless = msgspec.structs.replace(STRATEGY, **change)

    assert unrest([restless, EXECUTION], EXPECTED) == [reason]


def test_a_service_that_takes_no_prices_need_not_have_the_last_one() -> None:
    assert unrest([EXECUTION], EXPECTED) == []


@pytest.mark.parametrize(
    "change", [{"head_id": 8}, {"published_id": 8}, {"positions": {"execution_0": 5}}, {"service": "other"}]
)
def test_a_fingerprint_changes_with_log_and_positions(change: dict[str, object]) -> None:
    changed = msgspec.structs.replace(STRATEGY, **change)

    assert fingerprint([changed]) != fingerprint([STRATEGY])


def test_a_fingerprint_does_not_change_with_the_clock() -> None:
    assert fingerprint([msgspec.structs.replace(STRATEGY, now_ns=51, price_seq={SOL: 10})]) == fingerprint([STRATEGY])


@pytest.mark.parametrize(("until_ns", "stop"), [(59, None), (60, 60), (99, 60)])
def test_the_clock_stops_at_the_earliest_deadline_up_to_the_row(until_ns: int, stop: int | None) -> None:
    later = msgspec.structs.replace(EXECUTION, next_wake_ns=80)

    assert next_stop_ns([later, STRATEGY], until_ns) == stop


def test_without_deadlines_the_clock_does_not_stop() -> None:
    assert next_stop_ns([EXECUTION], 10**18) is None


def no_deadline(*answers: Quiet) -> list[Quiet]:
    return [msgspec.structs.replace(answer, next_wake_ns=None) for answer in answers]


@pytest.mark.parametrize(
    ("prices", "count"),
    [([100, 109, 91, 100], 4), ([100, 110, 100], 1), ([90], 0), ([89], 0), ([111], 0)],
)
def test_rows_strictly_inside_the_band_go_together(prices: list[int], count: int) -> None:
    rows = [row(seq, price) for seq, price in enumerate(prices, 1)]

    assert calm_rows(rows, no_deadline(STRATEGY, EXECUTION)) == count


def test_the_narrowest_of_all_bands_counts() -> None:
    sandbox = Quiet(service="sandbox", now_ns=50, band={SOL: Band(95, PRICE_MAX_E6)})

    assert calm_rows([row(1, 100), row(2, 95)], no_deadline(STRATEGY, sandbox)) == 1


def test_rows_at_or_after_a_deadline_do_not_go_out_with_those_before_it() -> None:
    assert calm_rows([row(5, 100), row(6, 100)], [STRATEGY]) == 1


def test_a_service_that_cannot_tell_its_band_lets_no_rows_go_together() -> None:
    unsure = msgspec.structs.replace(EXECUTION, band=None)

    assert calm_rows([row(1, 100)], no_deadline(STRATEGY, unsure)) == 0


def test_a_market_nobody_names_is_calm_and_each_market_has_its_own_band() -> None:
    rows = [row(1, 10**9, market="BTC-PERP"), row(1, 100), row(2, 1, market="BTC-PERP"), row(2, 200)]

    assert calm_rows(rows, no_deadline(STRATEGY)) == 3


def test_an_answer_survives_its_own_encoding() -> None:
    assert msgspec.json.decode(msgspec.json.encode(STRATEGY), type=Quiet) == STRATEGY
