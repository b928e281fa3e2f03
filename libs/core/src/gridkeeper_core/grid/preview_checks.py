"""The reasons not to open a grid that could be built, each with the code by which a user may accept it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.preview_money import Inventory, Turn
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import E4, E6, E9, decimal_text, div_ceil, e6_text

ACCEPTABLE = (
    "SPACING_UNDER_COST",
    "LIQUIDATION_INSIDE_RANGE",
    "PRICE_OUT_OF_RANGE",
    "MARGIN_SHORT",
    "STOP_BEYOND_LIQUIDATION",
)
"""Codes that `--accept` overrides. The others leave no grid that could be opened."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One reason not to open the grid. `change` says with numbers what would remove it."""

    code: str
    field: str
    value: str
    expected: str
    change: str

    def error(self) -> GridkeeperError:
        """The refusal as a user sees it."""
        do = f"{self.change} Or accept it with --accept {self.code}."
        return GridkeeperError(self.code, field=self.field, value=self.value, expected=self.expected, do=do)


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks look at."""

    levels_e6: tuple[int, ...]
    turns: tuple[Turn, ...]
    at_lower: Inventory
    at_upper: Inventory
    price_e6: int
    capital_e6: int
    margin_e6: int
    break_even_ratio_e6: int
    spec: MarketSpec


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


def refusals(of: Weighed) -> tuple[Refusal, ...]:
    """All reasons not to open the grid, the gravest first."""
    found = (_liquidation(of), _spacing(of), _margin(of), _price(of))
    return tuple(refusal for refusal in found if refusal is not None)


def _liquidation(of: Weighed) -> Refusal | None:
    # On the way to an end of the range the margin shrinks with every step and every fill: it is least at the end.
    long_e6, short_e6 = of.at_lower.liquidation_e6, of.at_upper.liquidation_e6
    if long_e6 is not None and long_e6 >= of.at_lower.price_e6:
        return _liquidated(of, "long", of.at_lower, f"below {e6_text(of.at_lower.price_e6)} (the lowest level)")
    if short_e6 is not None and short_e6 <= of.at_upper.price_e6:
        return _liquidated(of, "short", of.at_upper, f"above {e6_text(of.at_upper.price_e6)} (the highest level)")
    return None


def _liquidated(of: Weighed, side: str, held: Inventory, expected: str) -> Refusal:
    assert held.liquidation_e6 is not None
    if held.method == "closed form":
        change = f"Put more than {e6_text(_capital_needed_e6(of, held))} behind it (grid.capital), or lower grid.size."
    else:
        change = "Deposit more, close other positions of the account, or lower grid.size."
    return Refusal(
        code="LIQUIDATION_INSIDE_RANGE",
        field="grid.capital",
        value=f"{side} liquidated at {e6_text(held.liquidation_e6)}",
        expected=expected,
        change=change,
    )


def _capital_needed_e6(of: Weighed, held: Inventory) -> int:
    """What equals the loss and the maintenance margin at the end of the range: with a unit more it is safe there."""
    margin_e6 = div_ceil(abs(held.base_e9) * held.price_e6 * of.spec.margin_ratio_maintenance_e4, E9 * E4)
    return held.loss_e6 + margin_e6


def _spacing(of: Weighed) -> Refusal | None:
    worst = min(of.turns, key=lambda turn: turn.profit_e6)
    if worst.profit_e6 > 0:
        return None
    lower_e6, upper_e6 = of.levels_e6[0], of.levels_e6[-1]
    # Every spacing is more than break-even when the smallest one, relative to the highest price, is.
    most = (upper_e6 - lower_e6) * E6 // (upper_e6 * (of.break_even_ratio_e6 + 1))
    widen = "Widen the range or raise grid.size."
    return Refusal(
        code="SPACING_UNDER_COST",
        field="grid.intervals",
        value=f"{e6_text(worst.profit_e6)} per turn of cell {worst.cell}",
        expected="above 0 after fees and transactions",
        change=f"Use at most {most} intervals in this range." if most >= 1 else widen,
    )


def _margin(of: Weighed) -> Refusal | None:
    if of.margin_e6 <= of.capital_e6:
        return None
    return Refusal(
        code="MARGIN_SHORT",
        field="grid.capital",
        value=e6_text(of.capital_e6),
        expected=f"at least {e6_text(of.margin_e6)} (initial margin of the live orders)",
        change=f"Add {e6_text(of.margin_e6 - of.capital_e6)} to grid.capital, or lower live_orders or grid.size.",
    )


def _price(of: Weighed) -> Refusal | None:
    lowest_e6, highest_e6 = of.levels_e6[0], of.levels_e6[-1]
    if lowest_e6 <= of.price_e6 <= highest_e6:
        return None
    edge = ("grid.lower", "at most") if of.price_e6 < lowest_e6 else ("grid.upper", "at least")
    return Refusal(
        code="PRICE_OUT_OF_RANGE",
        field="price",
        value=e6_text(of.price_e6),
        expected=f"{e6_text(lowest_e6)} to {e6_text(highest_e6)}",
        change=f"Set {edge[0]} to {edge[1]} {e6_text(of.price_e6)}, or wait until the price is inside.",
    )
