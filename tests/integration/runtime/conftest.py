"""Health as a service has it, over HTTP, with reasons that a test gives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from gridkeeper_runtime.health import Health


@pytest.fixture
def reasons() -> list[str]:
    """Why the service is not ready; empty at first."""
    return []


@pytest.fixture
def health(reasons: list[str]) -> Iterator[Health]:
    """Serves probes and one metric of its own registry."""
    registry = CollectorRegistry()
    Counter("sample_total", "A sample.", registry=registry).inc()
    with Health(lambda: reasons, stalled_after_s=30.0, registry=registry) as health:
        yield health
