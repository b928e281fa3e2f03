"""Settings of stops that have to fit the range, and the room that stops need on the venue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.units import e6_text

STOPS_LIVE_ORDERS_MAX = 27
STOPS_RESERVE_MIN = 5
"""Two stops rest on the venue, three slots are left to replace orders: together the venue's 32."""


def stops_window(config: GridConfig, given: Mapping[str, Any]) -> dict[str, int]:
    """The window of a grid with stops, where the file does not say it."""
    if not config.has_stops:
        return {}
    window = {}
    if "window.live_orders" not in given:
        window["live_orders"] = STOPS_LIVE_ORDERS_MAX
    if "window.reserve" not in given:
        window["reserve"] = STOPS_RESERVE_MIN
    return window


def check_stops(config: GridConfig) -> None:
    """Raises GridkeeperError STOP_INSIDE_RANGE or WINDOW_TOO_LARGE."""
    low_e6, high_e6 = config.stop_low_e6, config.stop_high_e6
    if low_e6 is not None and low_e6 >= config.lower_e6:
        expected = f"below {e6_text(config.lower_e6)} (grid.lower)"
        raise GridkeeperError("STOP_INSIDE_RANGE", field="stops.low", value=e6_text(low_e6), expected=expected)
    if high_e6 is not None and high_e6 <= config.upper_e6:
        expected = f"above {e6_text(config.upper_e6)} (grid.upper)"
        raise GridkeeperError("STOP_INSIDE_RANGE", field="stops.high", value=e6_text(high_e6), expected=expected)
    if not config.has_stops:
        return
    if config.live_orders > STOPS_LIVE_ORDERS_MAX or config.reserve < STOPS_RESERVE_MIN:
        raise GridkeeperError(
            "WINDOW_TOO_LARGE",
            field="window.live_orders",
            value=f"{config.live_orders} + {config.reserve} in reserve",
            expected=f"with stops at most {STOPS_LIVE_ORDERS_MAX} and at least {STOPS_RESERVE_MIN} in reserve",
        )
