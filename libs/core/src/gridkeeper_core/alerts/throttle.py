"""Decides whether one more message of a kind may go out now, in whole nanoseconds."""

from __future__ import annotations

import msgspec

from gridkeeper_core.units import NS_PER_S


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`burst` messages of a kind at once, then one per `period_ns`.

    What is held back is gathered for `gather_ns` at least, and a kind has one digest per `spacing_ns` at most.
    """

    burst: int = 3
    period_ns: int = 300 * NS_PER_S
    gather_ns: int = 60 * NS_PER_S
    spacing_ns: int = 600 * NS_PER_S


class Bucket(msgspec.Struct, frozen=True):
    """A token bucket as the one moment at which it will be full again."""

    full_ns: int = 0

    def has_token(self, now_ns: int, limits: Limits) -> bool:
        """Whether a message may go out."""
        return self.full_ns - now_ns <= (limits.burst - 1) * limits.period_ns

    def taken(self, now_ns: int, limits: Limits) -> Bucket:
        """The bucket after a message went out."""
        return Bucket(max(self.full_ns, now_ns) + limits.period_ns)
