"""Recorded Drift data for tests: skipped with a clear reason where it is absent, a failure in CI."""

from __future__ import annotations

import base64
import csv
import gzip
import json
from typing import Any

from support.recorded_data import recorded_folder


def recorded_accounts() -> list[dict[str, Any]]:
    """Real accounts; `data` holds the bytes, `type` the IDL's name, `summary` what others decoded."""
    return [{**row, "data": base64.b64decode(row["data_base64"])} for row in _rows("drift_accounts.jsonl.gz")]


def recorded_events() -> list[dict[str, Any]]:
    """Events of several program versions; `data` holds the bytes, `decoded` what others decoded."""
    return [{**row, "data": base64.b64decode(row["data_base64"])} for row in _rows("drift_events.jsonl.gz")]


def recorded_logs() -> list[dict[str, Any]]:
    """Log lines of real transactions."""
    return _rows("drift_tx_logs.jsonl")


def recorded_orders() -> list[dict[str, str]]:
    """The order instructions of real transactions, by column; amounts are in the program's own integers."""
    path = recorded_folder() / "drift" / "driftv2_perp_order_instructions_202601_202602.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _rows(name: str) -> list[dict[str, Any]]:
    path = recorded_folder() / "drift" / name
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
