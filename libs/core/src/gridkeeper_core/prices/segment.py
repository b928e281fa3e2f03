"""Checks a closed price segment against the fact that says what is in it, and reads its prices."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable

import msgspec

from gridkeeper_core.events import PriceSegmentClosed
from gridkeeper_core.prices.price import DECODER, Price


def segment_trouble(fact: PriceSegmentClosed, content: bytes | None) -> str:
    """What is wrong with a segment's file (None: there is none); empty when it is what was recorded."""
    if content is None:
        return "The file is missing."
    if hashlib.sha256(content).hexdigest() != fact.sha256:
        return "Its bytes are not those that were recorded."
    prices = segment_prices(content)
    seqs = [price.source_seq for price in prices]
    if seqs != list(range(fact.first_seq, fact.last_seq + 1)) or len(seqs) != fact.count:
        return f"It does not hold the prices {fact.first_seq} to {fact.last_seq}, each once."
    strangers = {price.market for price in prices} - {fact.market}
    return f"It holds prices of {', '.join(sorted(strangers))}." if strangers else ""


def segment_prices(content: bytes) -> list[Price]:
    """The prices of a closed file. Raises ValueError when it cannot be read."""
    try:
        return [DECODER.decode(line) for line in gzip.decompress(content).splitlines()]
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(f"the segment cannot be read: {error}") from error


def segment_gaps(facts: Iterable[PriceSegmentClosed]) -> list[tuple[PriceSegmentClosed, int]]:
    """Segments of one market that do not begin where the one before ended, each with the number expected."""
    gaps, expected = [], 0
    for fact in facts:
        if expected and fact.first_seq != expected:
            gaps.append((fact, expected))
        expected = fact.last_seq + 1
    return gaps
