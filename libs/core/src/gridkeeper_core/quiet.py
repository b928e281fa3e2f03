"""What a service says of itself when it is asked whether it has come to rest, and what a sandbox takes and answers.

Asked on `query.<shard>.<service>.quiet` (empty body), answered in JSON. Rows of a tape go to the sandbox on
`market.<symbol>`.
"""

from __future__ import annotations

import msgspec

from gridkeeper_core.names import query_subject
from gridkeeper_core.prices.price import Price

TAPE_RUN_SUBJECT = "tape.run"
"""Request that lets a tape that is held go on; see `TapeRun`."""
QUIET = "quiet"
PRICE_MAX_E6 = (1 << 63) - 1
"""The upper end of a band that has none."""


class Band(msgspec.Struct, frozen=True, array_like=True):
    """Prices strictly between both ends lead to nothing: `[low_e6, high_e6]`; without an end, 0 and `PRICE_MAX_E6`."""

    low_e6: int
    high_e6: int

    def holds(self, price_e6: int) -> bool:
        """Whether the price lies strictly inside."""
        return self.low_e6 < price_e6 < self.high_e6


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """A service at one instant.

    `now_ns` is the clock it last heard of. `app` names its event log (empty: it has none), `head_id` is the newest id
    in it, `published_id` the newest the outbox has published. `positions`: producer app -> id of its last event that
    was taken *and committed*, one entry for each producer it reads (0 before the first). `price_seq`: market ->
    `source_seq` of the last price taken (passed over counts as taken). `busy`: an input is being handled or a commit is
    under way. `in_flight`: transactions whose outcome execution does not know yet.

    `next_wake_ns` is its earliest deadline; None when it has none. `band`: market -> the band in which prices lead to
    nothing; a market that is not named is one whose price leads to nothing anywhere; None says that every price may.
    The sandbox's band lies between its best resting bid and ask, and its deadline is the next `max_ts`.
    """

    service: str
    now_ns: int
    app: str = ""
    head_id: int = 0
    published_id: int = 0
    positions: dict[str, int] = {}
    price_seq: dict[str, int] = {}
    busy: bool = False
    in_flight: int = 0
    next_wake_ns: int | None = None
    band: dict[str, Band] | None = None


class TapeRun(msgspec.Struct, frozen=True):
    """Body of a `tape.run` request: how many rows more may pass; None lets the tape run to its end."""

    rows: int | None = None


class TapeState(msgspec.Struct, frozen=True):
    """The answer to `tape.run`: where the tape is now. `is_held`: it waits for leave (or, at its end, for nothing)."""

    now_ns: int
    rows_out: int
    is_held: bool
    is_over: bool


class MarketRows(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a `market.<symbol>` request: trades in the order of the tape.

    Those with a `source_seq` not above the last one taken were taken before and are passed over, so that a request may
    be sent again.
    """

    now_ns: int
    rows: tuple[Price, ...]


class MarketTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The sandbox's answer: the last `source_seq` taken, and how many records (fills, triggers …) these rows led to."""

    last_seq: int
    records: int


def market_subject(symbol: str) -> str:
    """Where the sandbox takes the rows of a market."""
    return f"market.{symbol}"


def quiet_subject(shard: int, service: str) -> str:
    """Where a service is asked."""
    return query_subject(shard, service, QUIET)
