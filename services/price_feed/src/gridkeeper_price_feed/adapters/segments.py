"""Writes every published price of a market to hourly files, and finds out after a crash which was the last one."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import PriceSegmentClosed
from gridkeeper_core.prices.price import DECODER, ENCODER, Price
from gridkeeper_core.prices.segment import segment_prices
from gridkeeper_core.units import NS_PER_S
from gridkeeper_runtime.files import sync_directory

_OPEN = ".jsonl"
_CLOSED = ".jsonl.gz"
_HOUR_NS = 3600 * NS_PER_S


class SegmentFiles:
    """The files of one market, in one folder: `<hour>-<first_seq>.jsonl` while open, `….jsonl.gz` when closed.

    A price is with the operating system when `append` returns, so it outlives the process; a file outlives a power cut
    once it is closed. `closed_seq` is the last one of a file whose closing is recorded as a fact.
    """

    def __init__(self, folder: Path, market: str, *, closed_seq: int) -> None:
        self._folder = folder / market
        self._market = market
        self._closed_seq = closed_seq
        self._file: BinaryIO | None = None
        self._path = self._folder
        self._hour = -1
        self._first_seq = 0
        self._last: Price | None = None

    @property
    def last(self) -> Price | None:
        """The last price written, also before a restart."""
        return self._last

    @property
    def last_seq(self) -> int:
        """The `source_seq` of the last price written, 0 for none."""
        return self._closed_seq if self._last is None else self._last.source_seq

    def recover(self) -> list[PriceSegmentClosed]:
        """Take up what an earlier process left; the segments whose closing nobody has recorded.

        A line that was torn by the crash was never published and is cut off. Raises GridkeeperError BAD_DATA for a file
        that is damaged in any other way. To be called once, before the first `append`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        unrecorded = []
        for path in sorted(self._folder.glob("*" + _OPEN), key=_first_seq_of):
            packed = path.with_name(path.name + ".gz")
            packed.unlink(missing_ok=True)
            prices = _whole_lines(path)
            if prices:
                unrecorded.append(self._pack(path, prices[0].source_seq, prices[-1].source_seq))
            path.unlink(missing_ok=True)
        known = {segment.file for segment in unrecorded}
        closed = sorted(self._folder.glob("*" + _CLOSED), key=_first_seq_of)
        new = [path for path in closed if _first_seq_of(path) > self._closed_seq and path.name not in known]
        unrecorded += [self._described(path) for path in new]
        if closed:
            self._last = _read_closed(closed[-1])[-1]
        return sorted(unrecorded, key=lambda segment: segment.first_seq)

    def append(self, prices: Sequence[Price]) -> list[PriceSegmentClosed]:
        """See `PriceRecord.append`."""
        closed = []
        for price in prices:
            hour = price.ts_ns // _HOUR_NS
            if self._file is not None and hour != self._hour:
                closed += self.close()
            if self._file is None:
                self._begin(hour, price.source_seq)
            assert self._file is not None
            self._file.write(ENCODER.encode(price) + b"\n")
            self._last = price
        if self._file is not None:
            self._file.flush()
        return closed

    def close(self) -> list[PriceSegmentClosed]:
        """See `PriceRecord.close`."""
        if self._file is None:
            return []
        self._file.close()
        self._file = None
        segment = self._pack(self._path, self._first_seq, self.last_seq)
        self._path.unlink()
        self._closed_seq = segment.last_seq
        return [segment]

    def _begin(self, hour: int, first_seq: int) -> None:
        begins = datetime.fromtimestamp(hour * 3600, UTC)
        self._path = self._folder / f"{begins:%Y-%m-%dT%H}-{first_seq}{_OPEN}"
        self._file = self._path.open("xb")
        self._hour, self._first_seq = hour, first_seq

    def _pack(self, path: Path, first_seq: int, last_seq: int) -> PriceSegmentClosed:
        """Compress into the closed file; without time or name in its header, so equal prices give equal bytes."""
        packed = path.with_name(path.name + ".gz")
        content = gzip.compress(path.read_bytes(), compresslevel=6, mtime=0)
        with packed.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        sync_directory(self._folder)
        return self._segment(packed, first_seq, last_seq, content)

    def _described(self, packed: Path) -> PriceSegmentClosed:
        prices = _read_closed(packed)
        return self._segment(packed, prices[0].source_seq, prices[-1].source_seq, packed.read_bytes())

    def _segment(self, packed: Path, first_seq: int, last_seq: int, content: bytes) -> PriceSegmentClosed:
        return PriceSegmentClosed(
            market=self._market,
            file=packed.name,
            first_seq=first_seq,
            last_seq=last_seq,
            count=last_seq - first_seq + 1,
            sha256=hashlib.sha256(content).hexdigest(),
        )


def _read_closed(path: Path) -> list[Price]:
    try:
        return segment_prices(path.read_bytes())
    except (OSError, ValueError) as error:
        raise GridkeeperError("BAD_DATA", field=str(path), detail=str(error)) from error


def _whole_lines(path: Path) -> list[Price]:
    """The prices of a file that a crash left open; what follows the last line end is cut off."""
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    return _decoded(whole, path)


def _decoded(content: bytes, path: Path) -> list[Price]:
    try:
        return [DECODER.decode(line) for line in content.splitlines()]
    except msgspec.DecodeError as error:
        raise GridkeeperError("BAD_DATA", field=str(path), detail=str(error)) from error


def _first_seq_of(path: Path) -> int:
    return int(path.name.partition(".")[0].rpartition("-")[2])
