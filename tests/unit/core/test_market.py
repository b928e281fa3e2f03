"""Prices and sizes are brought to the market's tick and step in the direction that is named."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_core.market import MarketStatus, round_down_to, round_half_even_to
from support.sol_perp import SOL_PERP


def test_an_active_market_takes_orders() -> None:
    assert SOL_PERP.is_open


@pytest.mark.parametrize("status", ["reduce-only", "paused", "settlement", "delisted", "initialized"])
def test_no_other_market_takes_orders_that_raise_the_risk(status: MarketStatus) -> None:
    assert not msgspec.structs.replace(SOL_PERP, status=status).is_open


def test_a_size_is_cut_to_the_step_below() -> None:
    assert round_down_to(123_456_789, SOL_PERP.step_e9) == 120_000_000
    assert round_down_to(120_000_000, SOL_PERP.step_e9) == 120_000_000
    assert round_down_to(9_999_999, SOL_PERP.step_e9) == 0


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(150, 1, 200), (250, 1, 200), (251, 1, 300), (149, 1, 100), (500, 2, 200), (301, 2, 200), (1000, 3, 300)],
)
def test_a_level_is_rounded_half_even_to_the_tick(numerator: int, denominator: int, rounded: int) -> None:
    assert round_half_even_to(numerator, denominator, SOL_PERP.tick_e6) == rounded
