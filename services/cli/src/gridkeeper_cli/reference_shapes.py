"""Says what a shape of the code is, as a reference page shows it: its meaning and a table of its fields."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

import msgspec

from gridkeeper_core.events import Fact

_PLAIN = {int: "integer", str: "text", bool: "true/false", type(None): "null"}


def shapes_in(roots: Iterable[Any]) -> list[type[msgspec.Struct]]:
    """The structs inside of these types, in the order they are met, each once."""
    met: dict[type[msgspec.Struct], None] = {}
    for root in roots:
        for part in _structs_in(root):
            _meet(part, met)
    return list(met)


def struct_part(shape: type[msgspec.Struct], heading: str) -> Iterator[str]:
    """A heading, the shape's meaning, and its fields with type and default."""
    yield heading
    if issubclass(shape, Fact):
        yield f"`{shape.__struct_config__.tag}`"
    yield inspect.getdoc(shape) or ""
    fields = msgspec.structs.fields(shape)
    if fields:
        hints = typing.get_type_hints(shape)
        rows = [
            f"| `{field.name}` | {type_text(hints[field.name], field.name)} | {_default(field)} |" for field in fields
        ]
        yield "\n".join(["| field | type | default |", "| --- | --- | --- |", *rows])


def type_text(kind: Any, name: str = "") -> str:
    """A type in words; a struct as a link to its part of the page."""
    if name == "fact":
        return "one of the facts below"
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return type_text(arguments[0])
    if kind in _PLAIN:
        return _PLAIN[kind]
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_text(argument) for argument in arguments)
    if origin is list or (origin is tuple and Ellipsis in arguments):
        return "list of " + type_text(arguments[0])
    if origin is dict:
        return f"{type_text(arguments[0])} to {type_text(arguments[1])}"
    if origin is tuple:
        return f"({', '.join(type_text(argument) for argument in arguments)})"
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return ""
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return f"`{msgspec.json.encode(default).decode()}`"


def _meet(shape: type[msgspec.Struct], met: dict[type[msgspec.Struct], None]) -> None:
    if shape in met:
        return
    met[shape] = None
    for kind in typing.get_type_hints(shape).values():
        for part in _structs_in(kind):
            _meet(part, met)


def _structs_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for part in typing.get_args(kind):
        yield from _structs_in(part)
