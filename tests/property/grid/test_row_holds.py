"""A row of numbers behaves like a tuple of them, however it was changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridkeeper_core.grid.row import row_of

numbers = st.lists(st.integers(0, 9), max_size=100)


@given(numbers, st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9)), max_size=20))
def test_a_changed_row_holds_what_a_changed_list_would(start: list[int], changes: list[tuple[int, int]]) -> None:
    row, plain = row_of(start), list(start)
    for index, number in changes:
        if index < len(plain):
            row = row.changed(index, number)
            plain[index] = number

    assert row == row_of(plain)
    assert (tuple(row), len(row), row.total) == (tuple(plain), len(plain), sum(plain))
    assert [row[index] for index in range(-len(plain), len(plain))] == plain + plain
    assert row[2:50] == tuple(plain[2:50])


@given(numbers, st.integers(-2, 101), st.integers(1, 9))
def test_searches_find_the_places_a_scan_finds(start: list[int], place: int, least: int) -> None:
    row = row_of(start)

    assert list(row.falling(place, least)) == [
        k for k in range(len(start) - 1, -1, -1) if k <= place <= 101 and start[k] >= least
    ]
    assert list(row.rising(max(place, 0), least)) == [k for k in range(len(start)) if k >= place and start[k] >= least]
