"""What an audit of a record can find wrong with one event."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal[
    "missing",
    "doubled",
    "out of order",
    "broken",
    "unreadable",
    "mislabelled",
    "wrong writer",
    "differs",
    "unnumbered",
    "cut off",
    "rewritten",
    "damaged",
]
Place: TypeAlias = Literal["PostgreSQL", "EV", "PostgreSQL or EV", "file"]
FINDINGS_KEPT = 50
"""Per log: one hole can lead to a finding for every event behind it, and the first ones tell."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One event that is not as it should be.

    `place` is the copy at fault. `event` is its identity (`stream@version`), `before` and `after` are its neighbours in
    its stream, empty where there is none.
    """

    kind: Kind
    place: Place
    app: str
    event: str
    before: str = ""
    after: str = ""
    detail: str

    @property
    def sentence(self) -> str:
        """For a person."""
        neighbours = " and ".join(name for name in (self.before, self.after) if name)
        where = f" (next to {neighbours})" if neighbours else ""
        return f"{self.event}{where} in the log {self.app}, {self.place}: {self.kind}. {self.detail}"


class Findings:
    """The first findings of one log, and the number of all."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.count = 0

    def add(self, finding: Finding) -> int | None:
        """Its index among those kept; None where there are too many already."""
        self.count += 1
        if len(self.kept) >= FINDINGS_KEPT:
            return None
        self.kept.append(finding)
        return len(self.kept) - 1
