"""Reads the prices that price-feed wrote down, each file checked against the fact that records it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gridkeeper_cli.record_reading import log_opened, rows_of
from gridkeeper_core.audit.finding import Finding
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import PriceSegmentClosed
from gridkeeper_core.names import app_name, stream
from gridkeeper_core.prices.price import DECODER, Price
from gridkeeper_core.prices.segment import segment_gaps, segment_prices, segment_trouble
from gridkeeper_core.record import decode

SEGMENT_CLOSED = "prices.segment_closed.v1"
_FOLDER = "prices"
_APP = app_name("price_feed", 0)
_OPEN = "*.jsonl"

Segment = tuple[str, PriceSegmentClosed]
"""The event that records a segment, and what it says."""


def segments_of(postgres_url: str, market: str = "") -> list[Segment]:
    """Every closed segment of a market (default: of all), in the order of the log."""
    wanted = stream("prices", market)
    with log_opened(postgres_url, "price_feed") as store:
        rows = rows_of(store, lambda name: not market or name == wanted)
        events = [decode(row.state) for row in rows if row.topic == SEGMENT_CLOSED]
    return [(event.identity, event.fact) for event in events]


def check_segments(data_dir: Path, segments: list[Segment]) -> list[Finding]:
    """What is wrong with the files: missing, changed, not whole, or not following each other."""
    found = [
        _finding(event, fact, trouble)
        for event, fact in segments
        if (trouble := segment_trouble(fact, _content(data_dir, fact)))
    ]
    for market in sorted({fact.market for _, fact in segments}):
        of = [(event, fact) for event, fact in segments if fact.market == market]
        events = {id(fact): event for event, fact in of}
        for fact, expected in segment_gaps([fact for _, fact in of]):
            found.append(_finding(events[id(fact)], fact, f"It should begin with price {expected}."))
    return found


def recorded_prices(data_dir: Path, postgres_url: str, market: str, from_ns: int, to_ns: int) -> Iterator[Price]:
    """The prices of a market in an interval (both ends included), oldest first, also those of the hour still open.

    Raises GridkeeperError BAD_DATA, naming the file, where it is not what was recorded.
    """
    last_seq = 0
    for _, fact in segments_of(postgres_url, market):
        content = _content(data_dir, fact)
        if trouble := segment_trouble(fact, content):
            raise GridkeeperError("BAD_DATA", field=str(_path(data_dir, fact)), detail=trouble)
        last_seq = fact.last_seq
        yield from (price for price in segment_prices(content or b"") if from_ns <= price.ts_ns <= to_ns)
    for path in sorted((data_dir / _FOLDER / market).glob(_OPEN)):
        for line in path.read_bytes().splitlines(keepends=True):
            # The line that is being written may not be whole yet.
            price = DECODER.decode(line) if line.endswith(b"\n") else None
            if price is not None and price.source_seq > last_seq and from_ns <= price.ts_ns <= to_ns:
                yield price


def _content(data_dir: Path, fact: PriceSegmentClosed) -> bytes | None:
    path = _path(data_dir, fact)
    return path.read_bytes() if path.is_file() else None


def _path(data_dir: Path, fact: PriceSegmentClosed) -> Path:
    return data_dir / _FOLDER / fact.market / fact.file


def _finding(event: str, fact: PriceSegmentClosed, detail: str) -> Finding:
    return Finding(kind="damaged", place="file", app=_APP, event=event, detail=f"{fact.market}/{fact.file}: {detail}")
