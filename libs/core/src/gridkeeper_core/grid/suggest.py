"""Suggests a grid's range and spacing from recorded prices: percentiles for the range, costs for the spacing."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import isqrt

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.expectation import suggested_spacing_e6
from gridkeeper_core.market import MarketSpec, round_down_to
from gridkeeper_core.units import E6, E9, NS_PER_S, div_ceil, e6_text

SAMPLE_NS = 300 * NS_PER_S
"""Prices are looked at every five minutes: often enough for a day's sigma, too seldom for bid and ask to count."""
SAMPLES_LEAST = 24
LOW_PERCENT = 5
HIGH_PERCENT = 95
INTERVALS_MAX = 999
_DAY_NS = 86_400 * NS_PER_S


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What recorded prices say: samples in order of size (1e-6), and the standard deviation per day (1e-6)."""

    first_ns: int
    last_ns: int
    sorted_e6: tuple[int, ...]
    sigma_day_e6: int

    def percentile_e6(self, percent: int) -> int:
        """The sample that so many percent of the samples are not above."""
        return self.sorted_e6[min(len(self.sorted_e6) * percent // 100, len(self.sorted_e6) - 1)]


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A geometric grid for a market as it was: prices 1e-6, ratios 1e-6; never applied by itself."""

    lower_e6: int
    upper_e6: int
    intervals: int
    spacing_ratio_e6: int
    cost_ratio_e6: int
    history: History


def history_of(prices: Iterable[tuple[int, int]]) -> History:
    """Statistics of (time in ns, price 1e-6) in order of time; each price holds until the next one.

    Raises GridkeeperError BAD_DATA where there are less than two hours of them.
    """
    first_ns = last_ns = due_ns = 0
    last_e6 = 0
    samples: list[int] = []
    for ts_ns, price_e6 in prices:
        if not samples:
            first_ns, due_ns, samples = ts_ns, ts_ns + SAMPLE_NS, [price_e6]
        while due_ns <= ts_ns:
            samples.append(last_e6)
            due_ns += SAMPLE_NS
        last_ns, last_e6 = ts_ns, price_e6
    if len(samples) < SAMPLES_LEAST:
        least_min = SAMPLES_LEAST * SAMPLE_NS // (60 * NS_PER_S)
        raise GridkeeperError(
            "BAD_DATA",
            field="--data",
            value=f"{(last_ns - first_ns) // (60 * NS_PER_S)} minutes of prices",
            expected=f"at least {least_min} minutes",
            do="Give a longer recording.",
        )
    return History(
        first_ns=first_ns, last_ns=last_ns, sorted_e6=tuple(sorted(samples)), sigma_day_e6=_sigma_day_e6(samples)
    )


def suggest(history: History, spec: MarketSpec, cost_ratio_e6: int) -> Suggestion:
    """A range that held the price nine tenths of the time, with levels ten times the costs of a turn apart.

    `cost_ratio_e6` is what a turn costs (1e-6 of its notional). Raises GridkeeperError SPACING_TOO_SMALL where the
    price moved too little for two levels.
    """
    lower_e6 = max(round_down_to(history.percentile_e6(LOW_PERCENT), spec.tick_e6), spec.tick_e6)
    upper_e6 = div_ceil(history.percentile_e6(HIGH_PERCENT), spec.tick_e6) * spec.tick_e6
    # Two ticks at the lower end are what levels have to be apart.
    spacing_e6 = max(suggested_spacing_e6(cost_ratio_e6), div_ceil(3 * spec.tick_e6 * E6, lower_e6))
    intervals = _intervals(lower_e6, upper_e6, spacing_e6)
    if intervals == 0:
        raise GridkeeperError(
            "SPACING_TOO_SMALL",
            field="--data",
            value=f"{e6_text(lower_e6)} to {e6_text(upper_e6)}",
            expected=f"a range wider than one spacing of {e6_text(spacing_e6)} of the price",
            do="Give a longer recording, or a cheaper market.",
        )
    return Suggestion(
        lower_e6=lower_e6,
        upper_e6=upper_e6,
        intervals=intervals,
        spacing_ratio_e6=spacing_e6,
        cost_ratio_e6=cost_ratio_e6,
        history=history,
    )


def _intervals(lower_e6: int, upper_e6: int, spacing_e6: int) -> int:
    """How many steps of this ratio fit."""
    count, level_e9 = 0, lower_e6 * 1_000
    while count < INTERVALS_MAX:
        level_e9 = level_e9 * (E6 + spacing_e6) // E6
        if level_e9 > upper_e6 * 1_000:
            break
        count += 1
    return count


def _sigma_day_e6(samples: list[int]) -> int:
    """The root of the mean squared move per sample, over a day (a walk's variance grows with time)."""
    squares = sum(((after - before) * E9 // before) ** 2 for before, after in pairwise(samples))
    per_day = squares * _DAY_NS // (SAMPLE_NS * (len(samples) - 1))
    return isqrt(per_day) // 1_000
