"""The price-feed's machine: when a source of prices begins and ends, and which files hold what it said."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gridkeeper_core.digest import digest_of
from gridkeeper_core.events import Fact, FeedLost, FeedStarted, PriceSegmentClosed
from gridkeeper_core.inputs import Input
from gridkeeper_core.machine import Draft
from gridkeeper_core.names import stream
from gridkeeper_core.record import Recorded

DIGEST_VERSION = 1
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


class SegmentFinished(msgspec.Struct, frozen=True, kw_only=True):
    """A file of prices is complete and durable."""

    now_ns: int
    segment: PriceSegmentClosed


FeedInput = SourceBegan | SourceEnded | SegmentFinished


@dataclass
class FeedState:
    """What is known of one market's feed.

    `base_seq` is the number before the source's first row: a source that takes over goes on with the numbers of the one
    before it, so no number ever means two prices. `closed_seq` is the last price of the last recorded segment.
    """

    source: str = ""
    is_running: bool = False
    base_seq: int = 0
    closed_seq: int = 0


class FeedMachine:
    """One per price-feed, for all its markets; a `gridkeeper_core.machine.Machine`. Time alone moves it nowhere."""

    def __init__(self) -> None:
        self._feeds: dict[str, FeedState] = {}

    def feed(self, market: str) -> FeedState:
        """The state of a market's feed."""
        return self._feeds.setdefault(market, FeedState())

    def base_seq(self, market: str, source: str, last_seq: int) -> int:
        """The number before the first row of a source that is about to begin, `last_seq` being the last one given."""
        feed = self.feed(market)
        return feed.base_seq if feed.source == source else last_seq

    def accept(self, item: Input | FeedInput) -> list[Draft]:
        """See `Machine.accept`; inputs of other services lead to nothing."""
        match item:
            case SourceBegan():
                return self._began(item)
            case SourceEnded():
                feed = self.feed(item.market)
                return [self._lost(item, item.reason, item.last_seq)] if feed.is_running else []
            case SegmentFinished():
                return self._finished(item)
            case _:
                return []

    def restore(self, event: Recorded) -> None:
        """See `Machine.restore`."""
        self._fold(event.fact)

    def next_wake_ns(self) -> int | None:
        """See `Machine.next_wake_ns`."""
        return None

    def digests(self) -> dict[str, str]:
        """See `Machine.digests`."""
        return {
            stream("prices", market): digest_of(
                DIGEST_VERSION,
                {
                    "base_seq": feed.base_seq,
                    "closed_seq": feed.closed_seq,
                    "is_running": feed.is_running,
                    "source": feed.source,
                },
            )
            for market, feed in self._feeds.items()
            if feed.source
        }

    def _began(self, item: SourceBegan) -> list[Draft]:
        started = FeedStarted(market=item.market, source=item.source, first_seq=item.first_seq)
        drafts = []
        if self.feed(item.market).is_running:
            drafts.append(self._lost(item, BROKEN_OFF, item.first_seq - 1))
        return [*drafts, self._draft(item.now_ns, f"source:{item.source}", item.market, started)]

    def _finished(self, item: SegmentFinished) -> list[Draft]:
        segment = item.segment
        if segment.last_seq <= self.feed(segment.market).closed_seq:
            return []
        return [self._draft(item.now_ns, f"price:{segment.market}:{segment.last_seq}", segment.market, segment)]

    def _lost(self, item: SourceBegan | SourceEnded, reason: str, last_seq: int) -> Draft:
        source = self.feed(item.market).source
        lost = FeedLost(market=item.market, source=source, reason=reason, last_seq=last_seq)
        return self._draft(item.now_ns, f"source:{source}", item.market, lost)

    def _draft(self, now_ns: int, cause: str, market: str, fact: Fact) -> Draft:
        self._fold(fact)
        return Draft(stream=stream("prices", market), ts_ns=now_ns, cause=cause, thread="", fact=fact)

    def _fold(self, fact: Fact) -> None:
        match fact:
            case FeedStarted():
                feed = self.feed(fact.market)
                if feed.source != fact.source:
                    feed.base_seq = fact.first_seq - 1
                feed.source, feed.is_running = fact.source, True
            case FeedLost():
                self.feed(fact.market).is_running = False
            case PriceSegmentClosed():
                self.feed(fact.market).closed_seq = fact.last_seq
