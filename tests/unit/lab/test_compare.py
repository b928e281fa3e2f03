"""Comparing variants: the front that nothing beats, the spread, and choices judged on what came after."""

from __future__ import annotations

from gridkeeper_lab.compare import Score, pareto_front, parts_of, spread_of, walked_forward


def test_a_variant_is_on_the_front_unless_another_is_nowhere_worse() -> None:
    scores = [Score(50, 20), Score(50, 30), Score(80, 60), Score(10, 10), None, Score(80, 60)]

    assert pareto_front(scores) == [0, 2, 3, 5]


def test_the_spread_names_worst_quartiles_median_and_best() -> None:
    spread = spread_of([Score(value, 0) for value in (5, 1, 4, 2, 3)])

    assert spread is not None
    assert (spread.worst_e6, spread.lower_e6, spread.median_e6, spread.upper_e6, spread.best_e6) == (1, 2, 3, 4, 5)


def test_nothing_that_ran_has_no_spread() -> None:
    assert spread_of([None, None]) is None


def test_the_parts_cover_the_tape_without_overlap() -> None:
    assert parts_of(10, 3) == [(0, 3), (3, 6), (6, 10)]


def test_what_was_best_before_is_judged_on_the_next_part() -> None:
    parts = parts_of(20, 2)
    before = [Score(100, 10), Score(95, 0), Score(200, 500)]
    after = [Score(-40, 60), Score(30, 5), Score(70, 5)]

    (split,) = walked_forward(parts, [before, after])

    assert split.chosen == 1  # 95 - 0 is more than 100 - 10 and 200 - 500
    assert split.before == Score(95, 0)
    assert split.after == Score(30, 5)
    assert (split.others.worst_e6, split.others.best_e6) == (-40, 70)


def test_a_variant_that_cannot_be_judged_afterwards_is_not_chosen() -> None:
    (split,) = walked_forward(parts_of(20, 2), [[Score(9, 0), Score(1, 0)], [None, Score(2, 0)]])

    assert split.chosen == 1
