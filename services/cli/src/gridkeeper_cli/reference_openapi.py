"""Writes docs/openapi.json: what the services answer over HTTP."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from gridkeeper_runtime.health import LIVEZ, METRICS, READYZ

_ALERTMANAGER = "gridkeeper_notifier.adapters.alertmanager"
_REASONS = {"type": "array", "items": {"type": "string"}, "description": "Why not, in words; empty when well."}
_OPENING = (
    "Probes and metrics of every service, on its health port, and the notifier's webhook for Alertmanager. Grids, "
    "accounts and books are asked for over NATS, see requests.md."
)


def openapi_page() -> str:
    """docs/openapi.json: an OpenAPI 3.1 document."""
    return json.dumps(openapi(), indent=2) + "\n"


def openapi() -> dict[str, Any]:
    """The document. The webhook's shape is the one the notifier decodes."""
    notifier = importlib.import_module(_ALERTMANAGER)
    (body,), shapes = msgspec.json.schema_components(
        [notifier.Notification], ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gridkeeper", "version": version("gridkeeper-core"), "description": _OPENING},
        "paths": {
            LIVEZ: {"get": _probe("livez", "Whether the event loop turns; 503 asks for a restart.")},
            READYZ: {"get": _probe("readyz", "Whether the service can do its work now.")},
            METRICS: {"get": _metrics()},
            notifier.PATH: {"post": _webhook(body)},
        },
        "components": {"schemas": shapes},
    }


def _probe(name: str, summary: str) -> Mapping[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _json("Yes.", _REASONS), "503": _json("No.", _REASONS)},
    }


def _metrics() -> Mapping[str, Any]:
    text = {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}
    return {
        "operationId": "metrics",
        "summary": "Every series of metrics.md, for Prometheus.",
        "responses": {"200": {"description": "Prometheus' text format.", "content": text}},
    }


def _webhook(body: Mapping[str, Any]) -> Mapping[str, Any]:
    refusal = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    return {
        "operationId": "alertmanager",
        "summary": "Takes what Alertmanager's webhook (version 4) sends; the notifier alone, on its alerts port.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": _json("Every alert is recorded.", {"type": "object"}),
            "400": _json("The body is none of Alertmanager's; nothing is recorded.", refusal),
        },
    }


def _json(description: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
