"""Decides for a tape in lockstep: is all at rest, where must the clock stop, which rows may go out together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import PRICE_MAX_E6, Band, Quiet


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What the driver itself has done: the clock it announced and, per market, the last `source_seq` it published.

    `price_readers` are the services that take prices: of them, a market without an entry counts as not taken.
    """

    now_ns: int
    price_seq: Mapping[str, int] = msgspec.field(default_factory=dict)
    price_readers: frozenset[str] = frozenset()


def unrest(answers: Sequence[Quiet], expected: Expected) -> list[str]:
    """Why the system is not at rest, in words; empty when each answer says that nothing is on its way.

    That nothing is on its way *between* the answers shows only in a second round of equal ones (`fingerprint`).
    """
    heads = {answer.app: answer.head_id for answer in answers if answer.app}
    return [reason for answer in answers for reason in _unrest_of(answer, heads, expected)]


def fingerprint(answers: Iterable[Quiet]) -> tuple[tuple[object, ...], ...]:
    """What changes whenever a service does something: its log and its positions."""
    return tuple((a.service, a.head_id, a.published_id, tuple(sorted(a.positions.items()))) for a in answers)


def next_stop_ns(answers: Iterable[Quiet], until_ns: int) -> int | None:
    """The earliest deadline up to `until_ns` (inclusive): the clock stops there first."""
    deadline = _first_deadline_ns(answers)
    return deadline if deadline is not None and deadline <= until_ns else None


def calm_rows(rows: Sequence[Price], answers: Sequence[Quiet]) -> int:
    """How many of the first rows lead to nothing anywhere: before every deadline and strictly inside every band."""
    if any(answer.band is None for answer in answers):
        return 0
    deadline = _first_deadline_ns(answers)
    bands = {market: _band(answers, market) for market in {row.market for row in rows}}
    for count, row in enumerate(rows):
        if deadline is not None and row.ts_ns >= deadline:
            return count
        if not bands[row.market].holds(row.oracle_e6):
            return count
    return len(rows)


def _unrest_of(answer: Quiet, heads: Mapping[str, int], expected: Expected) -> list[str]:
    name, reasons = answer.service, []
    if answer.busy:
        reasons.append(f"{name} is busy")
    if answer.now_ns != expected.now_ns:
        reasons.append(f"{name} has the clock at {answer.now_ns}, not {expected.now_ns}")
    if answer.published_id != answer.head_id:
        reasons.append(f"{name} has published up to {answer.published_id} of {answer.head_id}")
    if answer.next_wake_ns is not None and answer.next_wake_ns <= expected.now_ns:
        reasons.append(f"{name} has not taken its deadline {answer.next_wake_ns}")
    reasons += [
        f"{name} has read {app} up to {position} of {heads[app]}"
        for app, position in answer.positions.items()
        if app in heads and position != heads[app]
    ]
    if name in expected.price_readers:
        reasons += [
            f"{name} has the price {answer.price_seq.get(market, 0)} of {market}, not {seq}"
            for market, seq in expected.price_seq.items()
            if answer.price_seq.get(market, 0) != seq
        ]
    return reasons


def _first_deadline_ns(answers: Iterable[Quiet]) -> int | None:
    return min((answer.next_wake_ns for answer in answers if answer.next_wake_ns is not None), default=None)


def _band(answers: Sequence[Quiet], market: str) -> Band:
    bands = [answer.band[market] for answer in answers if answer.band is not None and market in answer.band]
    return Band(max((b.low_e6 for b in bands), default=-1), min((b.high_e6 for b in bands), default=PRICE_MAX_E6))
