"""A price as a feed publishes it."""

from __future__ import annotations

import msgspec


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """One observation of a market's oracle price, as published on PX.

    `source_seq` counts the source's observations from 1 and is part of a decision's cause. Unknown is null, never 0.
    `bid_e6`/`ask_e6` are the vAMM's, where the source knows them. `size_e9` and `side` (+1 buyer aggressor, -1 seller)
    describe the trade behind a recorded row; `ts_ns` is UTC. `good_for_ns` is how long the source lets pass between two
    prices at most: a price younger than that is never stale (a recorded bar has no price every second).
    """

    market: str
    source: str
    source_seq: int
    ts_ns: int
    oracle_e6: int
    confidence_e6: int | None = None
    slot: int | None = None
    bid_e6: int | None = None
    ask_e6: int | None = None
    size_e9: int | None = None
    side: int | None = None
    good_for_ns: int = 0


def price_cause(price: Price) -> str:
    """How a decision names the price it was made on."""
    return f"price:{price.market}:{price.source_seq}"


ENCODER = msgspec.json.Encoder()
DECODER = msgspec.json.Decoder(Price)
