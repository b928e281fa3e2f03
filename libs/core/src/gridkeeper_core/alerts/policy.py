"""Who hears of what, and at which times of the day: the notifier's rules as one value."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from gridkeeper_core.alerts.throttle import Limits
from gridkeeper_core.units import NS_PER_S

Severity = Literal["info", "warning", "critical"]
MINUTE_NS = 60 * NS_PER_S
DAY_MINUTES = 24 * 60
DAY_NS = DAY_MINUTES * MINUTE_NS


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of these severities about these targets (shell patterns) go to `channels`, and to no others."""

    channels: tuple[str, ...]
    severities: tuple[Severity, ...] = ("info", "warning", "critical")
    targets: tuple[str, ...] = ("*",)

    def takes(self, severity: Severity, target: str) -> bool:
        """Whether a message goes this way."""
        return severity in self.severities and any(fnmatchcase(target, pattern) for pattern in self.targets)


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """Every day between two minutes of the day (UTC) only critical messages go out; may go past midnight."""

    from_minute: int
    to_minute: int


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The first route that takes a message decides; one that no route takes goes to every channel.

    `heartbeat_minute`: the minute of the day (UTC) at which a daily report says that all is running; None for none.
    """

    channels: tuple[str, ...]
    routes: tuple[Route, ...] = ()
    limits: Limits = Limits()
    quiet_hours: QuietHours | None = None
    heartbeat_minute: int | None = None

    def checked(self) -> Policy:
        """The policy itself. Raises ValueError where no channel is left, or a route names one that is not there."""
        if not self.channels:
            raise ValueError("expected at least one channel, was none")
        for route in self.routes:
            unknown = set(route.channels) - set(self.channels)
            if unknown or not route.channels:
                known = ", ".join(self.channels)
                raise ValueError(f"a route names channels among {known}, was {', '.join(route.channels) or 'none'}")
        return self

    def channels_for(self, severity: Severity, target: str) -> tuple[str, ...]:
        """Where a message goes; never nowhere."""
        for route in self.routes:
            if route.takes(severity, target):
                return route.channels
        return self.channels

    def awake_at(self, now_ns: int) -> int:
        """The first moment from `now_ns` on that is not in the quiet hours."""
        if self.quiet_hours is None:
            return now_ns
        begin, end = self.quiet_hours.from_minute, self.quiet_hours.to_minute
        minute = now_ns % DAY_NS // MINUTE_NS
        is_quiet = begin <= minute < end if begin <= end else minute >= begin or minute < end
        return _next_at(end, now_ns) if is_quiet else now_ns

    def next_heartbeat(self, after_ns: int) -> int | None:
        """The first heartbeat later than `after_ns`."""
        return None if self.heartbeat_minute is None else _next_at(self.heartbeat_minute, after_ns)


def _next_at(minute: int, after_ns: int) -> int:
    midnight_ns = after_ns - after_ns % DAY_NS
    moment_ns = midnight_ns + minute * MINUTE_NS
    return moment_ns if moment_ns > after_ns else moment_ns + DAY_NS
