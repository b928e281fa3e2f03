"""Random rows of a tape for the properties of grids, and a look at the story after each of them."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from gridkeeper_core.venue.state import FillRules
from support.story import Story

ROWS_MAX = 40
amounts = st.lists(st.sampled_from([0.05, 0.3, 0.7, 1.0, 5.0]), min_size=ROWS_MAX, max_size=ROWS_MAX)
"""What is traded in each row, in whole units of base: less than an order, or more than several."""
fill_rules = st.sampled_from([FillRules(model="touch"), FillRules(model="through"), FillRules(model="queue")])


def paths(low: int, high: int) -> st.SearchStrategy[list[int]]:
    """Prices in ticks of 0.01."""
    return st.lists(st.integers(low, high), min_size=1, max_size=ROWS_MAX)


def tell(story: Story, path: list[int], sizes: list[float], check: Callable[[Story], None]) -> None:
    """Each row in turn, and after each the check."""
    for tick, size in zip(path, sizes, strict=False):
        story.price(tick / 100, size=size)
        check(story)
