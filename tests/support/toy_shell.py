"""The toy machine in the shell that every deciding service is made of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gridkeeper_bus.prices import publish_price
from gridkeeper_core.inputs import Input
from gridkeeper_core.prices.price import Price
from gridkeeper_shell.settings import ShellSettings
from gridkeeper_shell.shell import Shell
from support.toy_machine import PRODUCER_SERVICE, SERVICE, ToyMachine


class ToyShell:
    """`running` ends with what ends the process."""

    def __init__(self, postgres_url: str, nats_url: str) -> None:
        self.machine = ToyMachine()
        self.shell = Shell(
            service=SERVICE,
            machine=self.machine,
            settings=ShellSettings(nats_url=nats_url, postgres_url=postgres_url, prepare=True),
            reads=(PRODUCER_SERVICE,),
            takes_prices=True,
        )
        self.running: asyncio.Task[None]
        self._stop = asyncio.Event()

    async def start(self, waiting: Sequence[Input] = ()) -> None:
        """`waiting` lies before it when it begins to work."""
        await self.shell.start()
        for item in waiting:
            self.shell.processor.offer(item)
        self.running = asyncio.create_task(self.shell.run(self._stop))

    async def send(self, prices: list[Price]) -> None:
        """Over PX, in this order."""
        for price in prices:
            await publish_price(self.shell.bus, price)
        await self.shell.bus.client.flush()

    async def stop(self) -> None:
        """In order where it still runs."""
        self._stop.set()
        await asyncio.gather(self.running, return_exceptions=True)
        await self.shell.close()


@asynccontextmanager
async def toy_shell(postgres_url: str, nats_url: str, waiting: Sequence[Input] = ()) -> AsyncIterator[ToyShell]:
    """A running service."""
    toy = ToyShell(postgres_url, nats_url)
    await toy.start(waiting)
    try:
        yield toy
    finally:
        await toy.stop()
