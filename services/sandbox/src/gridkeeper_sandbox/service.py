"""Puts the sandbox together: the two sockets, the clock that turns, and the feed where there is one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.permissions import inbox_of
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import NS_PER_S
from gridkeeper_runtime.health import Health
from gridkeeper_runtime.logs import Logger
from gridkeeper_sandbox.config import SERVICE, SandboxSettings
from gridkeeper_sandbox.endpoint import Endpoint
from gridkeeper_sandbox.feed import serve_feed
from gridkeeper_sandbox.sandbox import Sandbox
from gridkeeper_sandbox.websocket import Hub

_TURN_S = 0.2
_BODY_BYTES_MAX = 10 * 1024 * 1024


async def run(settings: SandboxSettings, stop: asyncio.Event) -> None:
    """Serves until `stop` is set. Raises GridkeeperError: PORT_IN_USE, STORE_LOST, DATA_DIR_LOCKED …"""
    async with AsyncExitStack() as stack:
        sandbox = Sandbox(settings, time.time_ns)
        stack.callback(sandbox.close)
        hub = Hub(sandbox)
        sandbox.listeners.append(hub.publish)
        bus: Bus | None = None
        if settings.nats_url:
            bus = await connect(
                settings.nats_url, SERVICE, nkey_seed=settings.nats_nkey, inbox_prefix=inbox_of(SERVICE)
            )
            stack.push_async_callback(bus.close)
            server = await serve_feed(bus, sandbox, settings)
            stack.push_async_callback(server.stop)
        await stack.enter_async_context(_serving(settings, sandbox, hub))
        health = Health(lambda: _unready(bus), host=settings.health_host, port=settings.health_port)
        stack.enter_context(health)
        Logger(SERVICE).info("The sandbox is ready.", port=settings.port, health_port=health.port, slot=sandbox.slot())
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(health.keep_beating()), tasks.create_task(_turn(sandbox, hub))]
            if bus is not None:
                running.append(tasks.create_task(bus.watch()))
            await stop.wait()
            for task in running:
                task.cancel()


@asynccontextmanager
async def _serving(settings: SandboxSettings, sandbox: Sandbox, hub: Hub) -> AsyncIterator[None]:
    """JSON-RPC on the port, websockets on the next one, which is where clients look for them."""
    endpoint = Endpoint(sandbox)

    async def on_post(request: web.Request) -> web.Response:
        reply = endpoint.handle(await request.read())
        await asyncio.sleep(reply.delay_ns / NS_PER_S)
        if reply.body is None and request.transport is not None:
            request.transport.abort()
        return web.Response(status=reply.status or 500, body=reply.body, headers=reply.headers)

    async def on_health(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    http, sockets = web.Application(client_max_size=_BODY_BYTES_MAX), web.Application()
    http.add_routes([web.post("/", on_post), web.get("/health", on_health)])
    sockets.add_routes([web.get("/", hub.serve)])
    async with AsyncExitStack() as stack:
        for app, port in ((http, settings.port), (sockets, settings.port + 1)):
            # driftpy says that its plain bodies are compressed, so nobody may believe it.
            runner = web.AppRunner(app, auto_decompress=False, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            try:
                await web.TCPSite(runner, settings.host, port).start()
            except OSError as error:
                raise GridkeeperError("PORT_IN_USE", field="port", value=port, detail=str(error)) from error
        yield


async def _turn(sandbox: Sandbox, hub: Hub) -> None:
    while True:
        sandbox.tick()
        hub.turn()
        await asyncio.sleep(_TURN_S)


def _unready(bus: Bus | None) -> list[str]:
    return [] if bus is None or bus.ready else [bus.not_ready_reason]
