"""Facts about sources of prices, written by price-feed."""

from __future__ import annotations

from gridkeeper_core.events.base import Fact


class FeedStarted(Fact, frozen=True, kw_only=True, tag_field="topic", tag="feed.started.v1"):
    """A source of prices began at `first_seq`."""

    market: str
    source: str
    first_seq: int


class FeedLost(Fact, frozen=True, kw_only=True, tag_field="topic", tag="feed.lost.v1"):
    """A source of prices ended or fell silent; no prices until the next FeedStarted."""

    market: str
    source: str
    reason: str
    last_seq: int


class PriceSegmentClosed(Fact, frozen=True, kw_only=True, tag_field="topic", tag="prices.segment_closed.v1"):
    """A file holds the prices `first_seq` to `last_seq`, none missing; `sha256` is over the file's bytes."""

    market: str
    file: str
    first_seq: int
    last_seq: int
    count: int
    sha256: str
