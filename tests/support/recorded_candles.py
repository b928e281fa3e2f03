"""Cuts recorded candles, which lie outside of the project, into the tape of a test."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from support.recorded_data import recorded_folder


def cut_candles(name: str, target: Path, since: str, bars: int | None) -> Path:
    """So many bars of a recorded file (None: all that follow) from a moment on (UTC, ISO 8601), as `target`.

    Skips the test where no recorded data is; fails it in CI.
    """
    since_ms = int(datetime.fromisoformat(since).replace(tzinfo=UTC).timestamp() * 1000)
    with gzip.open(recorded_folder() / "candles" / name, "rt") as candles:
        target.write_text("".join(_cut(candles, since_ms, bars)))
    return target


def _cut(lines: Iterator[str], since_ms: int, bars: int | None) -> Iterator[str]:
    yield next(lines)
    taken = 0
    for line in lines:
        if int(line.split(",", 1)[0]) < since_ms:
            continue
        if taken == bars:
            return
        taken += 1
        yield line
