"""Passing over rows at which nothing can happen changes nothing: the plain engine records the very same events."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gridkeeper_core.units import E6, E9, NS_PER_MS, NS_PER_S
from gridkeeper_core.venue.state import FillRules
from gridkeeper_lab.backtest import Engine, Run, Setting, run
from gridkeeper_lab.columns import Columns
from gridkeeper_lab.crossing import Crossings
from gridkeeper_lab.funding_file import Payment
from support.story import SPEC, START_NS, config


@st.composite
def tapes(draw: st.DrawFn) -> Columns:
    """A few hundred rows around 105 with jumps, pauses and now and then a trade of unknown size."""
    rows = draw(st.integers(2, 400))
    numbers = np.random.Generator(np.random.PCG64(draw(st.integers(0, 2**32))))
    step_e6 = draw(st.sampled_from([2_000, 40_000, 300_000]))
    walk = 105 * E6 + np.cumsum(numbers.integers(-step_e6, step_e6 + 1, rows))
    price_e6 = np.clip(walk, 97 * E6, 113 * E6) // SPEC.tick_e6 * SPEC.tick_e6
    pause_ns = numbers.choice(
        [0, NS_PER_MS, NS_PER_S, 40 * NS_PER_S, 900 * NS_PER_S], rows, p=[0.1, 0.4, 0.4, 0.08, 0.02]
    )
    size_e9 = numbers.integers(1, 300, rows) * SPEC.step_e9
    return Columns(
        START_NS + np.cumsum(pause_ns),
        price_e6,
        np.where(numbers.random(rows) < 0.1, -1, size_e9),
        numbers.choice([-1, 1], rows).astype(np.int8),
        np.full(rows, draw(st.sampled_from([0, 60 * NS_PER_S])), dtype=np.int64),
    )


@st.composite
def circumstances(draw: st.DrawFn) -> tuple[Setting, dict[str, object]]:
    rules = draw(
        st.sampled_from(
            [
                FillRules(model="touch"),
                FillRules(),
                FillRules(model="queue"),
                FillRules(model="queue", queue_ahead_e4=5000),
            ]
        )
    )
    setting = Setting(
        spec=SPEC,
        fills=rules,
        latency_ns=draw(st.sampled_from([0, NS_PER_MS, 700 * NS_PER_MS, 30 * NS_PER_S])),
        deposit_e6=draw(st.sampled_from([200 * E6, 2_000 * E6, 10**15])),
        enforce_margin=draw(st.booleans()),
        rejects_crossing=draw(st.booleans()),
        spread_bps=draw(st.sampled_from([0, 4])),
    )
    changes: dict[str, object] = {
        "live_orders": draw(st.sampled_from([3, 8, 28])),
        "hysteresis": draw(st.integers(0, 2)),
        "roll_interval_ns": draw(st.sampled_from([0, 5 * NS_PER_S])),
        "order_life_ns": draw(st.sampled_from([0, 60 * NS_PER_S, 3600 * NS_PER_S])),
        "risk_enabled": draw(st.booleans()),
        "size_base_e9": draw(st.sampled_from([E9 // 10, E9])),
    }
    return setting, changes


def tried(engine: Engine, tape: Columns, given_: tuple[Setting, dict[str, object]], funding: list[Payment]) -> Run:
    setting, changes = given_
    return run(config(**changes), "", tape, setting, funding=funding, engine=engine)


@given(tapes(), circumstances(), st.lists(st.integers(-(10**9), 10**9), max_size=4))
@settings(max_examples=60)
def test_both_engines_record_the_same_events(
    tape: Columns, given_: tuple[Setting, dict[str, object]], rates: list[int]
) -> None:
    span_ns = int(tape.ts_ns[-1]) - START_NS
    funding = [Payment(START_NS + span_ns * at // 5, rate) for at, rate in enumerate(rates, start=1)]

    skipping, plain = (tried(engine, tape, given_, funding) for engine in ("skipping", "plain"))

    assert [event for event in skipping.events() if event not in plain.events()][:1] == []
    assert list(skipping.events()) == list(plain.events())
    assert skipping.row_of_events().tolist() == plain.row_of_events().tolist()
    assert skipping.lab.strategy.digests() == plain.lab.strategy.digests()
    assert skipping.lab.execution.digests() == plain.lab.execution.digests()


@given(tapes())
@settings(max_examples=20)
def test_the_books_prove_themselves_after_any_tape(tape: Columns) -> None:
    ran = run(config(), "", tape, Setting(spec=SPEC, fills=FillRules(model="touch"), deposit_e6=10**15))

    ran.lab.reconcile()

    assert not ran.lab.execution.account("main").differs


@given(st.integers(1, 3_000), st.integers(0, 2**32), st.integers(0, 6), st.integers(1, 8), st.data())
@settings(max_examples=200)
def test_the_next_crossing_is_the_first_row_outside(
    rows: int, seed: int, low: int, width: int, data: st.DataObject
) -> None:
    numbers = np.random.Generator(np.random.PCG64(seed))
    # Mostly the middle of every band, so that crossings lie far apart, and then all the prices around its two ends.
    prices = np.where(numbers.random(rows) < 0.01, numbers.integers(0, 16, rows), low + (width + 1) // 2)
    first = data.draw(st.integers(0, rows))
    end = data.draw(st.integers(first, rows))
    index = Crossings(prices.astype(np.int64))

    row = first
    while row < end:
        expected = next((at for at in range(row, end) if not low < prices[at] < low + width), end)
        assert index.next_row(row, end, low, low + width) == expected
        row = expected + 1
