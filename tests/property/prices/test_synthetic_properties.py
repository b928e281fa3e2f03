"""What holds for every seeded market."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core.prices.synthetic import SyntheticMarket

markets = st.builds(
    SyntheticMarket,
    market=st.just("SOL-PERP"),
    seed=st.integers(0, 2**63),
    start_e6=st.integers(10**6, 10**12),
    tick_e6=st.sampled_from([1, 100, 10_000]),
    step_e9=st.just(10**7),
    amplitude_e4=st.integers(0, 5_000),
    period_rows=st.integers(1, 10_000),
    octaves=st.integers(1, 6),
)


@given(market=markets, row=st.integers(0, 10**9))
def test_a_price_lies_on_the_tick_and_within_the_amplitude(market: SyntheticMarket, row: int) -> None:
    price_e6 = market.price_e6(row)

    assert price_e6 % market.tick_e6 == 0
    assert price_e6 > 0
    assert abs(price_e6 - market.start_e6) <= market.start_e6 * market.amplitude_e4 // 10_000 + market.tick_e6


@given(market=markets, row=st.integers(1, 10**6))
def test_a_row_does_not_depend_on_the_rows_asked_before(market: SyntheticMarket, row: int) -> None:
    alone = market.price(row, 0)

    for earlier in range(max(1, row - 5), row):
        market.price(earlier, 0)

    assert market.price(row, 0) == alone
