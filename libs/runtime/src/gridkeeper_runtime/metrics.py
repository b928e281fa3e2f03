"""The series every service shares, declared once."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

OUTBOX_LAG = Gauge("gridkeeper_outbox_lag_events", "Committed events that are not yet published.")
LAST_PRICE = Gauge("gridkeeper_last_price_timestamp_seconds", "When the newest price was made.", ["market"])
COMMIT_SECONDS = Histogram(
    "gridkeeper_db_commit_seconds",
    "How long one commit of events and positions took.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
LOOP_STALL = Gauge("gridkeeper_loop_stall_seconds", "How late the event loop was at its last heartbeat.")
INPUTS_HANDLED = Counter("gridkeeper_inputs_handled_total", "Inputs whose outcome is committed.")
EVENTS_RECORDED = Counter("gridkeeper_events_recorded_total", "Events committed to the service's log.")
