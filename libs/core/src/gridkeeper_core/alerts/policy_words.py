"""Reads the notifier's policy from the words a person writes: times of the day, an offset from UTC, routes."""

from __future__ import annotations

import re

import msgspec

from gridkeeper_core.alerts.policy import DAY_MINUTES, Policy, QuietHours, Route
from gridkeeper_core.alerts.throttle import Limits
from gridkeeper_core.units import NS_PER_S

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_SPAN = re.compile(rf"({_TIME.pattern})-({_TIME.pattern})")
_OFFSET = re.compile(rf"([+-])({_TIME.pattern})")


class PolicyWords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`quiet_hours` "22:00-07:00" and `heartbeat` "08:00" ("" = none) are in the time zone `utc_offset` ("+01:00").

    `burst` messages of a kind about a target at once, then one per `period_s`; what is held back goes out as a digest
    at most once per `digest_every_s`.
    """

    routes: tuple[Route, ...] = ()
    quiet_hours: str = ""
    heartbeat: str = ""
    utc_offset: str = "+00:00"
    burst: int = 3
    period_s: int = 300
    digest_every_s: int = 600

    def policy(self, channels: tuple[str, ...]) -> Policy:
        """The rules for these channels. Raises ValueError, naming what was expected."""
        offset = _offset_minutes(self.utc_offset)
        spacing_ns = _positive("digest_every_s", self.digest_every_s) * NS_PER_S
        return Policy(
            channels=channels,
            routes=self.routes,
            limits=Limits(
                burst=_positive("burst", self.burst),
                period_ns=_positive("period_s", self.period_s) * NS_PER_S,
                # Who wants digests often does not want to wait for the first one.
                gather_ns=min(Limits().gather_ns, spacing_ns),
                spacing_ns=spacing_ns,
            ),
            quiet_hours=_quiet_hours(self.quiet_hours, offset),
            heartbeat_minute=_utc_minute("heartbeat", self.heartbeat, offset) if self.heartbeat else None,
        ).checked()


def _quiet_hours(text: str, offset: int) -> QuietHours | None:
    if not text:
        return None
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f'expected quiet_hours like "22:00-07:00", was {text!r}')
    return QuietHours(
        from_minute=_utc_minute("quiet_hours", found[1], offset), to_minute=_utc_minute("quiet_hours", found[4], offset)
    )


def _utc_minute(field: str, text: str, offset: int) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f'expected {field} as a time like "08:00", was {text!r}')
    return (int(found[1]) * 60 + int(found[2]) - offset) % DAY_MINUTES


def _offset_minutes(text: str) -> int:
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise ValueError(f'expected utc_offset like "+01:00", was {text!r}')
    minutes = int(found[3]) * 60 + int(found[4])
    return -minutes if found[1] == "-" else minutes


def _positive(field: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"expected {field} of at least 1, was {value}")
    return value
