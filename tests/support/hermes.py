"""A local Hermes: server-sent events of Pyth's prices, as a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web

SOL_ID = "ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d"


class Hermes:
    """`say` sends to every open stream; `drop` ends them; `refuse` is the status of new requests where not 200."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[list[str]] = []
        self.refuse = 200
        self._streams: set[asyncio.Queue[str | None]] = set()

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    def say(
        self, price: int, publish_time: int, *, conf: int = 1_000_000, expo: int = -8, feed_id: str = SOL_ID
    ) -> None:
        """One update, in Pyth's own integers."""
        told = {"price": str(price), "conf": str(conf), "expo": expo, "publish_time": publish_time}
        metadata = {"slot": 77, "proof_available_time": publish_time, "prev_publish_time": publish_time}
        parsed = [{"id": feed_id, "price": told, "ema_price": told, "metadata": metadata}]
        self.say_raw("data:" + json.dumps({"binary": {"encoding": "hex", "data": ["00"]}, "parsed": parsed}))

    def say_raw(self, line: str) -> None:
        """One line of the stream, whatever it is."""
        for stream in self._streams:
            stream.put_nowait(line)

    def drop(self) -> None:
        """Ends every stream."""
        for stream in self._streams:
            stream.put_nowait(None)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One stream."""
        self.asked.append(request.query.getall("ids[]", []))
        if self.refuse != 200:
            return web.Response(status=self.refuse, text="not now")
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._streams.add(queue)
        try:
            while (line := await queue.get()) is not None:
                with suppress(ConnectionError):
                    await response.write(f"{line}\n\n".encode())
        finally:
            self._streams.discard(queue)
        return response


@asynccontextmanager
async def hermes() -> AsyncIterator[Hermes]:
    """Runs on a free port of this machine."""
    server = Hermes()
    application = web.Application()
    application.router.add_get("/v2/updates/price/stream", server.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        server.drop()
        await runner.cleanup()
