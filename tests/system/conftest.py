"""How much of the recorded candles the system tests run through."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def recorded_days(request: pytest.FixtureRequest) -> float:
    """Days of recorded candles; 0 means all there are."""
    days: float = request.config.getoption("--recorded-days")
    return days
