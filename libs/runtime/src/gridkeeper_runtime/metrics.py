"""The series every service shares, declared once."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

INBOX_LAG = Gauge("gridkeeper_inbox_lag_messages", "Messages of a producer that are not yet handled.", ["producer"])
OUTBOX_LAG = Gauge("gridkeeper_outbox_lag_events", "Committed events that are not yet published.")
OUTBOX_OLDEST = Gauge(
    "gridkeeper_outbox_oldest_timestamp_seconds",
    "When the oldest unpublished event was committed; 0 when there is none.",
)
LAST_PRICE = Gauge("gridkeeper_last_price_timestamp_seconds", "When the newest price was made.", ["market"])
COMMIT_SECONDS = Histogram(
    "gridkeeper_db_commit_seconds",
    "How long one commit of events and positions took.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
LOOP_STALL = Gauge("gridkeeper_loop_stall_seconds", "How late the event loop was at its last heartbeat.")
INPUTS_HANDLED = Counter("gridkeeper_inputs_handled_total", "Inputs taken, by what came of them.", ["outcome"])
FENCED = Counter("gridkeeper_fenced_total", "Writes refused because another instance writes to the same log.")
