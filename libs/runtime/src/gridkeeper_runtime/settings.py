"""Reads one frozen struct from the environment: strict about names and types, silent about secrets."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from gridkeeper_core.errors import GridkeeperError

Secret = Annotated[str, msgspec.Meta(extra={"secret": True})]
"""A text that is never shown; `<NAME>_FILE` may name a file that holds it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a service's settings derive from; shows itself without its secrets, so that it can be logged at start."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [
            (field.name, "…" if _is_secret(field) and getattr(self, field.name) else getattr(self, field.name))
            for field in msgspec.structs.fields(self)
        ]


SettingsType = TypeVar("SettingsType", bound=Settings)


def read_settings(kind: type[SettingsType], prefix: str, env: Mapping[str, str]) -> SettingsType:
    """The settings in the variables that start with `prefix`; field `nats_url` is `<prefix>NATS_URL`.

    Raises GridkeeperError UNKNOWN_KEY, MISSING_KEY, BAD_VALUE or, for a secret's file, BAD_FILE.
    """
    fields = {prefix + field.name.upper(): field for field in msgspec.structs.fields(kind)}
    files = {f"{name}_FILE": name for name, field in fields.items() if _is_secret(field)}
    ours = {name: text for name, text in env.items() if name.startswith(prefix)}
    for name in ours:
        if name not in fields and name not in files:
            raise _unknown(name, [*fields, *files])
    values: dict[str, object] = {}
    for name, field in fields.items():
        text = _text(name, f"{name}_FILE" if f"{name}_FILE" in files else "", ours)
        if text is not None:
            values[field.name] = _converted(name, field, text)
        elif field.required:
            raise GridkeeperError("MISSING_KEY", field=name)
    return _made(kind, values, prefix)


def _text(name: str, file_variable: str, ours: Mapping[str, str]) -> str | None:
    if file_variable not in ours:
        return ours.get(name)
    if name in ours:
        raise GridkeeperError("BAD_VALUE", field=name, expected=f"either {name} or {file_variable}, not both")
    try:
        return Path(ours[file_variable]).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise GridkeeperError("BAD_FILE", field=file_variable, value=ours[file_variable]) from error


def _converted(name: str, field: msgspec.structs.FieldInfo, text: str) -> object:
    try:
        return msgspec.convert(text, field.type, strict=False, dec_hook=_path)
    except (msgspec.ValidationError, ValueError) as error:
        if _is_secret(field):  # neither the value nor a message that might quote it
            raise GridkeeperError("BAD_VALUE", field=name) from None
        raise GridkeeperError("BAD_VALUE", field=name, value=text, detail=str(error)) from error


def _made(kind: type[SettingsType], values: dict[str, object], prefix: str) -> SettingsType:
    """Rules between fields live in the struct's `__post_init__` and speak by ValueError."""
    try:
        return kind(**values)
    except ValueError as error:
        raise GridkeeperError("BAD_VALUE", field=f"{prefix}*", detail=str(error)) from error


def _path(kind: type, value: object) -> Path:
    if kind is Path and isinstance(value, str):
        return Path(value).expanduser()
    raise ValueError(f"cannot read {kind.__name__} from text")


def _unknown(name: str, known: list[str]) -> GridkeeperError:
    near = difflib.get_close_matches(name, known, n=1)
    return GridkeeperError("UNKNOWN_KEY", field=name, expected=f"{near[0]}?" if near else "")


def _is_secret(field: msgspec.structs.FieldInfo) -> bool:
    return _holds_secret(msgspec.inspect.type_info(field.type))


def _holds_secret(kind: msgspec.inspect.Type) -> bool:
    match kind:
        case msgspec.inspect.Metadata():
            return bool((kind.extra or {}).get("secret")) or _holds_secret(kind.type)
        case msgspec.inspect.UnionType():
            return any(_holds_secret(member) for member in kind.types)
        case _:
            return False
