"""The price-feed's machine: when a source of prices begins, ends or falls silent, and which files hold what it said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from gridkeeper_core.digest import digest_of
from gridkeeper_core.events import Fact, FeedLost, FeedStarted, PriceSegmentClosed
from gridkeeper_core.inputs import Input, Wake
from gridkeeper_core.machine import Draft
from gridkeeper_core.names import stream
from gridkeeper_core.record import Recorded

DIGEST_VERSION = 1
SILENT = "silent"
BROKEN_OFF = "ended without notice"


class SourceBegan(msgspec.Struct, frozen=True, kw_only=True):
    """A source was opened; the next price will be `first_seq`."""

    now_ns: int
    market: str
    source: str
    first_seq: int


class SourceEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A source has no more prices, or is closed."""

    now_ns: int
    market: str
    reason: str
    last_seq: int


class PricePublished(msgspec.Struct, frozen=True, kw_only=True):
    """A price went out."""

    now_ns: int
    market: str
    seq: int


class SegmentFinished(msgspec.Struct, frozen=True, kw_only=True):
    """A file of prices is complete and durable."""

    now_ns: int
    segment: PriceSegmentClosed


FeedInput = SourceBegan | SourceEnded | PricePublished | SegmentFinished


@dataclass
class FeedState:
    """What is known of one market's feed; `spoke_ns` and `last_seq` are the price last seen and belong to no digest."""

    source: str = ""
    is_running: bool = False
    closed_seq: int = 0
    last_seq: int = 0
    spoke_ns: int = 0


class FeedMachine:
    """One per price-feed, for all its markets; a `gridkeeper_core.machine.Machine`.

    `silent_after_ns`: market -> how long its source may say nothing before it counts as lost; a tape has no entry.
    """

    def __init__(self, silent_after_ns: Mapping[str, int] | None = None) -> None:
        self._silent_after_ns = dict(silent_after_ns or {})
        self._feeds: dict[str, FeedState] = {}

    def feed(self, market: str) -> FeedState:
        """The state of a market's feed."""
        return self._feeds.setdefault(market, FeedState())

    def accept(self, item: Input | FeedInput) -> list[Draft]:
        """See `Machine.accept`; inputs of other services lead to nothing."""
        match item:
            case SourceBegan():
                return self._began(item)
            case SourceEnded():
                feed = self.feed(item.market)
                return [self._lost(item, item.market, item.reason, item.last_seq)] if feed.is_running else []
            case PricePublished():
                return self._published(item)
            case SegmentFinished():
                return self._finished(item)
            case Wake():
                return [
                    self._lost(item, market, SILENT, self.feed(market).last_seq)
                    for market, deadline in sorted(self._deadlines().items())
                    if deadline <= item.now_ns
                ]
            case _:
                return []

    def restore(self, event: Recorded) -> None:
        """See `Machine.restore`."""
        self._fold(event.fact, event.ts_ns)

    def next_wake_ns(self) -> int | None:
        """When the first running source has been silent for too long."""
        return min(self._deadlines().values(), default=None)

    def digests(self) -> dict[str, str]:
        """See `Machine.digests`."""
        return {
            stream("prices", market): digest_of(
                DIGEST_VERSION,
                {"closed_seq": feed.closed_seq, "is_running": feed.is_running, "source": feed.source},
            )
            for market, feed in self._feeds.items()
        }

    def _began(self, item: SourceBegan) -> list[Draft]:
        started = FeedStarted(market=item.market, source=item.source, first_seq=item.first_seq)
        drafts = []
        if self.feed(item.market).is_running:
            drafts.append(self._lost(item, item.market, BROKEN_OFF, item.first_seq - 1))
        return [*drafts, self._draft(item.now_ns, f"source:{item.source}", item.market, started)]

    def _published(self, item: PricePublished) -> list[Draft]:
        feed = self.feed(item.market)
        feed.spoke_ns, feed.last_seq = item.now_ns, item.seq
        if feed.is_running:
            return []
        again = FeedStarted(market=item.market, source=feed.source, first_seq=item.seq)
        return [self._draft(item.now_ns, f"price:{item.market}:{item.seq}", item.market, again)]

    def _finished(self, item: SegmentFinished) -> list[Draft]:
        segment = item.segment
        if segment.last_seq <= self.feed(segment.market).closed_seq:
            return []
        return [self._draft(item.now_ns, f"price:{segment.market}:{segment.last_seq}", segment.market, segment)]

    def _lost(self, item: SourceBegan | SourceEnded | Wake, market: str, reason: str, last_seq: int) -> Draft:
        source = self.feed(market).source
        cause = f"wake:{item.now_ns}" if isinstance(item, Wake) else f"source:{source}"
        return self._draft(
            item.now_ns, cause, market, FeedLost(market=market, source=source, reason=reason, last_seq=last_seq)
        )

    def _draft(self, now_ns: int, cause: str, market: str, fact: Fact) -> Draft:
        self._fold(fact, now_ns)
        return Draft(stream=stream("prices", market), ts_ns=now_ns, cause=cause, thread="", fact=fact)

    def _fold(self, fact: Fact, ts_ns: int) -> None:
        match fact:
            case FeedStarted():
                feed = self.feed(fact.market)
                feed.source, feed.is_running = fact.source, True
                feed.spoke_ns, feed.last_seq = ts_ns, fact.first_seq - 1
            case FeedLost():
                self.feed(fact.market).is_running = False
            case PriceSegmentClosed():
                self.feed(fact.market).closed_seq = fact.last_seq

    def _deadlines(self) -> dict[str, int]:
        return {
            market: feed.spoke_ns + self._silent_after_ns[market]
            for market, feed in self._feeds.items()
            if feed.is_running and market in self._silent_after_ns
        }
