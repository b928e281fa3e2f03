"""Facts about messages to people, written by notifier."""

from __future__ import annotations

from typing import Literal

from gridkeeper_core.alerts.policy import Policy, Severity
from gridkeeper_core.events.base import Fact


class Sent(Fact, frozen=True, kw_only=True, tag_field="topic", tag="alert.sent.v1"):
    """A message went out on `channel`. `about` are the identities of the events it tells of."""

    severity: Literal["info", "warning", "critical"]
    channel: str
    key: str
    text: str
    about: tuple[str, ...]


class HeldBack(Fact, frozen=True, kw_only=True, tag_field="topic", tag="alert.held_back.v1"):
    """A message waits for the next digest, because too many of its kind went out.

    `amounts` are what the digest adds up, by name.
    """

    severity: Literal["info", "warning", "critical"]
    key: str
    text: str
    about: tuple[str, ...]
    amounts: tuple[tuple[str, int], ...] = ()


class Digested(Fact, frozen=True, kw_only=True, tag_field="topic", tag="alert.digested.v1"):
    """What was held back went out as one message. `about` are the first and the last of the events it tells of."""

    channel: str
    key: str
    text: str
    count: int
    about: tuple[str, ...]
    severity: Literal["info", "warning", "critical"] = "info"


class PolicySet(Fact, frozen=True, kw_only=True, tag_field="topic", tag="alert.policy_set.v1"):
    """From now on messages are sent by this policy: recorded, so that what was held back can be told from its rules."""

    policy: Policy


class AlertMet(Fact, frozen=True, kw_only=True, tag_field="topic", tag="alert.met.v1"):
    """An alert as Alertmanager told it, whole: what follows was decided on it. Fields as in the input of this kind."""

    name: str
    fingerprint: str
    starts_at: str
    firing: bool
    severity: Severity
    target: str
    text: str
    runbook_url: str
    same_as: str


class TestMet(Fact, frozen=True, kw_only=True, tag_field="topic", tag="alert.test_met.v1"):
    """A person asked for a test message on one channel, or ("") on all."""

    author: str
    reason: str
    channel: str
