"""Compares trials honestly: what nothing else beats, how far results spread, and how a choice fared afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gridkeeper_core.units import E6
from gridkeeper_lab.outcome import Outcome


class Score(msgspec.Struct, frozen=True):
    """Return and deepest drawdown as shares of the capital (1e-6)."""

    return_e6: int
    drawdown_e6: int

    def beats(self, other: Score) -> bool:
        """Whether it is nowhere worse and somewhere better."""
        nowhere_worse = self.return_e6 >= other.return_e6 and self.drawdown_e6 <= other.drawdown_e6
        return nowhere_worse and self != other


class Spread(msgspec.Struct, frozen=True):
    """Worst, lower quartile, median, upper quartile and best of some returns (1e-6 of the capital)."""

    worst_e6: int
    lower_e6: int
    median_e6: int
    upper_e6: int
    best_e6: int


class Split(msgspec.Struct, frozen=True):
    """One step forward: the variant that was best on a part (`chosen`), and what it and all others made on the next."""

    rows: tuple[int, int]
    next_rows: tuple[int, int]
    chosen: int
    before: Score
    after: Score
    others: Spread


def score_of(outcome: Outcome) -> Score:
    """The two numbers a grid is judged by."""
    capital = max(outcome.capital_e6, 1)
    return Score(outcome.total_pnl_e6 * E6 // capital, outcome.max_drawdown_e6 * E6 // capital)


def pareto_front(scores: Sequence[Score | None]) -> list[int]:
    """The places of the scores that no other beats."""
    known = [score for score in scores if score is not None]
    return [
        place
        for place, score in enumerate(scores)
        if score is not None and not any(other.beats(score) for other in known)
    ]


def spread_of(scores: Sequence[Score | None]) -> Spread | None:
    """How the returns lie; None when nothing could be run."""
    returns = sorted(score.return_e6 for score in scores if score is not None)
    if not returns:
        return None
    last = len(returns) - 1
    at = [returns[round(last * quarter / 4)] for quarter in range(5)]
    return Spread(*at)


def parts_of(rows: int, parts: int) -> list[tuple[int, int]]:
    """The tape cut into equal parts."""
    return [(rows * part // parts, rows * (part + 1) // parts) for part in range(parts)]


def walked_forward(parts: Sequence[tuple[int, int]], scores: Sequence[Sequence[Score | None]]) -> list[Split]:
    """Choose on each part, judge on the next. `scores[part][variant]`; the choice is by return less drawdown."""
    splits = []
    for part in range(len(parts) - 1):
        chosen = _best(scores[part], scores[part + 1])
        spread = spread_of(scores[part + 1])
        if chosen is None or spread is None:
            continue
        before, after = scores[part][chosen], scores[part + 1][chosen]
        assert before is not None
        assert after is not None
        splits.append(Split(parts[part], parts[part + 1], chosen, before, after, spread))
    return splits


def _best(scores: Sequence[Score | None], later: Sequence[Score | None]) -> int | None:
    """A variant that cannot be opened on the next part cannot be judged there."""
    known = [
        (score.return_e6 - score.drawdown_e6, -place)
        for place, (score, after) in enumerate(zip(scores, later, strict=True))
        if score is not None and after is not None
    ]
    return -max(known)[1] if known else None
