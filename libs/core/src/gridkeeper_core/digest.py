"""Turns the named facts that make up a state into one hash that survives upgrades of the code behind it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def digest_of(version: int, facts: Mapping[str, object]) -> str:
    """SHA-256 (hex) of the facts, named and sorted, under the version of their choice and meaning.

    A value is an int, a str, a bool, None or a tuple of such values: anything whose text is the same on every machine.
    Raises TypeError for anything else; a float above all.
    """
    named = [[name, _plain(facts[name], name)] for name in sorted(facts)]
    text = json.dumps([version, named], separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plain(value: object, name: str) -> object:
    if value is None or type(value) in (int, str, bool):
        return value
    if type(value) is tuple:
        return [_plain(part, name) for part in value]
    raise TypeError(f"expected int, str, bool, None or a tuple of them in {name!r}, was {type(value).__name__}")
