"""A sandbox without a socket: adapters speak to it through httpx, on simulated time, with any fault of a scenario."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
from solders.keypair import Keypair

from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import MarketTaken
from gridkeeper_core.units import NS_PER_S
from gridkeeper_sandbox.config import SandboxSettings
from gridkeeper_sandbox.endpoint import Endpoint
from gridkeeper_sandbox.faults import Fault, Scenario
from gridkeeper_sandbox.sandbox import Sandbox
from support.chain_client import START_NS, account_parts, sign
from support.simulated_time import now_s

URL = "http://sandbox"
SECOND_URL = "http://second"
"""The same chain through an endpoint that meets no faults of the scenario."""
LATENCY_S = 0.01


class InMemorySandbox:
    """A chain whose clock is START_NS plus the running loop's time. Use inside `run_simulated`."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        values = {"state_dir": folder, "sync": False, "confirmed_slots": 2, **settings}
        self.settings = SandboxSettings(**values)
        self.sandbox = Sandbox(self.settings, self.now_ns)
        self.transport = InMemoryTransport(Endpoint(self.sandbox))
        self._seq = 0

    def now_ns(self) -> int:
        """The host's clock of this chain."""
        return START_NS + int(now_s() * NS_PER_S)

    def fail(self, *faults: Fault, seed: int = 0) -> None:
        """These faults from now on; none: they end."""
        self.sandbox.tick()
        self.sandbox.set_faults(Scenario(seed=seed, fault=faults))

    def price(self, usd: float, symbol: str = "SOL-PERP") -> MarketTaken:
        """One row of the market at the present time, which keepers act on at once."""
        self._seq += 1
        self.sandbox.tick()
        now_ns = self.sandbox.now_ns
        row = Price(market=symbol, source="test", source_seq=self._seq, ts_ns=now_ns, oracle_e6=round(usd * 10**6))
        return self.sandbox.take_rows(symbol, now_ns, (row,))

    def open_account(self, keypair: Keypair, deposit_e6: int = 10_000 * 10**6) -> None:
        """Funds a wallet and makes its first sub-account, which is final at once."""
        wallet = keypair.pubkey()
        self.sandbox.fund(wallet, 10**10, 2 * deposit_e6)
        parts = account_parts(wallet, deposit_e6)
        blockhash, _ = self.sandbox.chain.blockhash(self.sandbox.now_ns)
        refused = self.sandbox.submit(sign(keypair, parts, blockhash), preflight=True)
        assert refused == (None, None), refused
        self.sandbox.fund(wallet, 0, 0)

    def close(self) -> None:
        """Lets go of the folder."""
        self.sandbox.close()


class InMemoryTransport(httpx.AsyncBaseTransport):
    """Carries requests to an endpoint in the same process; time-outs count on the loop's clock.

    `asked` keeps (seconds, method) of each request, `down` refuses every connection. `answering_s` is what the endpoint
    has really worked, and `on_request` hears of each method as it arrives.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.asked: list[tuple[float, str]] = []
        self.down = False
        self.answering_s = 0.0
        self.on_request: Callable[[str], None] = lambda _: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request: it reaches the endpoint after half the latency, its answer comes after the other half."""
        await asyncio.sleep(LATENCY_S / 2)
        if self.down:
            raise httpx.ConnectError("connection refused", request=request)
        body = await request.aread()
        method = _method(body)
        self.on_request(method)
        self.asked.append((now_s(), method))
        is_second = str(request.url).startswith(SECOND_URL)
        began_s = time.perf_counter()
        reply = self._endpoint.answer(body) if is_second else self._endpoint.handle(body)
        self.answering_s += time.perf_counter() - began_s
        await self._wait(request, LATENCY_S / 2 + reply.delay_ns / NS_PER_S)
        if reply.body is None:
            raise httpx.RemoteProtocolError("server disconnected without sending a response", request=request)
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body, request=request)

    async def _wait(self, request: httpx.Request, wait_s: float) -> None:
        limit_s = request.extensions.get("timeout", {}).get("read")
        if limit_s is not None and wait_s > limit_s:
            await asyncio.sleep(limit_s)
            raise httpx.ReadTimeout("timed out", request=request)
        await asyncio.sleep(wait_s)


def _method(body: bytes) -> str:
    decoded = msgspec.json.decode(body)
    return ",".join(item["method"] for item in (decoded if isinstance(decoded, list) else [decoded]))
