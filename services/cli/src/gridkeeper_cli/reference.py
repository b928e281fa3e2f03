"""Writes the reference pages that are made from the code: `python -m gridkeeper_cli.reference FOLDER`."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from gridkeeper_cli.reference_metrics import metrics_page, monitoring_rules
from gridkeeper_cli.reference_settings import settings_page
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
    "alert": "alert:<target>",
}
_PLAIN = {int: "integer", str: "text", bool: "true/false", type(None): "null"}


def events_page() -> str:
    """docs/events.md: every stream with its writer and facts, and every shape that facts are made of."""
    parts = [_NOTICE, "# Events", _EVENTS_OPENING, *_struct(Recorded, "## The envelope")]
    for kind, facts in FACTS.items():
        parts.append(f"## `{_STREAMS[kind]}`")
        parts.append(f"Written by **{WRITERS[kind].replace('_', '-')}** alone.")
        for fact in facts:
            parts += _struct(fact, f"### {fact.__name__}")
    parts.append("## Shapes")
    for shape in _shapes():
        parts += _struct(shape, f"### {shape.__name__}")
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
positive is received. Fields are only added, with defaults; a new meaning is a new name with the next version."""

_ERRORS_OPENING = """\
Every refusal names one of these codes. With `--json` it is the member `code` of the document
`{"error": {"code", "field", "value", "expected", "do", "detail"}}`, and the command ends with 1 (2 for wrong usage)."""


def _struct(shape: type[msgspec.Struct], heading: str) -> Iterator[str]:
    yield heading
    if issubclass(shape, Fact):
        yield f"`{shape.__struct_config__.tag}`"
    yield inspect.getdoc(shape) or ""
    fields = msgspec.structs.fields(shape)
    if fields:
        hints = typing.get_type_hints(shape)
        rows = [
            f"| `{field.name}` | {_type_text(hints[field.name], field.name)} | {_default(field)} |" for field in fields
        ]
        yield "\n".join(["| field | type | default |", "| --- | --- | --- |", *rows])


def _type_text(kind: Any, name: str) -> str:
    if name == "fact":
        return "one of the facts below"
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_text(argument, name="") for argument in arguments)
    if origin is tuple and Ellipsis in arguments:
        return "list of " + _type_text(arguments[0], name="")
    if origin is tuple:
        return f"({', '.join(_type_text(argument, name='') for argument in arguments)})"
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return ""
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return f"`{msgspec.json.encode(default).decode()}`"


def _shapes() -> list[type[msgspec.Struct]]:
    """Structs inside of facts, in the order they are met, each once."""
    met: dict[type[msgspec.Struct], None] = {}
    for facts in FACTS.values():
        for fact in facts:
            _meet(fact, met)
    return list(met)


def _meet(shape: type[msgspec.Struct], met: dict[type[msgspec.Struct], None]) -> None:
    for kind in typing.get_type_hints(shape).values():
        for part in _structs_in(kind):
            if part not in met:
                met[part] = None
                _meet(part, met)


def _structs_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for part in typing.get_args(kind):
        yield from _structs_in(part)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
