"""What several runs fell by together, at instants of which each run has some, in whole units of 1e-6."""

from __future__ import annotations

import numpy as np

from gridkeeper_core.units import E6, E9, NS_PER_S
from gridkeeper_lab.columns import Ints
from gridkeeper_lab.outcome import Books, Steps, joint_drawdown_e6, max_drawdown_e6


def bought(price_e6: list[int], base_e9: int, *, seconds: list[int] | None = None) -> Books:
    """Holds this much from the first row on, at the first price."""
    steps = Steps(_ints(0), _ints(base_e9), _ints(-base_e9 * price_e6[0] // E9))
    times = seconds if seconds is not None else list(range(len(price_e6)))
    return Books(_ints(*times) * NS_PER_S, _ints(*price_e6), steps)


def test_what_one_wins_while_the_other_loses_is_no_fall() -> None:
    prices = [100 * E6, 90 * E6, 95 * E6]

    assert joint_drawdown_e6([bought(prices, E9), bought(prices, -E9)]) == 0
    assert joint_drawdown_e6([bought(prices, 3 * E9), bought(prices, -E9)]) == 20 * E6


def test_runs_meet_at_the_instants_of_either_and_one_that_has_no_price_yet_counts_as_nothing() -> None:
    early = bought([100 * E6, 106 * E6, 103 * E6], E9, seconds=[0, 2, 6])
    late = bought([50 * E6, 55 * E6, 48 * E6], E9, seconds=[3, 4, 5])

    # Together +6 at 2 s, +11 at 4 s, +4 at 5 s and +1 at 6 s.
    assert joint_drawdown_e6([early, late]) == 10 * E6


def test_the_fall_is_counted_as_each_account_is_booked_and_not_in_fractions() -> None:
    # 0.005 at 100.0001 is worth 0.5000005: the books of either say 0.500000, though half a unit more of each makes one.
    books = bought([100 * E6, 100_000_100, 99 * E6], 5_000_000)

    assert joint_drawdown_e6([books, books]) == 10_000
    assert joint_drawdown_e6([books]) == max_drawdown_e6(books.price_e6, books.steps) == 5_000


def _ints(*values: int) -> Ints:
    return np.array(values, dtype=np.int64)
