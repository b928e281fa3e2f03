"""Borsh both ways for every account, event, instruction and type that driftpy's IDL describes, as plain data.

Plain data: a struct is a dict with snake_case keys, an enum without fields is its variant's name, a public key is a
`Pubkey`, an option is None or the value. The IDL is the one driftpy ships, so a driftpy update updates this module.
anchorpy's coder reads the same IDL; it is not used at run time because importing it costs 0.7 s and it encodes a
User account in 7 ms. The tests hold both against each other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

Decode = Callable[[bytes, int], tuple[Any, int]]
Encode = Callable[[Any], bytes]


class CodecError(ValueError):
    """Bytes that are not what they are taken for, or a value the layout cannot hold."""


class Layout(NamedTuple):
    """How one type is written and read: `decode(data, offset)` gives the value and the offset after it."""

    encode: Encode
    decode: Decode


class Named(NamedTuple):
    """A value with the IDL name of what it is: an event, an instruction or an account."""

    name: str
    value: dict[str, Any]


class Section(NamedTuple):
    """One part of the IDL (accounts, events, instructions): layouts by name, names by discriminator."""

    layouts: dict[str, Layout]
    discriminators: dict[str, bytes]
    names: dict[bytes, str]

    def encode(self, name: str, value: Any) -> bytes:
        """Discriminator and body."""
        return self.discriminators[name] + self.layouts[name].encode(value)

    def decode(self, data: bytes) -> Named | None:
        """Reads the body by its discriminator, ignoring what follows it; None where the discriminator is unknown.

        An event that ends before a field, as older programs wrote them, has None there and in all fields after it.
        Raises CodecError where the body is cut short or holds an impossible value.
        """
        name = self.names.get(bytes(data[:8]))
        if name is None:
            return None
        value, _ = self.layouts[name].decode(data, 8)
        return Named(name, value)


def accounts() -> Section:
    """Layouts of the program's accounts, by their IDL name (`User`, `PerpMarket` …)."""
    return _section("accounts", "account", str)


def events() -> Section:
    """Layouts of the program's events, by their IDL name (`OrderActionRecord` …)."""
    return _section("events", "event", str)


def instructions() -> Section:
    """Layouts of the arguments of the program's instructions, by their name in snake_case."""
    return _section("instructions", "global", snake)


def type_layout(name: str) -> Layout:
    """The layout of one named type of the IDL (`OrderParams` …)."""
    return _defined(name)


def variants(enum_name: str) -> tuple[str, ...]:
    """The names of an enum's variants, in the order of their numbers."""
    return tuple(variant["name"] for variant in _types()[enum_name]["variants"])


@cache
def instruction_accounts(name: str) -> tuple[tuple[str, bool, bool], ...]:
    """The accounts an instruction (snake_case) names: (name in snake_case, writable, signer)."""
    for entry in _idl()["instructions"]:
        if snake(entry["name"]) == name:
            return tuple((snake(item["name"]), item["isMut"], item["isSigner"]) for item in entry["accounts"])
    raise KeyError(name)


def error_name(code: int) -> str:
    """The program's own name of a custom error code, or the number as text."""
    return _error_names().get(code, str(code))


@cache
def snake(name: str) -> str:
    """camelCase to snake_case: the names of the program itself."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@cache
def _idl() -> dict[str, Any]:
    spec = find_spec("driftpy")
    assert spec is not None
    assert spec.origin is not None
    idl: dict[str, Any] = json.loads((Path(spec.origin).parent / "idl" / "drift.json").read_text(encoding="utf-8"))
    return idl


@cache
def _types() -> dict[str, dict[str, Any]]:
    entries = _idl()["types"] + _idl()["accounts"]
    return {entry["name"]: entry["type"] for entry in entries}


@cache
def _error_names() -> dict[int, str]:
    return {entry["code"]: entry["name"] for entry in _idl()["errors"]}


@cache
def _section(part: str, prefix: str, naming: Callable[[str], str]) -> Section:
    layouts: dict[str, Layout] = {}
    discriminators: dict[str, bytes] = {}
    for entry in _idl()[part]:
        name = naming(entry["name"])
        fields = entry["args"] if part == "instructions" else entry.get("fields") or entry["type"]["fields"]
        # Older programs wrote events with fewer fields, so there the tail may be missing.
        layouts[name] = _later(fields, may_end_early=part == "events")
        discriminators[name] = hashlib.sha256(f"{prefix}:{name}".encode()).digest()[:8]
    return Section(layouts, discriminators, {value: name for name, value in discriminators.items()})


def _later(fields: list[dict[str, Any]], *, may_end_early: bool) -> Layout:
    """A struct whose layout is made at its first use: the IDL has hundreds, and a service uses a dozen."""
    made: list[Layout] = []

    def layout() -> Layout:
        if not made:
            made.append(_struct(fields, may_end_early=may_end_early))
        return made[0]

    return Layout(lambda value: layout().encode(value), lambda data, offset: layout().decode(data, offset))


def _layout_of(kind: Any) -> Layout:
    if isinstance(kind, str):
        return _simple(kind)
    if "defined" in kind:
        return _defined(kind["defined"])
    if "array" in kind:
        item, count = kind["array"]
        return _bytes_array(count) if item == "u8" else _array(_layout_of(item), count)
    if "option" in kind:
        return _option(_layout_of(kind["option"]))
    if "vec" in kind:
        return _vec(_layout_of(kind["vec"]))
    raise CodecError(f"the IDL has a kind of type that is not known: {kind}")


@cache
def _defined(name: str) -> Layout:
    definition = _types()[name]
    if definition["kind"] == "struct":
        return _struct(definition["fields"])
    if all("fields" not in variant for variant in definition["variants"]):
        return _plain_enum(name, tuple(variant["name"] for variant in definition["variants"]))
    return _rich_enum(name, definition["variants"])


@cache
def _simple(kind: str) -> Layout:
    if kind == "publicKey":
        return Layout(bytes, lambda data, offset: (Pubkey.from_bytes(_take(data, offset, 32)), offset + 32))
    if kind == "bool":
        return Layout(lambda value: b"\1" if value else b"\0", _decode_bool)
    if kind in ("string", "bytes"):
        return _text() if kind == "string" else _vec_bytes()
    return _integer(int(kind[1:]) // 8, signed=kind[0] == "i")


def _integer(size: int, *, signed: bool) -> Layout:
    def decode(data: bytes, offset: int) -> tuple[int, int]:
        end = offset + size
        if end > len(data):
            raise CodecError("the data ends inside of a number")
        return int.from_bytes(data[offset:end], "little", signed=signed), end

    def encode(value: int) -> bytes:
        try:
            return value.to_bytes(size, "little", signed=signed)
        except OverflowError as error:
            raise CodecError(f"{value} does not fit into {size} bytes") from error

    return Layout(encode, decode)


def _decode_bool(data: bytes, offset: int) -> tuple[bool, int]:
    value = _take(data, offset, 1)[0]
    if value > 1:
        raise CodecError(f"a truth value is 0 or 1, not {value}")
    return value == 1, offset + 1


def _text() -> Layout:
    inner = _vec_bytes()

    def decode(data: bytes, offset: int) -> tuple[str, int]:
        value, end = inner.decode(data, offset)
        return value.decode(), end

    return Layout(lambda value: inner.encode(value.encode()), decode)


def _vec_bytes() -> Layout:
    length = _integer(4, signed=False)

    def decode(data: bytes, offset: int) -> tuple[bytes, int]:
        count, start = length.decode(data, offset)
        return _take(data, start, count), start + count

    return Layout(lambda value: length.encode(len(value)) + bytes(value), decode)


def _bytes_array(count: int) -> Layout:
    def encode(value: Any) -> bytes:
        data = bytes(value)
        if len(data) != count:
            raise CodecError(f"expected {count} bytes, was {len(data)}")
        return data

    return Layout(encode, lambda data, offset: (_take(data, offset, count), offset + count))


def _array(item: Layout, count: int) -> Layout:
    def encode(value: Any) -> bytes:
        if len(value) != count:
            raise CodecError(f"expected {count} items, was {len(value)}")
        return b"".join(item.encode(part) for part in value)

    def decode(data: bytes, offset: int) -> tuple[list[Any], int]:
        values = []
        for _ in range(count):
            value, offset = item.decode(data, offset)
            values.append(value)
        return values, offset

    return Layout(encode, decode)


def _option(item: Layout) -> Layout:
    def decode(data: bytes, offset: int) -> tuple[Any, int]:
        present, offset = _decode_bool(data, offset)
        return item.decode(data, offset) if present else (None, offset)

    return Layout(lambda value: b"\0" if value is None else b"\1" + item.encode(value), decode)


def _vec(item: Layout) -> Layout:
    length = _integer(4, signed=False)

    def decode(data: bytes, offset: int) -> tuple[list[Any], int]:
        count, offset = length.decode(data, offset)
        if count > len(data):
            raise CodecError(f"{count} items cannot be in {len(data)} bytes")
        return _array(item, count).decode(data, offset)

    return Layout(lambda value: length.encode(len(value)) + b"".join(item.encode(part) for part in value), decode)


def _struct(fields: list[dict[str, Any]], *, may_end_early: bool = False) -> Layout:
    parts = [(snake(field["name"]), _layout_of(field["type"])) for field in fields]

    def encode(value: Any) -> bytes:
        read = value.__getitem__ if isinstance(value, Mapping) else lambda name: getattr(value, name)
        return b"".join([layout.encode(read(name)) for name, layout in parts])

    def decode(data: bytes, offset: int) -> tuple[dict[str, Any], int]:
        values: dict[str, Any] = {}
        for name, layout in parts:
            if may_end_early and offset == len(data):
                values[name] = None
            else:
                values[name], offset = layout.decode(data, offset)
        return values, offset

    return Layout(encode, decode)


def _plain_enum(name: str, names: tuple[str, ...]) -> Layout:
    numbers = {variant: bytes([number]) for number, variant in enumerate(names)}

    def encode(value: Any) -> bytes:
        # driftpy's own types carry enums as objects whose class is named after the variant, but for a reserved word.
        variant = value if isinstance(value, str) else type(value).__name__.replace("NONE", "None")
        if variant not in numbers:
            raise CodecError(f"{name} has no variant {variant}")
        return numbers[variant]

    def decode(data: bytes, offset: int) -> tuple[str, int]:
        number = _take(data, offset, 1)[0]
        if number >= len(names):
            raise CodecError(f"{name} has no variant {number}")
        return names[number], offset + 1

    return Layout(encode, decode)


def _rich_enum(name: str, entries: list[dict[str, Any]]) -> Layout:
    """An enum with fields: plain data is (variant, {field: value}); a variant without fields is its name."""
    names = [entry["name"] for entry in entries]
    bodies = [_variant_body(entry.get("fields", [])) for entry in entries]

    def encode(value: Any) -> bytes:
        variant, fields = (value, {}) if isinstance(value, str) else value
        number = names.index(variant)
        return bytes([number]) + bodies[number].encode(fields)

    def decode(data: bytes, offset: int) -> tuple[Any, int]:
        number = _take(data, offset, 1)[0]
        if number >= len(names):
            raise CodecError(f"{name} has no variant {number}")
        fields, end = bodies[number].decode(data, offset + 1)
        return ((names[number], fields) if fields else names[number]), end

    return Layout(encode, decode)


def _variant_body(fields: list[Any]) -> Layout:
    named = [
        field if isinstance(field, dict) and "name" in field else {"name": str(place), "type": field}
        for place, field in enumerate(fields)
    ]
    return _struct(named)


def _take(data: bytes, offset: int, count: int) -> bytes:
    part = bytes(data[offset : offset + count])
    if len(part) != count:
        raise CodecError("the data ends too early")
    return part
