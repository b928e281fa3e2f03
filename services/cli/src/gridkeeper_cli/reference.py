"""Writes the reference pages that are made from the code: `python -m gridkeeper_cli.reference FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from gridkeeper_cli.reference_metrics import metrics_page, monitoring_rules
from gridkeeper_cli.reference_openapi import openapi_page
from gridkeeper_cli.reference_requests import requests_page
from gridkeeper_cli.reference_settings import settings_page
from gridkeeper_cli.reference_shapes import shapes_in, struct_part
from gridkeeper_core.errors import CATALOGUE
from gridkeeper_core.events import FACTS, WRITERS, Fact
from gridkeeper_core.record import Recorded

_NOTICE = "<!-- Written by `make docs` from the code; a change made here by hand is lost. -->"
_STREAMS = {
    "prices": "prices:<market>",
    "grid": "grid:<id>",
    "market": "market:<venue>:<index>",
    "account": "account:<alias>",
    "tx": "tx:<alias>",
    "wallet": "wallet:<pubkey>",
    "ledger": "ledger:<grid>",
    "books": "books:<alias>",
    "sol": "sol:<pubkey>",
    "alert": "alert:<target>",
}


def events_page() -> str:
    """docs/events.md: every stream with its writer and facts, and every shape that facts are made of."""
    parts = [_NOTICE, "# Events", _EVENTS_OPENING, *struct_part(Recorded, "## The envelope")]
    for kind, facts in FACTS.items():
        parts.append(f"## `{_STREAMS[kind]}`")
        parts.append(f"Written by **{WRITERS[kind].replace('_', '-')}** alone.")
        for fact in facts:
            parts += struct_part(fact, f"### {fact.__name__}")
    parts.append("## Shapes")
    for shape in shapes_in(fact for facts in FACTS.values() for fact in facts):
        if not issubclass(shape, Fact):
            parts += struct_part(shape, f"### {shape.__name__}")
    return "\n\n".join(parts) + "\n"


def errors_page() -> str:
    """docs/errors.md: every error code with its meaning and what to do."""
    rows = [f"| `{code}` | {_cell(meaning)} | {_cell(do)} |" for code, (meaning, do) in CATALOGUE.items()]
    table = "\n".join(["| code | meaning | what to do |", "| --- | --- | --- |", *rows])
    return "\n\n".join([_NOTICE, "# Errors", _ERRORS_OPENING, table]) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "events.md": events_page,
    "errors.md": errors_page,
    "metrics.md": lambda: f"{_NOTICE}\n\n{metrics_page()}",
    "openapi.json": openapi_page,
    "requests.md": lambda: f"{_NOTICE}\n\n{requests_page()}",
    "settings.md": settings_page,
}
"""File name below docs/ -> what writes it."""


def write_pages(folder: Path) -> None:
    """Write every page into the folder, and beside it the alert rules for a cluster."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), "utf-8")
    deploy = folder.parent / "deploy"
    rules = sorted((deploy / "prometheus" / "rules").glob("*.yml"))
    (deploy / "k8s" / "components" / "monitoring" / "rules.yaml").write_text(monitoring_rules(rules), "utf-8")


_EVENTS_OPENING = """\
Everything Gridkeeper records, by stream. A stream has one writer and is never changed, only added to. The stored form
is one JSON document: the envelope, with the fact inside and the fact's stored name under `topic`.

Units are in the names: `_e6` a price or quote amount in 1e-6, `_e9` a base amount in 1e-9, `_e4` a ratio in 1e-4, `_e5`
a fee rate in 1e-5, `_ns` nanoseconds (UTC or a duration), `lamports` 1e-9 SOL. Quote amounts are seen from the account:
positive is received. A fact may gain fields that have a default; another meaning takes the next version of
the name."""

_ERRORS_OPENING = """\
Every refusal names one of these codes. With `--json` it is the member `code` of the document
`{"error": {"code", "field", "value", "expected", "do", "detail"}}`, and the command ends with 1 (2 for wrong usage)."""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
