"""From settings and a market to the grid's levels, cell sizes and starting content."""

from __future__ import annotations

from bisect import bisect_left
from decimal import Context, Decimal
from itertools import pairwise

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.config import Direction, GridConfig
from gridkeeper_core.market import MarketSpec, round_down_to, round_half_even_to
from gridkeeper_core.units import E4, E9, decimal_text, div_ceil, e6_text, e9_text, quote_ceil_e6

LEVELS_MIN = 2
LEVELS_MAX = 1000
TICKS_BETWEEN_LEVELS_MIN = 2

# 50 digits are far beyond what rounding to a tick can see, and decimal's ln and exp are correctly rounded: the same
# levels on every machine.
_PRECISE = Context(prec=50)


def build_levels(config: GridConfig, spec: MarketSpec) -> tuple[int, ...]:
    """The N+1 prices (1e-6) of a grid, rounded half-even to the market's tick.

    Arithmetic `p_i = L + i(U-L)/N`, geometric `p_i = L (U/L)^(i/N)`, or the custom list.
    Raises GridkeeperError LEVELS_TOO_FEW, LEVELS_TOO_MANY, LEVELS_NOT_ASCENDING, SPACING_TOO_SMALL.
    """
    match config.spacing:
        case "arithmetic":
            levels = _arithmetic(config, spec.tick_e6)
        case "geometric":
            levels = _geometric(config, spec.tick_e6)
        case "custom":
            levels = tuple(round_half_even_to(p, 1, spec.tick_e6) for p in config.custom_levels_e6)
    check_levels(levels, spec.tick_e6)
    return levels


def check_levels(levels_e6: tuple[int, ...], tick_e6: int) -> None:
    """Refuse levels that are too few, too many, not rising, or closer than two ticks."""
    if len(levels_e6) < LEVELS_MIN:
        raise GridkeeperError("LEVELS_TOO_FEW", field="grid.intervals", value=len(levels_e6) - 1, expected="at least 1")
    if len(levels_e6) > LEVELS_MAX:
        value = len(levels_e6) - 1
        raise GridkeeperError("LEVELS_TOO_MANY", field="grid.intervals", value=value, expected="at most 999")
    for below, above in pairwise(levels_e6):
        if above < below:
            raise GridkeeperError("LEVELS_NOT_ASCENDING", field="grid.levels", value=e6_text(above))
        if above - below < TICKS_BETWEEN_LEVELS_MIN * tick_e6:
            raise GridkeeperError(
                "SPACING_TOO_SMALL",
                field="grid.intervals",
                value=f"{e6_text(below)} and {e6_text(above)}",
                expected=f"at least {e6_text(TICKS_BETWEEN_LEVELS_MIN * tick_e6)} apart (two ticks)",
            )


def build_sizes(config: GridConfig, spec: MarketSpec, levels_e6: tuple[int, ...]) -> tuple[int, ...]:
    """The size (1e-9 base) of each cell: equal base, or equal quote at its lower level, rounded down to the step.

    Raises GridkeeperError SIZE_UNDER_MINIMUM naming the first cell that is too small.
    """
    sizes = tuple(round_down_to(_raw_size(config, price), spec.step_e9) for price in levels_e6[:-1])
    for price, size in zip(levels_e6, sizes, strict=False):
        if size < spec.minimum_e9:
            raise GridkeeperError(
                "SIZE_UNDER_MINIMUM",
                field="grid.size",
                value=f"{e9_text(size)} at {e6_text(price)}",
                expected=f"at least {e9_text(spec.minimum_e9)} ({spec.symbol})",
            )
    return sizes


def scaled_sizes(
    sizes_e9: tuple[int, ...], share_e4: int, spec: MarketSpec, levels_e6: tuple[int, ...]
) -> tuple[int, ...]:
    """A share of each size (1e-4), rounded down to the step. Raises GridkeeperError SIZE_UNDER_MINIMUM."""
    if share_e4 == E4:
        return sizes_e9
    scaled = tuple(round_down_to(size * share_e4 // E4, spec.step_e9) for size in sizes_e9)
    small = next((k for k, size in enumerate(scaled) if size < spec.minimum_e9), None)
    if small is not None:
        needed_e4 = div_ceil(div_ceil(spec.minimum_e9, spec.step_e9) * spec.step_e9 * E4, min(sizes_e9))
        raise GridkeeperError(
            "SIZE_UNDER_MINIMUM",
            field="flags.canary_share",
            value=f"{e9_text(scaled[small])} at {e6_text(levels_e6[small])}",
            expected=f"at least {e9_text(spec.minimum_e9)} ({spec.symbol})",
            do=f"Use a share of {decimal_text(needed_e4, E4)} or more, or raise the size.",
        )
    return scaled


def level_at(config: GridConfig, spec: MarketSpec, index: int) -> int:
    """The level (1e-6) at any place of the settings' own count, also below 0 and above N; not for custom levels."""
    if config.spacing == "geometric":
        ratio = _PRECISE.divide(Decimal(config.upper_e6), Decimal(config.lower_e6))
        step = _PRECISE.divide(_PRECISE.ln(ratio), Decimal(config.intervals))
        return _rounded(config.lower_e6, step, index, spec.tick_e6)
    assert config.spacing == "arithmetic"
    exact_e6 = config.lower_e6 * config.intervals + index * (config.upper_e6 - config.lower_e6)
    return round_half_even_to(exact_e6, config.intervals, spec.tick_e6)


def gap_at(levels_e6: tuple[int, ...], price_e6: int) -> int:
    """The level nearest to a price (the lower one when two are equally near): the one that starts without an order."""
    above = bisect_left(levels_e6, price_e6)
    if above == 0:
        return 0
    if above == len(levels_e6):
        return len(levels_e6) - 1
    return above if levels_e6[above] - price_e6 < price_e6 - levels_e6[above - 1] else above - 1


def neutral_start(levels_e6: tuple[int, ...], sizes_e9: tuple[int, ...], price_e6: int) -> tuple[int, ...]:
    """What each cell holds when a neutral grid starts: nothing below the gap, its size from the gap up."""
    gap = gap_at(levels_e6, price_e6)
    return tuple(size if cell >= gap else 0 for cell, size in enumerate(sizes_e9))


def worst_notional_e6(
    levels_e6: tuple[int, ...], sizes_e9: tuple[int, ...], price_e6: int, direction: Direction = "neutral"
) -> int:
    """What the largest position it can come to was traded at (quote 1e-6).

    Neutral: the larger of all buys below the gap and all sells above it. A long grid enters with what the cells above
    hold and buys the rest, a short one the other way round.
    """
    gap = gap_at(levels_e6, price_e6)
    buys = sum(quote_ceil_e6(levels_e6[k], sizes_e9[k]) for k in range(gap))
    sells = sum(quote_ceil_e6(levels_e6[k + 1], sizes_e9[k]) for k in range(gap, len(sizes_e9)))
    if direction == "long":
        return buys + quote_ceil_e6(price_e6, sum(sizes_e9[gap:]))
    if direction == "short":
        return sells + quote_ceil_e6(price_e6, sum(sizes_e9[:gap]))
    return max(buys, sells)


def capital_e6(config: GridConfig, levels_e6: tuple[int, ...], sizes_e9: tuple[int, ...], price_e6: int) -> int:
    """What is put behind the grid: as configured, else the worst-case notional over the leverage (quote 1e-6)."""
    if config.capital_e6 is not None:
        return config.capital_e6
    worst_e6 = worst_notional_e6(levels_e6, sizes_e9, price_e6, config.direction)
    return div_ceil(worst_e6 * E4, config.leverage_e4)


def _arithmetic(config: GridConfig, tick_e6: int) -> tuple[int, ...]:
    width = config.upper_e6 - config.lower_e6
    count = config.intervals
    return tuple(round_half_even_to(config.lower_e6 * count + i * width, count, tick_e6) for i in range(count + 1))


def _geometric(config: GridConfig, tick_e6: int) -> tuple[int, ...]:
    ratio = _PRECISE.divide(Decimal(config.upper_e6), Decimal(config.lower_e6))
    step = _PRECISE.divide(_PRECISE.ln(ratio), Decimal(config.intervals))
    return tuple(_rounded(config.lower_e6, step, i, tick_e6) for i in range(config.intervals + 1))


def _rounded(lower_e6: int, step: Decimal, index: int, tick_e6: int) -> int:
    exact = _PRECISE.multiply(Decimal(lower_e6), _PRECISE.exp(_PRECISE.multiply(step, Decimal(index))))
    ticks = _PRECISE.divide(exact, Decimal(tick_e6))
    return int(ticks.to_integral_value(rounding="ROUND_HALF_EVEN")) * tick_e6


def _raw_size(config: GridConfig, price_e6: int) -> int:
    if config.size_base_e9 is not None:
        return config.size_base_e9
    assert config.size_quote_e6 is not None
    return config.size_quote_e6 * E9 // price_e6
