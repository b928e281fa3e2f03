"""The notifier's policy in the words of a person, and every word that is refused."""

from __future__ import annotations

import pytest

from gridkeeper_core.alerts.policy import QuietHours, Route
from gridkeeper_core.alerts.policy_words import PolicyWords
from gridkeeper_core.units import NS_PER_S


def test_times_are_those_of_the_offset() -> None:
    words = PolicyWords(quiet_hours="22:00-07:00", heartbeat="00:30", utc_offset="+02:00")

    policy = words.policy(("phone",))

    assert policy.quiet_hours == QuietHours(from_minute=20 * 60, to_minute=5 * 60)
    assert policy.heartbeat_minute == 22 * 60 + 30, "half past midnight here is the evening before in UTC"


def test_limits_and_routes_are_taken_over() -> None:
    route = Route(channels=("phone",), severities=("critical",))

    policy = PolicyWords(routes=(route,), burst=1, period_s=60, digest_every_s=120).policy(("phone", "mail"))

    assert policy.routes == (route,)
    assert (policy.limits.burst, policy.limits.period_ns) == (1, 60 * NS_PER_S)
    assert policy.limits.spacing_ns == 120 * NS_PER_S


def test_nothing_said_means_no_quiet_hours_and_no_heartbeat() -> None:
    policy = PolicyWords().policy(("phone",))

    assert (policy.quiet_hours, policy.heartbeat_minute) == (None, None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (PolicyWords(quiet_hours="22-7"), "quiet_hours like"),
        (PolicyWords(quiet_hours="22:00-24:00"), "quiet_hours like"),
        (PolicyWords(heartbeat="8am"), "heartbeat as a time"),
        (PolicyWords(utc_offset="CET"), "utc_offset like"),
        (PolicyWords(burst=0), "burst of at least 1"),
        (PolicyWords(period_s=0), "period_s of at least 1"),
        (PolicyWords(digest_every_s=-1), "digest_every_s of at least 1"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(words: PolicyWords, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        words.policy(("phone",))
