"""Reads moments from text: ISO 8601 or a Unix time, always as nanoseconds UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import NS_PER_S

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,9}))?")
_FINER_THAN_US = re.compile(r"(\.[0-9]{6})([0-9]{1,3})(?![0-9])")
_EXPECTED = "2025-01-31, 2025-01-31T12:00:00Z, or seconds, ms, us or ns since 1970"
# Up to the year 5138 seconds have at most 11 digits, and each finer unit three more.
_UNITS_NS = ((11, NS_PER_S), (14, 10**6), (17, 10**3), (19, 1))


def parse_time_ns(text: str, field: str) -> int:
    """A moment in nanoseconds UTC; without a zone it is taken as UTC. Raises GridkeeperError BAD_VALUE."""
    stripped = text.strip()
    if unix := _UNIX.fullmatch(stripped):
        return _unix_ns(unix[1], unix[2] or "")
    try:
        if stripped.isdigit():  # twenty digits and more are no compact date either
            raise ValueError(stripped)
        moment = datetime.fromisoformat(_FINER_THAN_US.sub(r"\1", stripped.removesuffix(" UTC")))
    except ValueError as error:
        raise GridkeeperError("BAD_VALUE", field=field, value=text[:80], expected=_EXPECTED) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    finer = _FINER_THAN_US.search(stripped)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000 + (int(finer[2].ljust(3, "0")) if finer else 0)


def _unix_ns(whole: str, part: str) -> int:
    unit_ns = next(unit for digits, unit in _UNITS_NS if len(whole) <= digits)
    return int(whole) * unit_ns + int((part + "0" * 9)[:9]) * unit_ns // 10**9
