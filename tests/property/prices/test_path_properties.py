"""What holds for the path inside every bar."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core.prices.path import PATH_ORDERS, Bar, CandlePath, Participation

prices = st.integers(1, 10**12)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low, inner, other, high = sorted(draw(st.tuples(prices, prices, prices, prices)))
    open_e6, close_e6 = draw(st.permutations([inner, other]))
    return Bar(draw(st.integers(0, 10**18)), open_e6, high, low, close_e6, draw(st.integers(0, 10**18)))


@given(
    bar=bars(),
    order=st.sampled_from(PATH_ORDERS),
    step_e9=st.integers(1, 10**9),
    share=st.builds(Participation, st.integers(0, 10), st.integers(10, 20)),
)
def test_the_path_touches_all_four_prices_and_spends_the_share_to_the_step(
    bar: Bar, order: str, step_e9: int, share: Participation
) -> None:
    path = CandlePath(bar_ns=60_000_000_000, step_e9=step_e9, order=order, participation=share)  # type: ignore[arg-type]
    points = path.points(bar)
    sizes = [p.size_e9 or 0 for p in points]

    assert sorted(p.price_e6 for p in points) == sorted([bar.open_e6, bar.high_e6, bar.low_e6, bar.close_e6])
    assert (points[0].price_e6, points[-1].price_e6) == (bar.open_e6, bar.close_e6)
    assert [p.ts_ns for p in points] == sorted({p.ts_ns for p in points})
    assert all(size % step_e9 == 0 for size in sizes)
    assert max(sizes) - min(sizes) <= step_e9
    assert 0 <= bar.volume_e9 * share.numerator // share.denominator - sum(sizes) < step_e9


@given(bar=bars())
def test_near_and_far_are_each_other_with_the_extremes_exchanged(bar: Bar) -> None:
    near, far = (
        [p.price_e6 for p in CandlePath(bar_ns=4, step_e9=1, order=order).points(bar)] for order in ("near", "far")
    )

    assert far == [near[0], near[2], near[1], near[3]]
    assert abs(near[1] - near[0]) <= abs(near[2] - near[0])
