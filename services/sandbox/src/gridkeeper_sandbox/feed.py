"""The side of NATS: the clock of a tape, rows of the market, prices of a running feed, and whether all is at rest."""

from __future__ import annotations

import msgspec

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.prices import subscribe_clock, subscribe_prices
from gridkeeper_bus.requests import RequestServer
from gridkeeper_core.quiet import MarketRows, market_subject, quiet_subject
from gridkeeper_sandbox.config import SERVICE, SandboxSettings
from gridkeeper_sandbox.sandbox import Sandbox

_VERSION = "0.1.0"


async def serve_feed(bus: Bus, sandbox: Sandbox, settings: SandboxSettings) -> RequestServer:
    """Answers and listens from now on; to be stopped in the end.

    In lockstep rows come by request only, so that each is traded before its price is published.
    """
    rows_decoder = msgspec.json.Decoder(MarketRows)
    encoder = msgspec.json.Encoder()

    async def on_rows(subject: str, body: bytes) -> bytes:
        request = rows_decoder.decode(body)
        symbol = subject.removeprefix(market_subject(""))
        return encoder.encode(sandbox.take_rows(symbol, request.now_ns, request.rows))

    async def on_quiet(_subject: str, _body: bytes) -> bytes:
        return encoder.encode(sandbox.quiet())

    if settings.follows_tape:
        await subscribe_clock(bus, sandbox.move_clock)
    if not settings.lockstep:
        await subscribe_prices(bus, sandbox.take_price)
    server = RequestServer(bus, name=f"{SERVICE}-{settings.shard}", version=_VERSION)
    await server.serve(market_subject("*"), on_rows)
    await server.serve(quiet_subject(settings.shard, SERVICE), on_quiet)
    return server
