"""Laws of units and roundings, for any numbers."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core.market import round_down_to, round_half_even_to
from gridkeeper_core.units import (
    E6,
    E9,
    NS_PER_MS,
    decimal_text,
    div_ceil,
    div_trunc,
    duration_text,
    parse_duration_ns,
    parse_scaled,
    quote_ceil_e6,
    quote_floor_e6,
    round_scaled,
)

SCALES = st.sampled_from([1, 10**4, E6, E9])
# The venue's largest numbers: u64 prices and sizes.
AMOUNTS = st.integers(0, 2**64 - 1)
SIGNED = st.integers(-(2**63), 2**63 - 1)
UNITS = st.integers(1, 10**10)


@given(value=SIGNED, scale=SCALES)
def test_what_is_written_is_read_back(value: int, scale: int) -> None:
    assert parse_scaled(decimal_text(value, scale), scale, "any") == value


@given(value=SIGNED, scale=SCALES)
def test_written_text_is_the_exact_value(value: int, scale: int) -> None:
    assert Fraction(decimal_text(value, scale)) == Fraction(value, scale)


@given(milliseconds=st.integers(0, 10**12))
def test_a_written_duration_is_read_back(milliseconds: int) -> None:
    assert parse_duration_ns(duration_text(milliseconds * NS_PER_MS), "any") == milliseconds * NS_PER_MS


@given(price_e6=AMOUNTS, base_e9=AMOUNTS)
def test_the_quote_lies_between_its_floor_and_its_ceiling_less_than_one_unit_apart(price_e6: int, base_e9: int) -> None:
    exact = Fraction(price_e6 * base_e9, E9)
    floor, ceiling = quote_floor_e6(price_e6, base_e9), quote_ceil_e6(price_e6, base_e9)

    assert floor <= exact <= ceiling
    assert 0 <= ceiling - floor <= 1
    assert (ceiling == floor) == (exact.denominator == 1)


@given(numerator=SIGNED, denominator=UNITS)
def test_division_up_is_the_smallest_integer_not_below(numerator: int, denominator: int) -> None:
    assert div_ceil(numerator, denominator) - 1 < Fraction(numerator, denominator) <= div_ceil(numerator, denominator)


@given(numerator=SIGNED, denominator=SIGNED.filter(bool))
def test_truncation_is_that_of_exact_numbers(numerator: int, denominator: int) -> None:
    assert div_trunc(numerator, denominator) == int(Fraction(numerator, denominator))


@given(value=AMOUNTS, unit=UNITS)
def test_rounding_down_gives_a_multiple_less_than_one_unit_below(value: int, unit: int) -> None:
    rounded = round_down_to(value, unit)

    assert rounded % unit == 0
    assert 0 <= value - rounded < unit


@given(numerator=AMOUNTS, denominator=UNITS, unit=UNITS)
def test_rounding_to_the_tick_is_that_of_exact_numbers(numerator: int, denominator: int, unit: int) -> None:
    assert round_half_even_to(numerator, denominator, unit) == round(Fraction(numerator, denominator * unit)) * unit


@given(value=st.decimals(-(10**9), 10**9, places=12), step=st.sampled_from([1, 100, 1000]))
def test_recorded_text_is_rounded_as_exact_numbers_are(value: Decimal, step: int) -> None:
    assert round_scaled(str(value), E6, step, "any") == round(Fraction(value) * E6 / step) * step


@pytest.mark.parametrize("ticks", ["0.5", "1.5", "2.5"])
def test_half_a_tick_goes_to_the_even_one(ticks: str) -> None:
    expected = Decimal(ticks).quantize(Decimal(1), ROUND_HALF_EVEN)

    assert round_scaled(ticks, 1, 1, "any") == expected
