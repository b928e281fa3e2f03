"""The reference page of every metric, and the alert rules as a cluster's operator wants them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

PLACES = {
    "gridkeeper_runtime": "Every service",
    "gridkeeper_strategy": "strategy",
    "gridkeeper_execution": "execution",
    "gridkeeper_drift": "execution and price-feed: requests to endpoints",
    "gridkeeper_ledger": "ledger",
    "gridkeeper_notifier": "notifier",
    "gridkeeper_price_feed": "price-feed",
    "gridkeeper_sandbox": "sandbox",
}
_KINDS = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
_OPENING = """\
Every service answers `/metrics` on its health port. Units are in the names, labels are bounded, no series has the id
of an order. Alerts on them are in [deploy/prometheus](../deploy/prometheus/rules), what to do then in
[runbooks](runbooks)."""


def metrics_page() -> str:
    """docs/metrics.md: every series with its kind, labels and meaning."""
    parts = ["# Metrics", _OPENING]
    for package, place in PLACES.items():
        rows = [_row(metric) for metric in metrics_of(package)]
        if rows:
            head = ["| series | kind | labels | meaning |", "| --- | --- | --- | --- |"]
            parts += [f"## {place}", "\n".join([*head, *rows])]
    return "\n\n".join(parts) + "\n"


def metrics_of(package: str) -> Iterator[MetricWrapperBase]:
    """The series that a package declares in its modules named `metrics`."""
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if module.name.rpartition(".")[2] == "metrics":
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, MetricWrapperBase):
                    yield value


def series_names(metric: MetricWrapperBase) -> set[str]:
    """Its names as Prometheus shows them."""
    name = _name(metric)
    return {name, *(f"{name}_{end}" for end in ("bucket", "count", "sum"))} if _is(metric, Histogram) else {name}


def monitoring_rules(files: Sequence[Path]) -> str:
    """The groups of the rule files, word for word, as one PrometheusRule."""
    text = _RULES_HEAD
    for file in files:
        body = file.read_text().split("groups:\n", 1)[1]
        text += "".join(f"  {line}" if line.strip() else line for line in body.splitlines(keepends=True))
    return text


def _row(metric: MetricWrapperBase) -> str:
    kind = next(name for of, name in _KINDS.items() if _is(metric, of))
    labels = ", ".join(metric._labelnames)  # noqa: SLF001  # the library has no other way to ask
    return f"| `{_name(metric)}` | {kind} | {labels} | {metric._documentation} |"  # noqa: SLF001


def _name(metric: MetricWrapperBase) -> str:
    name = metric._name  # noqa: SLF001
    return f"{name}_total" if _is(metric, Counter) else name


def _is(metric: MetricWrapperBase, kind: type) -> bool:
    return isinstance(metric, kind)


_RULES_HEAD = """\
# The groups of deploy/prometheus/rules, word for word: made by `make docs`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: gridkeeper
spec:
  groups:
"""
