"""Tells Prometheus what a service does and what waits in it."""

from __future__ import annotations

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import Command, Input
from gridkeeper_runtime import metrics


class InputMeter:
    """Counts inputs by kind and measures decisions and commits; see the processor's `Watcher`."""

    def decided(self, item: Input, seconds: float) -> None:
        """The machine took the input."""
        metrics.INPUTS_HANDLED.labels(_kind(item)).inc()
        metrics.DECIDE_SECONDS.observe(seconds)

    def refused(self, error: GridkeeperError) -> None:
        """The machine refused a command."""
        metrics.INPUTS_REFUSED.labels(error.code).inc()

    def faulted(self, item: Input) -> None:
        """The machine failed on an input."""
        metrics.INPUTS_FAULTED.labels(_kind(item)).inc()

    def committed(self, events: int, seconds: float) -> None:
        """So many events are stored."""
        metrics.EVENTS_RECORDED.inc(events)
        metrics.COMMIT_SECONDS.observe(seconds)


def _kind(item: Input) -> str:
    """The kind of an input, or the kind of a command: a few dozen values at most."""
    return type(item.body if isinstance(item, Command) else item).__name__
