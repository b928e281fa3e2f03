"""A log line is one JSON object, whatever is said in it."""

from __future__ import annotations

import logging
import sys

import msgspec

from gridkeeper_runtime.logs import JsonLine


def _line(message: str, **fields: object) -> dict[str, object]:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "%s", (message,), None)
    record.fields = fields
    text = JsonLine("ledger").format(record)
    assert "\n" not in text
    return msgspec.json.decode(text, type=dict[str, object])


def test_a_line_has_time_level_service_message_and_the_given_fields() -> None:
    line = _line("100% of two\nlines", grid_id="sol", count=3)

    assert str(line.pop("ts")).endswith("Z")
    assert line == {
        "level": "info",
        "service": "ledger",
        "message": "100% of two\nlines",
        "grid_id": "sol",
        "count": 3,
    }


def test_a_field_cannot_pass_for_one_of_ours() -> None:
    assert _line("said", level="error", service="forged")["service"] == "ledger"


def test_a_value_json_does_not_know_is_still_said() -> None:
    assert "object" in str(_line("said", thing=object())["thing"])


def test_an_error_brings_its_traceback() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())

    assert "ValueError: broken" in str(msgspec.json.decode(JsonLine("ledger").format(record))["traceback"])
