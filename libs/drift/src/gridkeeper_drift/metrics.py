"""The series of requests to endpoints: how many, with what outcome, how long they took."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from gridkeeper_drift.http import httpx

RPC_REQUESTS = Counter(
    "gridkeeper_rpc_requests_total",
    "Requests to an endpoint: ok, limited (429), error (5xx), refused (a definite no), away (no answer), garbled.",
    ["endpoint", "outcome"],
)
RPC_SECONDS = Histogram(
    "gridkeeper_rpc_seconds",
    "How long an endpoint took to answer, without waiting for our turn.",
    ["endpoint"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 10),
)


def endpoint_label(url: str) -> str:
    """Host and port only: path, query and user part of a URL may hold a token."""
    parsed = httpx.URL(url)
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    return f"{parsed.host}:{port}"
