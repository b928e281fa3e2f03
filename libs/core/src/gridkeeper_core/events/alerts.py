"""Facts about messages to people, written by notifier."""

from __future__ import annotations

from typing import Literal

from gridkeeper_core.alerts.policy import Policy
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
