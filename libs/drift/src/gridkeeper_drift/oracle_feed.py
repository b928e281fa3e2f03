"""Reads the oracles of some perp markets, with what their own makers bid and ask, all at one slot."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from gridkeeper_drift.codecs.oracles import vamm_quote
from gridkeeper_drift.opening import REQUESTS_PER_S, drift_venue


class OracleRead(NamedTuple):
    """One market's oracle: price and confidence (1e-6), its slot and how many slots ago that was.

    `bid_e6` and `ask_e6` are the vAMM's, 0 where it has none.
    """

    symbol: str
    price_e6: int
    confidence_e6: int
    slot: int
    age_slots: int
    bid_e6: int
    ask_e6: int


class OracleReader:
    """One endpoint (or two). To be used as an async context manager."""

    def __init__(
        self, rpc_url: str, symbols: Sequence[str], *, second_url: str = "", requests_per_s: int = REQUESTS_PER_S
    ) -> None:
        self._venue = drift_venue(rpc_url, (), second_url=second_url, requests_per_s=requests_per_s)
        self._symbols = tuple(symbols)
        self._indexes: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        await self._venue.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._venue.__aexit__(kind, error, trace)

    async def read(self) -> list[OracleRead]:
        """All of them now. Raises RpcUnreachableError, MARKET_UNKNOWN."""
        for symbol in self._symbols:
            if symbol not in self._indexes:
                self._indexes[symbol] = (await self._venue.read_market(symbol)).index
        found = await self._venue.poll()
        reads = []
        for symbol, index in self._indexes.items():
            market = found.markets[index]
            bid_e6, ask_e6 = vamm_quote(market.account)
            price = market.price
            age = max(0, found.slot - price.slot)
            reads.append(OracleRead(symbol, price.price_e6, price.confidence_e6, price.slot, age, bid_e6, ask_e6))
        return reads
