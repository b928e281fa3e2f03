"""One service as a process, on servers of the test."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gridkeeper_runtime.ports import choose_port
from support.servers import eventually


class ServiceProcess:
    """A running service; `health_port` is where it says how it is."""

    def __init__(self, process: asyncio.subprocess.Process, health_port: int) -> None:
        self.process = process
        self.health_port = health_port

    async def is_ready(self) -> bool:
        """Whether it may be worked with."""
        return await asyncio.to_thread(self._ask)

    async def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """End in order; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 20)

    def _ask(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@asynccontextmanager
async def running_service(
    name: str, nats_url: str, postgres_url: str, **settings: str
) -> AsyncIterator[ServiceProcess]:
    """The service until the block ends, ready when it begins."""
    health_port = choose_port()
    told = {"nats_url": nats_url, "postgres_url": postgres_url, "prepare": "true", "health_port": str(health_port)}
    env = {f"GRIDKEEPER_{name.upper()}_{key.upper()}": value for key, value in (told | settings).items()}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", f"gridkeeper_{name}", env=os.environ | env)
    service = ServiceProcess(process, health_port)
    try:
        await eventually(service.is_ready, within_s=30)
        yield service
    finally:
        if process.returncode is None:
            await service.kill()
