"""How a measurement tells its result: a heading, what was measured, and a table, as Markdown on stdout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median


def print_section(title: str, about: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """One section of RESULTS.md."""
    print(f"## {title}\n\n{about.strip()}\n")
    print("| " + " | ".join(columns) + " |")
    print("| " + " | ".join("---" for _ in columns) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def rate(count: int, seconds: Sequence[float]) -> str:
    """Count per second, from the median of the runs, with the worst and the best."""
    slow, fast = count / max(seconds), count / min(seconds)
    return f"{count / median(seconds):,.0f} ({slow:,.0f} to {fast:,.0f})"


def times(numerator_s: Sequence[float], denominator_s: Sequence[float]) -> str:
    """How many times as long, by the medians."""
    return f"{median(numerator_s) / median(denominator_s):.1f}"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1)]
