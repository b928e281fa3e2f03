"""One thing the doctor looked at, and how it is."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Status: TypeAlias = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """`told` is what was found, `do` what to do about it; empty where nothing is to be done."""

    name: str
    status: Status
    told: str
    do: str = ""


def ok(name: str, told: str) -> Check:
    """All is well."""
    return Check(name=name, status="ok", told=told)


def warn(name: str, told: str, do: str) -> Check:
    """Trading goes on, but somebody should know."""
    return Check(name=name, status="warn", told=told, do=do)


def fail(name: str, told: str, do: str) -> Check:
    """Something does not work."""
    return Check(name=name, status="fail", told=told, do=do)
