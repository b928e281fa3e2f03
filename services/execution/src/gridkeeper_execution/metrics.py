"""The series only execution has: whether its dependencies let requests through."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Gauge

from gridkeeper_drift.endpoint import Endpoint

BREAKER_STATE = Gauge(
    "gridkeeper_breaker_state", "0 while a breaker is closed, 1 while it tries, 2 while it is open.", ["endpoint"]
)
_STATES = {"closed": 0, "half-open": 1, "open": 2}


def show_breakers(endpoints: Iterable[Endpoint], venue_phases: Iterable[tuple[str, str]]) -> None:
    """Endpoints by name, and of each account whose venue breaker moved `venue <alias>`."""
    for endpoint in endpoints:
        BREAKER_STATE.labels(endpoint.name).set(_STATES[endpoint.phase])
    for alias, phase in venue_phases:
        BREAKER_STATE.labels(f"venue {alias}").set(_STATES[phase])
