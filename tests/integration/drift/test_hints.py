"""Notices over a websocket bring the next look forward, and a broken connection is opened again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from gridkeeper_drift.hints import AccountHints, websocket_url

WITHIN_S = 10.0


class Notifier:
    """A websocket that says what a test tells it to."""

    def __init__(self) -> None:
        self.rpc_url = ""
        self.subscribed: list[str] = []
        self.connections = 0
        self._open: list[web.WebSocketResponse] = []

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        self._open.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                asked = json.loads(message.data)
                self.subscribed.append(asked["params"][0])
                await socket.send_json({"jsonrpc": "2.0", "id": asked["id"], "result": 7})
        return socket

    async def say(self, body: Any) -> None:
        for socket in self._open:
            await socket.send_str(body if isinstance(body, str) else json.dumps(body))

    async def drop(self) -> None:
        for socket in self._open:
            await socket.close()
        self._open.clear()


@asynccontextmanager
async def notifying() -> AsyncIterator[Notifier]:
    notifier = Notifier()
    application = web.Application()
    application.router.add_get("/", notifier.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    notifier.rpc_url = f"http://{host}:{port - 1}/"
    try:
        yield notifier
    finally:
        await runner.cleanup()


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not what():  # noqa: ASYNC110  # the server tells nobody
            await asyncio.sleep(0.02)


async def test_a_notice_is_a_hint_and_so_is_a_connection_that_broke() -> None:
    hinted: list[int] = []
    async with notifying() as server:
        hints = AccountHints(server.rpc_url, ["A", "B"], lambda: hinted.append(1), first_wait_s=0.05)
        task = asyncio.create_task(hints.run())
        try:
            await until(lambda: server.subscribed == ["A", "B"])
            assert len(hinted) == 1
            await server.say({"jsonrpc": "2.0", "method": "accountNotification", "params": {"subscription": 7}})
            await until(lambda: len(hinted) == 2)
            await server.drop()
            await until(lambda: server.connections == 2)
            await until(lambda: len(hinted) == 3)
            await server.say("<html>")
            await until(lambda: server.connections == 3)
            assert hints.notices == 1
        finally:
            task.cancel()


async def test_where_there_is_no_websocket_it_tries_on_in_silence() -> None:
    hinted: list[int] = []
    task = asyncio.create_task(
        AccountHints("http://127.0.0.1:9", ["A"], lambda: hinted.append(1), first_wait_s=0.01).run()
    )
    await asyncio.sleep(0.2)
    assert not task.done()
    assert hinted == []
    task.cancel()


@pytest.mark.parametrize(
    ("rpc", "socket"),
    [
        ("http://127.0.0.1:8899", "ws://127.0.0.1:8900"),
        ("https://rpc.example.org/key", "wss://rpc.example.org/key"),
        ("https://rpc.example.org:443/?token=x", "wss://rpc.example.org:444/?token=x"),
    ],
)
def test_the_websocket_is_on_the_next_port_where_one_is_named(rpc: str, socket: str) -> None:
    assert websocket_url(rpc) == socket
