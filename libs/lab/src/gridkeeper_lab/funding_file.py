"""Reads recorded funding rates: when each was paid, and as what share of the notional."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import NS_PER_MS, round_scaled
from gridkeeper_lab.table import Table, open_table

E12 = 10**12
RATE_MAX_E12 = E12 // 10
"""A tenth of the notional in one payment is taken for a mistake."""
_RATE = "funding_rate"


class Payment(msgspec.Struct, frozen=True):
    """One funding payment; `rate_e12` is the share of the notional (1e-12) that longs pay and shorts receive."""

    ts_ns: int
    rate_e12: int


def read_funding(files: Sequence[Path]) -> list[Payment]:
    """The payments of all files in order of time. Raises GridkeeperError BAD_FILE, BAD_DATA."""
    found: list[Payment] = []
    for file in files:
        with open_table(file) as table:
            _read(table, found)
    return found


def _read(table: Table, found: list[Payment]) -> None:
    # Recorders name the interval in the heading: funding_rate_per_8h.
    rates = [name for name in table.header if name.startswith(_RATE)]
    if "ts_ms" not in table.header or len(rates) != 1:
        raise table.bad_header("ts_ms,funding_rate")
    columns = ("ts_ms", rates[0])
    for cells in table.rows(columns):
        column = 0
        try:
            ts_ns = _time_ns(cells[0], found[-1].ts_ns if found else -1)
            column = 1
            rate_e12 = _rate_e12(cells[1])
        except ValueError as error:
            raise table.bad_cell(columns[column], cells[column], error) from error
        found.append(Payment(ts_ns, rate_e12))


def _time_ns(text: str, before_ns: int) -> int:
    if not text.isdigit():
        raise ValueError("a whole number of milliseconds")
    ts_ns = int(text) * NS_PER_MS
    if ts_ns <= before_ns:
        raise ValueError("a time after the row before")
    return ts_ns


def _rate_e12(text: str) -> int:
    try:
        rate_e12 = round_scaled(text, E12, 1, "")
    except GridkeeperError as error:
        raise ValueError("a rate such as 0.0001") from error
    if abs(rate_e12) > RATE_MAX_E12:
        raise ValueError("a share of the notional of at most 0.1")
    return rate_e12
