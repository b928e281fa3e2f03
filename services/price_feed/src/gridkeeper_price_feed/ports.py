"""What the price-feed needs of the world around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from gridkeeper_core.events import PriceSegmentClosed
from gridkeeper_core.prices.machine import FeedInput
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import MarketTaken, Quiet


class PriceBus(Protocol):
    """Where prices go out; a price sent again has no effect."""

    async def publish_prices(self, prices: Sequence[Price]) -> None:
        """Send prices in this order and wait until all are kept. Raises GridkeeperError STORE_LOST."""


class Neighbours(Protocol):
    """The services a tape in lockstep waits for, and the sandbox it drives."""

    async def announce_clock(self, now_ns: int) -> None:
        """Tell everybody the time of the tape."""

    async def quiet(self) -> list[Quiet]:
        """One round of answers, always in the same order. Raises GridkeeperError SERVICE_SILENT."""

    async def poll_chain(self) -> None:
        """Let execution send what it signed and take what the chain did. Raises GridkeeperError SERVICE_SILENT."""

    async def take_rows(self, market: str, now_ns: int, rows: Sequence[Price]) -> MarketTaken:
        """Let the sandbox trade these rows. Raises GridkeeperError SERVICE_SILENT."""


class Facts(Protocol):
    """The price-feed's own event log."""

    async def submit(self, item: FeedInput) -> None:
        """Take one input; returns when what it led to is committed."""

    def base_seq(self, market: str, source: str, last_seq: int) -> int:
        """See `FeedMachine.base_seq`."""


class Place(NamedTuple):
    """Where a source stands in a market's numbers: the last one given, and the one before the source's first row."""

    last_seq: int
    base_seq: int

    @property
    def row(self) -> int:
        """How many rows of the source went out."""
        return self.last_seq - self.base_seq


class Source(Protocol):
    """Prices of one or more markets, in order of time."""

    def prices(self, places: Mapping[str, Place]) -> AsyncIterator[Price]:
        """The prices of each market after its place, each when its time has come."""


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What a live source says of a market: the price of `ts_ns` (UTC), how sure, and the vAMM's where it knows it."""

    market: str
    ts_ns: int
    oracle_e6: int
    confidence_e6: int
    slot: int | None = None
    bid_e6: int | None = None
    ask_e6: int | None = None


class Silence(NamedTuple):
    """A live source has nothing to say now."""

    reason: str


class LiveSource(Protocol):
    """A source that goes by the host's clock and cannot be asked for what is past."""

    def observations(self) -> AsyncIterator[Observation | Silence]:
        """What it says, as it comes, for ever."""


class PriceRecord(Protocol):
    """The files that hold every published price of one market."""

    @property
    def last(self) -> Price | None:
        """The last price written, also before a restart."""

    @property
    def last_seq(self) -> int:
        """The `source_seq` of the last price written, 0 for none."""

    def recover(self) -> list[PriceSegmentClosed]:
        """Take up what an earlier process left; the segments whose closing nobody has recorded."""

    def append(self, prices: Sequence[Price]) -> list[PriceSegmentClosed]:
        """Write prices down; the segments that were closed because their hour is over."""

    def close(self) -> list[PriceSegmentClosed]:
        """Close the segment under way."""
