"""What a grid's stops would cost: the result when the price goes straight to a stop and it fills there."""

from __future__ import annotations

import msgspec

from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.preview_checks import Refusal
from gridkeeper_core.grid.preview_money import Held, Inventory, inventory_at_lower, inventory_at_upper
from gridkeeper_core.units import E4, E9, div_ceil, e6_text


class StopLine(msgspec.Struct, frozen=True, kw_only=True):
    """A stop or profit order: `kind` stop-low, stop-high or take-profit.

    `total_e6` is the grid's result if the price goes there without turning back and the stop fills `slippage` away from
    its price (quote 1e-6, before fees); None for a take profit, whose way there is not known.
    """

    kind: str
    price_e6: int
    total_e6: int | None


def stop_lines(config: GridConfig, held: Held) -> tuple[StopLine, ...]:
    """The stops of a grid, the lowest first."""
    lines: list[StopLine] = []
    if config.stop_low_e6 is not None:
        lines.append(_line(config, "stop-low", config.stop_low_e6, inventory_at_lower(held)))
    if config.stop_high_e6 is not None:
        lines.append(_line(config, "stop-high", config.stop_high_e6, inventory_at_upper(held)))
    if config.take_profit_e6 is not None:
        lines.append(StopLine(kind="take-profit", price_e6=config.take_profit_e6, total_e6=None))
    return tuple(sorted(lines, key=lambda line: line.price_e6))


def _line(config: GridConfig, kind: str, price_e6: int, held: Inventory) -> StopLine:
    slip_e6 = div_ceil(price_e6 * config.slippage_e4, E4)
    fills_at_e6 = price_e6 - slip_e6 if held.base_e9 > 0 else price_e6 + slip_e6
    # From the end of the range on, only the price moves.
    further_e6 = held.base_e9 * (fills_at_e6 - held.price_e6) // E9
    return StopLine(kind=kind, price_e6=price_e6, total_e6=further_e6 - held.loss_e6)


def stop_refusals(config: GridConfig, at_lower: Inventory, at_upper: Inventory) -> tuple[Refusal, ...]:
    """A stop that the venue's liquidation comes before protects nothing."""
    found: list[Refusal] = []
    low_e6, long_e6 = config.stop_low_e6, at_lower.liquidation_e6
    if low_e6 is not None and long_e6 is not None and low_e6 <= long_e6:
        found.append(_behind("stops.low", low_e6, f"above {e6_text(long_e6)} (where the long is liquidated)"))
    high_e6, short_e6 = config.stop_high_e6, at_upper.liquidation_e6
    if high_e6 is not None and short_e6 is not None and high_e6 >= short_e6:
        found.append(_behind("stops.high", high_e6, f"below {e6_text(short_e6)} (where the short is liquidated)"))
    return tuple(found)


def _behind(field: str, price_e6: int, expected: str) -> Refusal:
    return Refusal(
        code="STOP_BEYOND_LIQUIDATION",
        field=field,
        value=e6_text(price_e6),
        expected=expected,
        change="Move the stop towards the range, or put more behind the grid (grid.capital).",
    )
