"""Decimal text is read exactly or refused; every rounding goes where its name says."""

from __future__ import annotations

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import (
    E6,
    E9,
    decimal_text,
    div_ceil,
    div_trunc,
    duration_text,
    e6_text,
    e9_text,
    parse_duration_ns,
    parse_scaled,
    quote_ceil_e6,
    quote_floor_e6,
    round_scaled,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("150.25", 150_250_000),
        ("0.000001", 1),
        ("-3", -3_000_000),
        (" 7 ", 7_000_000),
        ("1e3", 1_000_000_000),
        ("0", 0),
    ],
)
def test_decimal_text_is_read_exactly(text: str, value: int) -> None:
    assert parse_scaled(text, E6, "price") == value


@pytest.mark.parametrize("text", ["", "abc", "1,5", "0.0000001", "NaN", "Infinity", "-Infinity", "0x10"])
def test_a_number_that_is_not_exact_decimal_text_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(GridkeeperError) as refused:
        parse_scaled(text, E6, "price")

    assert (refused.value.code, refused.value.field) == ("BAD_NUMBER", "price")


@pytest.mark.parametrize("text", ["1_0_", "٣", "1." + 69 * "0" + "1", "1e9999999"])
def test_a_number_that_only_looks_like_exact_decimal_text_is_refused_too(text: str) -> None:
    with pytest.raises(GridkeeperError) as refused:
        parse_scaled(text, E6, "price")

    assert refused.value.code == "BAD_NUMBER"


def test_the_refusal_of_too_many_places_says_how_many_are_allowed() -> None:
    with pytest.raises(GridkeeperError, match="at most 9 decimal places"):
        parse_scaled("0.1234567891", E9, "size")


@pytest.mark.parametrize(
    ("text", "step", "value"),
    [
        ("150.123456789", 100, 150_123_500),
        ("0.00025", 100, 200),
        ("0.00035", 100, 400),
        ("-0.00025", 100, -200),
    ],
)
def test_recorded_numbers_are_rounded_half_even_to_the_step(text: str, step: int, value: int) -> None:
    assert round_scaled(text, E6, step, "price") == value


@pytest.mark.parametrize("text", ["", "x", "NaN", "Infinity"])
def test_a_recorded_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(GridkeeperError) as refused:
        round_scaled(text, E6, 100, "price")

    assert refused.value.code == "BAD_NUMBER"


@pytest.mark.parametrize(
    ("value", "text"), [(1_500_000, "1.5"), (-1, "-0.000001"), (0, "0"), (2_000_000, "2"), (-2_500_000, "-2.5")]
)
def test_decimal_text_is_as_short_as_it_can_be(value: int, text: str) -> None:
    assert e6_text(value) == text


def test_base_amounts_have_nine_places() -> None:
    assert e9_text(100_000_001) == "0.100000001"
    assert decimal_text(5, 1) == "5"


@pytest.mark.parametrize(
    ("text", "value"),
    [("5s", 5 * E9), ("250ms", 250 * E6), ("10m", 600 * E9), ("4h", 14_400 * E9), ("1d", 86_400 * E9), ("0", 0)],
)
def test_durations_are_read(text: str, value: int) -> None:
    assert parse_duration_ns(text, "order_life") == value


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "-5s", "1.5h", "5sec", "٣s"])
def test_a_duration_without_number_or_unit_is_refused(text: str) -> None:
    with pytest.raises(GridkeeperError) as refused:
        parse_duration_ns(text, "order_life")

    assert (refused.value.code, refused.value.field) == ("BAD_DURATION", "order_life")


@pytest.mark.parametrize("text", ["5s", "250ms", "10m", "4h", "2d", "90m", "0"])
def test_durations_are_written_as_they_are_read(text: str) -> None:
    assert duration_text(parse_duration_ns(text, "any")) == text


def test_what_is_received_rounds_down_and_what_is_reserved_rounds_up() -> None:
    assert quote_floor_e6(150_000_001, 100_000_000) == 15_000_000
    assert quote_ceil_e6(150_000_001, 100_000_000) == 15_000_001


def test_a_whole_quote_is_not_rounded_at_all() -> None:
    assert quote_floor_e6(150_000_000, E9) == quote_ceil_e6(150_000_000, E9) == 150_000_000


@pytest.mark.parametrize(
    ("numerator", "up", "towards_zero"), [(7, 4, 3), (-7, -3, -3), (8, 4, 4), (-8, -4, -4), (0, 0, 0)]
)
def test_divisions_round_as_they_are_named(numerator: int, up: int, towards_zero: int) -> None:
    assert div_ceil(numerator, 2) == up
    assert div_trunc(numerator, 2) == towards_zero


def test_truncation_looks_at_both_signs() -> None:
    assert div_trunc(7, -2) == -3
    assert div_trunc(-7, -2) == 3
