"""Live prices of the oracle accounts that Drift itself uses, read over RPC at a steady pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import NS_PER_MS
from gridkeeper_drift.oracle_feed import OracleRead, OracleReader
from gridkeeper_price_feed.ports import Observation, Silence

NS_PER_SLOT = 400 * NS_PER_MS
_LONGEST_WAIT_S = 30.0


class DriftOracleSource:
    """The oracles of some markets behind one endpoint (or two), every `poll_s` seconds."""

    def __init__(
        self,
        rpc_url: str,
        markets: Sequence[str],
        *,
        second_url: str,
        requests_per_s: int,
        poll_s: float,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._reader = OracleReader(rpc_url, markets, second_url=second_url, requests_per_s=requests_per_s)
        self._poll_s = poll_s
        self._clock = clock

    async def observations(self) -> AsyncIterator[Observation | Silence]:
        """For ever; while the endpoint is away a Silence with the reason, and longer pauses."""
        wait_s = self._poll_s
        async with self._reader:
            while True:
                try:
                    reads = await self._reader.read()
                except GridkeeperError as error:
                    wait_s = min(_LONGEST_WAIT_S, wait_s * 2)
                    yield Silence(str(error))
                else:
                    wait_s = self._poll_s
                    for read in reads:
                        yield self._observation(read)
                await asyncio.sleep(wait_s)

    def _observation(self, read: OracleRead) -> Observation:
        return Observation(
            market=read.symbol,
            # The chain says slots, not times: a slot takes 0.4 s.
            ts_ns=self._clock() - read.age_slots * NS_PER_SLOT,
            oracle_e6=read.price_e6,
            confidence_e6=read.confidence_e6,
            slot=read.slot,
            bid_e6=read.bid_e6 or None,
            ask_e6=read.ask_e6 or None,
        )
