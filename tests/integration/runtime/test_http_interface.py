"""docs/openapi.json against the servers it describes: valid as OpenAPI, and every answer is one it names."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from gridkeeper_cli.reference_openapi import openapi
from gridkeeper_runtime.health import Health

DOCUMENT = openapi()
PROBES = [path for path, item in DOCUMENT["paths"].items() if "get" in item]
WEBHOOK = {
    "version": "4",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "PriceStale", "severity": "warning"},
            "annotations": {"summary": "No price for a minute."},
            "startsAt": "2026-01-01T00:00:00Z",
            "fingerprint": "f00d",
        }
    ],
}


def test_the_document_is_openapi() -> None:
    validate(DOCUMENT)


@pytest.mark.parametrize("path", PROBES)
@pytest.mark.parametrize("is_well", [True, False])
def test_what_a_service_answers_is_in_the_document(
    health: Health, reasons: list[str], path: str, *, is_well: bool
) -> None:
    if not is_well:
        reasons.append("no price")
        health.stalled_after_s = 0.0

    status, kind, body = _get(health, path)

    content = DOCUMENT["paths"][path]["get"]["responses"][str(status)]["content"][kind]
    value: Any = json.loads(body) if kind == "application/json" else body.decode()
    jsonschema.validate(value, content["schema"])
    assert status == (503 if not is_well and path != "/metrics" else 200)


def test_what_is_not_in_the_document_is_not_found(health: Health) -> None:
    assert _get(health, "/grids")[0] == 404


def test_what_alertmanager_sends_is_of_the_documented_shape_and_what_lacks_a_status_is_not() -> None:
    schema = {**DOCUMENT["paths"]["/alertmanager"]["post"]["requestBody"]["content"]["application/json"]["schema"]}
    schema["components"] = DOCUMENT["components"]

    jsonschema.validate(WEBHOOK, schema)
    with pytest.raises(jsonschema.ValidationError, match="status"):
        jsonschema.validate({"alerts": [{"labels": {}, "fingerprint": "f00d", "startsAt": ""}]}, schema)


def _get(health: Health, path: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{health.port}{path}", timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()
