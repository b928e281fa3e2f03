"""A notifier whose policy is already in its log, so that a test sees messages only."""

from __future__ import annotations

from gridkeeper_core.alerts.machine import NotifierMachine
from gridkeeper_core.alerts.policy import Policy
from gridkeeper_core.events import PolicySet
from gridkeeper_core.record import Recorded
from support.ledger_story import START_NS, Story


def told_by(policy: Policy) -> Story:
    """A story told to a notifier that works by this policy since the start."""
    machine = NotifierMachine(policy)
    first = Recorded(
        stream="alert:fleet", version=1, ts_ns=START_NS, cause="test", thread="", prev="", fact=PolicySet(policy=policy)
    )
    machine.restore(first)
    return Story(machine)
