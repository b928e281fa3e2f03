"""The reasons not to open a grid that could be built, each with the code by which a user may accept it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.preview_money import Inventory, Turn
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import E4, decimal_text, e6_text

ACCEPTABLE = ("SPACING_UNDER_COST", "LIQUIDATION_INSIDE_RANGE", "PRICE_OUT_OF_RANGE", "MARGIN_SHORT")
"""Codes that `--accept` overrides. The others leave no grid that could be opened."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One reason not to open the grid."""

    code: str
    field: str
    value: str
    expected: str

    def error(self) -> GridkeeperError:
        """The refusal as a user sees it."""
        return GridkeeperError(self.code, field=self.field, value=self.value, expected=self.expected)


def check_accepted(codes: Sequence[str]) -> None:
    """Refuse to accept what cannot be accepted. Raises GridkeeperError BAD_VALUE."""
    for code in codes:
        if code not in ACCEPTABLE:
            raise GridkeeperError("BAD_VALUE", field="--accept", value=code, expected=" or ".join(ACCEPTABLE))


def open_refusals(refusals: Sequence[Refusal], accepted: Sequence[str]) -> tuple[Refusal, ...]:
    """The refusals nobody accepted."""
    return tuple(refusal for refusal in refusals if refusal.code not in accepted)


def check_leverage(config: GridConfig, spec: MarketSpec) -> None:
    """Raises GridkeeperError LEVERAGE_TOO_HIGH where the market's initial margin ratio does not allow it."""
    if config.leverage_e4 * spec.margin_ratio_initial_e4 > E4 * E4:
        most_e4 = E4 * E4 // spec.margin_ratio_initial_e4
        raise GridkeeperError(
            "LEVERAGE_TOO_HIGH",
            field="grid.leverage",
            value=decimal_text(config.leverage_e4, E4),
            expected=f"at most {decimal_text(most_e4, E4)} ({spec.symbol})",
        )


def refusals(
    levels_e6: tuple[int, ...],
    turns: tuple[Turn, ...],
    at_lower: Inventory,
    at_upper: Inventory,
    price_e6: int,
    capital_e6: int,
    margin_e6: int,
) -> tuple[Refusal, ...]:
    """All reasons not to open the grid, the gravest first."""
    found = [_liquidation(at_lower, at_upper), _spacing(turns), _margin(capital_e6, margin_e6)]
    return tuple(refusal for refusal in (*found, _price(levels_e6, price_e6)) if refusal is not None)


def _liquidation(at_lower: Inventory, at_upper: Inventory) -> Refusal | None:
    # On the way to an end of the range the margin shrinks with every step and every fill: it is least at the end.
    long_e6, short_e6 = at_lower.liquidation_e6, at_upper.liquidation_e6
    if long_e6 is not None and long_e6 >= at_lower.price_e6:
        return _liquidated("long", long_e6, f"below {e6_text(at_lower.price_e6)} (the lowest level)")
    if short_e6 is not None and short_e6 <= at_upper.price_e6:
        return _liquidated("short", short_e6, f"above {e6_text(at_upper.price_e6)} (the highest level)")
    return None


def _liquidated(side: str, price_e6: int, expected: str) -> Refusal:
    return Refusal(
        code="LIQUIDATION_INSIDE_RANGE",
        field="grid.capital",
        value=f"{side} liquidated at {e6_text(price_e6)}",
        expected=expected,
    )


def _spacing(turns: tuple[Turn, ...]) -> Refusal | None:
    worst = min(turns, key=lambda turn: turn.profit_e6)
    if worst.profit_e6 > 0:
        return None
    return Refusal(
        code="SPACING_UNDER_COST",
        field="grid.intervals",
        value=f"{e6_text(worst.profit_e6)} per turn of cell {worst.cell}",
        expected="above 0 after fees and transactions",
    )


def _margin(capital_e6: int, margin_e6: int) -> Refusal | None:
    if margin_e6 <= capital_e6:
        return None
    return Refusal(
        code="MARGIN_SHORT",
        field="grid.capital",
        value=e6_text(capital_e6),
        expected=f"at least {e6_text(margin_e6)} (initial margin of the live orders)",
    )


def _price(levels_e6: tuple[int, ...], price_e6: int) -> Refusal | None:
    if levels_e6[0] <= price_e6 <= levels_e6[-1]:
        return None
    return Refusal(
        code="PRICE_OUT_OF_RANGE",
        field="price",
        value=e6_text(price_e6),
        expected=f"{e6_text(levels_e6[0])} to {e6_text(levels_e6[-1])}",
    )
