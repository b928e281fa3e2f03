"""The series every service shares, declared once; what only one service knows is declared beside it."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3)

LAST_PRICE = Gauge("gridkeeper_last_price_timestamp_seconds", "When the newest price was made.", ["market"])

# Handling inputs: rate, errors, duration.
INPUTS_HANDLED = Counter("gridkeeper_inputs_handled_total", "Inputs decided on.", ["kind"])
INPUTS_REFUSED = Counter("gridkeeper_inputs_refused_total", "Commands refused, by the code of the refusal.", ["code"])
INPUTS_FAULTED = Counter("gridkeeper_inputs_faulted_total", "Inputs the machine failed on.", ["kind"])
DECIDE_SECONDS = Histogram(
    "gridkeeper_decide_seconds", "How long one decision took, without its commit.", buckets=_SECONDS
)
EVENTS_RECORDED = Counter("gridkeeper_events_recorded_total", "Events committed to the service's log.")
COMMIT_SECONDS = Histogram(
    "gridkeeper_db_commit_seconds",
    "How long one commit of events and positions took.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

# Queues and the loop: utilisation and saturation.
QUEUE_LENGTH = Gauge("gridkeeper_queue_inputs", "Inputs that wait to be decided on.")
INBOX_LAG = Gauge("gridkeeper_inbox_lag_messages", "Events on EV that the service has not read yet.")
OUTBOX_LAG = Gauge("gridkeeper_outbox_lag_events", "Committed events that are not yet published.")
OUTBOX_WAITING_SINCE = Gauge(
    "gridkeeper_outbox_waiting_since_timestamp_seconds",
    "Since when committed events wait to be published; 0 while none does.",
)
LOOP_STALL = Gauge("gridkeeper_loop_stall_seconds", "How late the event loop was at its last heartbeat.")
READY = Gauge("gridkeeper_ready", "1 while work may be sent here.")
EV_BYTES = Gauge("gridkeeper_ev_bytes", "How much the stream EV holds.")
EV_BYTES_MAX = Gauge("gridkeeper_ev_bytes_max", "How much the stream EV may hold.")

# What must never happen.
STATE_DIVERGED = Gauge(
    "gridkeeper_replay_divergence", "1 when the state in memory is not the fold of the stored events."
)
STATE_CHECKED = Gauge(
    "gridkeeper_replay_checked_timestamp_seconds",
    "When the state was last compared with the fold of the stored events.",
)
BUILD = Gauge("gridkeeper_build_info", "Always 1; the release is in the label.", ["version"])
