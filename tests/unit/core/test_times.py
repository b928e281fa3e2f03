"""Moments from text, in every spelling users have."""

from __future__ import annotations

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.times import parse_time_ns

NOON_NS = 1_735_732_800 * 10**9


@pytest.mark.parametrize(
    "text",
    [
        "2025-01-01T12:00:00Z",
        "2025-01-01 12:00:00",
        "2025-01-01T13:00:00+01:00",
        "2025-01-01 12:00:00 UTC",
        "1735732800",
        "1735732800000",
        "1735732800000000",
        "1735732800000000000",
        "1735732800.0",
        "2025-01-01T12:00:00.000000000Z",
    ],
)
def test_all_of_these_are_noon(text: str) -> None:
    assert parse_time_ns(text, "time") == NOON_NS


@pytest.mark.parametrize(
    ("text", "more_ns"),
    [("2025-01-01T12:00:00.123456789Z", 123_456_789), ("1735732800.25", 250_000_000), ("2025-01-01T12:00:00.1", 10**8)],
)
def test_parts_of_a_second_are_kept_exactly(text: str, more_ns: int) -> None:
    assert parse_time_ns(text, "time") == NOON_NS + more_ns


@pytest.mark.parametrize("text", ["", "noon", "2025-13-01", "-5", "1" * 20, "12:00"])
def test_anything_else_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(GridkeeperError) as refusal:
        parse_time_ns(text, "--from")
    assert (refusal.value.code, refusal.value.field) == ("BAD_VALUE", "--from")
