"""From `--vary intervals=50,100` to grid files that differ in these settings."""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Sequence
from typing import Any

import msgspec

from gridkeeper_cli.grid_source import GridFile
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.parse import parse_grid
from gridkeeper_core.grid.settings import SETTINGS

VARIANTS_MAX = 10_000
_KINDS = {setting.path: setting.kind for setting in SETTINGS}
_PARTS = {"size.base": "grid.size.base", "size.quote": "grid.size.quote"}


class Axis(msgspec.Struct, frozen=True):
    """A setting and the values to compare."""

    path: str
    values: tuple[str, ...]


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """A grid file with some settings replaced; `file` is None where these settings do not make a grid."""

    settings: dict[str, str]
    file: GridFile | None
    error: GridkeeperError | None = None


def axes_of(words: Sequence[str]) -> list[Axis]:
    """The options as axes. Raises GridkeeperError BAD_VALUE, UNKNOWN_KEY."""
    axes = [_axis(word) for word in words]
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > VARIANTS_MAX:
        raise GridkeeperError(
            "BAD_VALUE", field="--vary", value=f"{count} variants", expected=f"at most {VARIANTS_MAX}"
        )
    return axes


def variants_of(file: GridFile, axes: Sequence[Axis]) -> list[Variant]:
    """Every combination of the values."""
    return [_variant(file, axes, values) for values in itertools.product(*(axis.values for axis in axes))]


def _axis(word: str) -> Axis:
    name, _, values = word.partition("=")
    listed = tuple(value.strip() for value in values.split(",") if value.strip())
    if not listed:
        raise GridkeeperError("BAD_VALUE", field="--vary", value=word, expected="SETTING=VALUE,VALUE…")
    return Axis(_path(name.strip()), listed)


def _path(name: str) -> str:
    """`intervals` is short for `grid.intervals`."""
    paths = [*_KINDS, *_PARTS.values()]
    if name in paths:
        return name
    if name in _PARTS:
        return _PARTS[name]
    found = [path for path in paths if path.rpartition(".")[2] == name]
    if len(found) != 1:
        raise GridkeeperError("UNKNOWN_KEY", field="--vary", value=name, expected=" or ".join(found) or "a setting")
    return found[0]


def _variant(file: GridFile, axes: Sequence[Axis], values: Sequence[str]) -> Variant:
    document = tomllib.loads(file.source)
    for axis, value in zip(axes, values, strict=True):
        _put(document, axis.path, value)
    settings = {axis.path: value for axis, value in zip(axes, values, strict=True)}
    source = _toml(document)
    try:
        return Variant(settings=settings, file=GridFile(source=source, config=parse_grid(source)))
    except GridkeeperError as refusal:
        return Variant(settings=settings, file=None, error=refusal)


def _put(document: dict[str, Any], path: str, text: str) -> None:
    *tables, name = path.split(".")
    place = document
    for table in tables:
        if not isinstance(place.get(table), dict):
            place[table] = {}
        place = place[table]
    if path in _PARTS.values():
        place.clear()  # a size is in base or in quote, not both
    kind = _KINDS.get(path, "")
    place[name] = int(text) if kind == "count" and text.isdigit() else text == "true" if kind == "flag" else text


def _toml(document: dict[str, Any]) -> str:
    lines = []
    for table, content in document.items():
        lines.append(f"[{table}]")
        lines += [f"{name} = {_toml_value(value)}" for name, value in content.items()]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml_value(part)}" for name, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(part) for part in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
