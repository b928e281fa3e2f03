"""Writes the text of a grid file with some of its settings changed; comments are not kept."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.settings import SETTINGS

_TABLES = tuple(dict.fromkeys(setting.path.partition(".")[0] for setting in SETTINGS))


def with_settings(source: str, changed: Mapping[str, Any]) -> str:
    """The file's text with these settings (`grid.lower` -> a TOML value; None takes one out).

    What the text says otherwise stays as it is, whether it is allowed or not: `parse_grid` judges. Raises
    GridkeeperError BAD_TOML where the text is none.
    """
    try:
        document: dict[str, Any] = tomllib.loads(source)
    except ValueError as error:
        raise GridkeeperError("BAD_TOML", detail=f"The file is not valid TOML: {error}") from error
    for path, value in changed.items():
        table, _, name = path.partition(".")
        content = document.setdefault(table, {})
        if value is None:
            content.pop(name, None)
        else:
            content[name] = value
    return _text(document)


def typed(path: str, text: str) -> Any:
    """The TOML value that a setting given as text means: counts and flags bare, lists and tables as such, else text.

    Amounts in grid files are text, so `120` for a price is `"120"` and for a count is 120.
    """
    kind = next((setting.kind for setting in SETTINGS if setting.path == path), "")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text
    return value if kind in ("count", "flag") or isinstance(value, dict | list | str) else text


def _text(document: Mapping[str, Any]) -> str:
    known = [table for table in _TABLES if table in document]
    parts = []
    for table in [*known, *(name for name in document if name not in known)]:
        content = document[table]
        if isinstance(content, dict) and content:
            lines = "\n".join(f"{_key(name)} = {_value(value)}" for name, value in content.items())
            parts.append(f"[{_key(table)}]\n{lines}\n")
    return "\n".join(parts)


def _key(name: str) -> str:
    is_bare = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
    return name if is_bare else _quoted(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case list():
            return f"[{', '.join(_value(item) for item in value)}]"
        case dict():
            return f"{{ {', '.join(f'{_key(name)} = {_value(item)}' for name, item in value.items())} }}"
        case _:
            return str(value)


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, but for the delete character, which TOML wants escaped.
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")
