"""Settings of range policies and trailing that have to fit each other and the levels."""

from __future__ import annotations

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.units import e6_text


def check_range(config: GridConfig) -> None:
    """Raises GridkeeperError MISSING_KEY, BAD_VALUE or CANNOT_FOLLOW."""
    sides = (
        ("above", config.range_above, "up", config.trail_up_limit_e6),
        ("below", config.range_below, "down", config.trail_down_limit_e6),
    )
    for side, policy, way, limit_e6 in sides:
        if policy == "trail" and limit_e6 is None:
            raise GridkeeperError("MISSING_KEY", field=f"trailing.{way}_limit", expected="how far the grid may trail")
        if limit_e6 is not None and policy not in ("hold", "trail"):
            raise GridkeeperError(
                "BAD_VALUE", field=f"range.{side}", value=policy, expected=f"trail, as trailing.{way}_limit is set"
            )
        if config.spacing == "custom" and (limit_e6 is not None or policy == "recenter"):
            field = f"trailing.{way}_limit" if limit_e6 is not None else f"range.{side}"
            expected = "spacing instead of levels"
            raise GridkeeperError("CANNOT_FOLLOW", field=field, value="grid.levels", expected=expected)
    _check_limits(config)


def _check_limits(config: GridConfig) -> None:
    up_e6, down_e6 = config.trail_up_limit_e6, config.trail_down_limit_e6
    if up_e6 is not None and up_e6 <= config.upper_e6:
        expected = f"above {e6_text(config.upper_e6)} (grid.upper)"
        raise GridkeeperError("BAD_VALUE", field="trailing.up_limit", value=e6_text(up_e6), expected=expected)
    if down_e6 is not None and down_e6 >= config.lower_e6:
        expected = f"below {e6_text(config.lower_e6)} (grid.lower)"
        raise GridkeeperError("BAD_VALUE", field="trailing.down_limit", value=e6_text(down_e6), expected=expected)
    if not config.fixed_floor:
        return
    if up_e6 is None:
        raise GridkeeperError("MISSING_KEY", field="trailing.up_limit", expected="how far the grid may grow")
    if down_e6 is not None:
        value = e6_text(down_e6)
        raise GridkeeperError("BAD_VALUE", field="trailing.down_limit", value=value, expected="a moving floor")
    if config.size_quote_e6 is None:
        raise GridkeeperError("BAD_VALUE", field="grid.size", value="base", expected="quote, with a fixed floor")
