"""One grid over a tape: what fills when, what latency and margin change, what funding pays, what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
import numpy as np
import pytest

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import E6, E9, NS_PER_MS, NS_PER_S
from gridkeeper_core.venue.state import FillModel, FillRules
from gridkeeper_lab.backtest import Engine, Run, Setting, run
from gridkeeper_lab.columns import UNKNOWN, Columns
from gridkeeper_lab.funding_file import Payment
from gridkeeper_lab.outcome import NEEDED, Outcome, outcome_of, steps_of, total_pnl
from support.story import SPEC, START_NS, config

F = TypeVar("F", bound=e.Fact)


def tape(*prices: float, every_ns: int = NS_PER_S, size: float | None = None) -> Columns:
    rows = len(prices)
    size_e9 = UNKNOWN if size is None else round(size * E9)
    return Columns(
        START_NS + np.arange(rows) * every_ns,
        np.array([round(price * E6) for price in prices]),
        np.full(rows, size_e9),
        np.ones(rows, dtype=np.int8),
        np.zeros(rows, dtype=np.int64),
    )


def tried(
    prices: Columns,
    *,
    model: FillModel = "touch",
    latency_ns: int = 0,
    deposit_e6: int = 10**15,
    funding: Sequence[Payment] = (),
    **changes: object,
) -> tuple[Run, Outcome]:
    setting = Setting(
        spec=SPEC,
        fills=FillRules(model=model),
        latency_ns=latency_ns,
        deposit_e6=deposit_e6,
        enforce_margin=deposit_e6 < 10**15,
    )
    ran = run(config(**changes), "", prices, setting, funding=funding)
    return ran, outcome_of(ran)


def test_a_turn_earns_the_spacing_and_two_rebates() -> None:
    _, outcome = tried(tape(105, 104, 105, 105))

    # Bought 1 at 104, sold 1 at 105, each with a rebate of 0.0002 of it.
    assert (outcome.fills, outcome.turns, outcome.position_e9) == (2, 1, 0)
    assert outcome.cash_e6 == 1 * E6
    assert outcome.volume_e6 == 209 * E6
    assert outcome.fees_e6 == -(104 * 200 + 105 * 200)
    assert outcome.total_pnl_e6 == E6 + 41_800
    assert outcome.residual_e6 == 0


def test_an_order_placed_at_a_row_cannot_be_filled_by_that_row() -> None:
    _, outcome = tried(tape(105, 104, 104))

    assert outcome.fills == 1


@pytest.mark.parametrize(("model", "fills"), [("touch", 1), ("through", 0)])
def test_a_trade_at_the_very_price_fills_only_where_a_touch_does(model: FillModel, fills: int) -> None:
    _, outcome = tried(tape(105, 104), model=model)

    assert outcome.fills == fills


def test_a_small_trade_fills_a_part_in_the_queue_model() -> None:
    ran, outcome = tried(tape(105, 103.99, size=0.25), model="queue")

    assert outcome.fills == 1
    assert outcome.position_e9 == E9 // 4
    assert [fact.base_e9 for fact in facts(ran, e.OrderFilled)] == [E9 // 4]


def test_an_order_under_way_misses_the_rows_before_it_lands() -> None:
    prices = tape(105, 104, 105, 105, 104, every_ns=NS_PER_MS)

    assert tried(prices)[1].fills == 3
    assert tried(prices, latency_ns=3 * NS_PER_MS)[1].fills == 1
    assert tried(prices, latency_ns=10 * NS_PER_MS)[1].fills == 0


def test_an_order_that_would_cross_by_the_time_it_lands_is_turned_away() -> None:
    ran, _ = tried(tape(105, 103.5, 103.5, every_ns=NS_PER_MS), latency_ns=NS_PER_MS // 2 * 3)

    closed = [fact.reason for fact in facts(ran, e.OrderClosed)]
    assert "not_placed" in closed


def test_without_enough_collateral_orders_are_refused_for_margin() -> None:
    ran, outcome = tried(tape(105, 104, 103), deposit_e6=20 * E6)

    assert {fact.code for fact in facts(ran, e.OrderRefused)} == {"MARGIN"}
    assert outcome.refused > 0
    # 20 at a tenth of the notional carry not two of about 105.
    assert outcome.fills <= 1


def test_longs_pay_a_positive_rate_on_what_they_hold() -> None:
    payment = Payment(START_NS + 2 * NS_PER_S + 1, 10**8)  # 0.0001 of the notional
    _, outcome = tried(tape(105, 104, 104, 104), funding=[payment])

    assert outcome.position_e9 == E9
    assert outcome.funding_e6 == -10_400  # 1 x 104 x 0.0001
    assert outcome.residual_e6 == 0


def test_the_drawdown_is_the_deepest_fall_from_a_peak() -> None:
    # Holds 1 from 104: at 102.5 it is down 1.5, and one more from 103 is down 0.5; rebates came in before.
    _, outcome = tried(tape(105, 104, 103, 102.5, 104, 104))

    assert outcome.max_drawdown_e6 == 2 * E6 - 103 * 200
    assert outcome.total_pnl_e6 == outcome.grid_profit_e6 + (104 - 104 + 0) * E6 - outcome.fees_e6


def test_the_parts_add_up_to_the_whole() -> None:
    _, outcome = tried(tape(105, 104, 103, 105, 107, 106, 104.5))

    assert sum(line.quote_e6 for line in outcome.lines) == outcome.total_pnl_e6


def test_a_grid_that_cannot_be_opened_says_why() -> None:
    with pytest.raises(GridkeeperError) as refused:
        tried(tape(105, 104), size_base_e9=1)

    assert refused.value.code == "SIZE_UNDER_MINIMUM"


def test_progress_is_told() -> None:
    prices = tape(105, *([104, 106] * 1_500))
    told: list[int] = []
    setting = Setting(spec=SPEC, fills=FillRules(model="touch"), deposit_e6=10**15, enforce_margin=False)

    run(config(), "", prices, setting, progress=told.append)

    assert told == sorted(told)
    assert told


def facts(ran: Run, kind: type[F]) -> list[F]:
    return [event.fact for event in ran.events() if isinstance(event.fact, kind)]


def test_a_run_that_forgets_what_nobody_asks_for_comes_to_the_same() -> None:
    prices = tape(105, 104, 103, 104, 106, 105, 108, 104, 105)
    setting = Setting(spec=SPEC, fills=FillRules(model="touch"), deposit_e6=10**15)

    whole, short = (run(config(), "", prices, setting, kept=kept) for kept in (None, NEEDED))

    assert outcome_of(short) == outcome_of(whole)
    assert 0 < len(short.events()) < len(whole.events()) / 2


def test_the_deepest_drawdown_is_found_wherever_in_a_long_tape_it_lies() -> None:
    # The peak lies in one part of what is looked at together, the bottom in a later one.
    quiet = [105.0] * 70_000
    prices = tape(105, 103, *quiet, 106, *quiet, 101, *quiet, 105, every_ns=NS_PER_MS)

    ran, outcome = tried(prices, price_age_max_ns=3_600 * NS_PER_S)

    curve = total_pnl(prices.price_e6, steps_of(ran))
    expected = max(float(peak - low) for peak, low in zip(np.maximum.accumulate(curve), curve, strict=True))
    assert outcome.max_drawdown_e6 == pytest.approx(expected * E6, abs=2)
    assert outcome.max_drawdown_e6 > E6


def test_what_would_cross_when_it_lands_is_turned_away_unless_that_is_switched_off() -> None:
    # Filled at 104 the grid wants to sell at 105; when that order lands, the price is beyond it already.
    prices = tape(105, 105, 105, 104, 106, 106, 106, 107)
    setting = Setting(spec=SPEC, fills=FillRules(model="touch"), deposit_e6=10**15, latency_ns=1_500 * NS_PER_MS)

    strict, lax = (
        run(config(), "", prices, msgspec.structs.replace(setting, rejects_crossing=rejects))
        for rejects in (True, False)
    )

    sold = [[fact.price_e6 for fact in facts(ran, e.OrderFilled) if fact.side == "sell"] for ran in (strict, lax)]
    assert 105 * E6 not in sold[0]
    assert 105 * E6 in sold[1]


def test_a_deadline_at_the_moment_of_a_row_passes_before_it_also_where_rows_are_passed_over() -> None:
    # Orders of 40 s are renewed after 20 s: just when a row comes, whose price nobody has seen then.
    prices = tape(*(105 + 0.01 * (second % 7) for second in range(60)))
    setting = Setting(spec=SPEC, fills=FillRules(model="touch"), deposit_e6=10**15)
    engines: tuple[Engine, ...] = ("skipping", "plain")

    skipping, plain = (
        run(config(order_life_ns=40 * NS_PER_S), "", prices, setting, engine=engine) for engine in engines
    )

    renewed = [fact for fact in facts(plain, e.OrdersWanted) if any(gone.why == "renew" for gone in fact.unwanted)]
    assert renewed
    assert list(skipping.events()) == list(plain.events())
