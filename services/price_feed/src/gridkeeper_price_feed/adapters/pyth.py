"""Live prices of Pyth: server-sent events from Hermes for all markets, the stream opened again whenever it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx
import msgspec

from gridkeeper_core.units import NS_PER_S
from gridkeeper_price_feed.ports import Observation, Silence

STREAM_PATH = "/v2/updates/price/stream"
_DATA = "data:"
_SILENT_AFTER_S = 15.0
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_E6_DIGITS = 6


class _Price(msgspec.Struct):
    price: str
    conf: str
    expo: int
    publish_time: int


class _Update(msgspec.Struct):
    id: str
    price: _Price
    metadata: dict[str, Any] = {}


class _Message(msgspec.Struct):
    parsed: list[_Update] = []


class PythSource:
    """The newest prices of some feeds (id -> market) from one Hermes server."""

    def __init__(
        self, url: str, markets: Mapping[str, str], *, silent_after_s: float = _SILENT_AFTER_S, wait_s: float = 0
    ) -> None:
        self._url = url.rstrip("/") + STREAM_PATH
        self._markets = dict(markets)
        self._silent_after_s = silent_after_s
        self._first_wait_s = wait_s or _FIRST_WAIT_S
        self._decode: Callable[[str], _Message] = msgspec.json.Decoder(_Message).decode

    async def observations(self) -> AsyncIterator[Observation | Silence]:
        """For ever; between two connections a Silence with the reason."""
        wait_s = self._first_wait_s
        timeout = httpx.Timeout(10.0, read=self._silent_after_s)
        async with httpx.AsyncClient(timeout=timeout) as client:
            while True:
                try:
                    async for observation in self._connected(client):
                        wait_s = self._first_wait_s
                        yield observation
                    reason = "The stream ended."
                except httpx.HTTPStatusError as error:
                    reason = f"HTTP status {error.response.status_code}."
                except httpx.HTTPError as error:
                    reason = f"{type(error).__name__}: {error}"
                except msgspec.MsgspecError as error:
                    reason = f"The stream cannot be read: {error}"
                yield Silence(reason)
                await asyncio.sleep(wait_s)
                wait_s = min(_LONGEST_WAIT_S, wait_s * 2)

    async def _connected(self, client: httpx.AsyncClient) -> AsyncIterator[Observation]:
        params = {"ids[]": list(self._markets), "parsed": "true"}
        async with client.stream("GET", self._url, params=params, headers={"accept": "text/event-stream"}) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if not line.startswith(_DATA):
                    continue
                for update in self._decode(line.removeprefix(_DATA)).parsed:
                    market = self._markets.get(update.id.removeprefix("0x"))
                    if market is not None:
                        yield _observation(market, update)


def _observation(market: str, update: _Update) -> Observation:
    price = update.price
    try:
        oracle_e6, confidence_e6 = (_e6(int(text), price.expo) for text in (price.price, price.conf))
    except ValueError as error:
        raise msgspec.ValidationError(f"a price is no whole number: {error}") from error
    slot = update.metadata.get("slot")
    return Observation(
        market=market,
        ts_ns=price.publish_time * NS_PER_S,
        oracle_e6=oracle_e6,
        confidence_e6=confidence_e6,
        slot=slot if isinstance(slot, int) else None,
    )


def _e6(value: int, exponent: int) -> int:
    digits = exponent + _E6_DIGITS
    power: int = 10 ** abs(digits)
    return value * power if digits >= 0 else value // power
