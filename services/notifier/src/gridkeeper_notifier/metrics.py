"""The series only the notifier has."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

DELIVERED = Counter("gridkeeper_notifier_delivered_total", "Messages that arrived.", ["channel"])
FAILED = Counter("gridkeeper_notifier_failures_total", "Tries to deliver a message that failed.", ["channel"])
WAITING = Gauge("gridkeeper_notifier_waiting_messages", "Messages that a channel has not delivered yet.", ["channel"])
