"""The toy service as a process of its own: `python toy_worker.py POSTGRES_URL NATS_URL`, until it is killed."""

from __future__ import annotations

import asyncio
import sys

from gridkeeper_bus.connection import connect
from gridkeeper_bus.publisher import JetStreamPublisher
from gridkeeper_bus.reader import EventReader
from gridkeeper_core.errors import GridkeeperError
from support.toy_machine import PRODUCER_SERVICE, SERVICE
from support.toy_service import ToyService, pump

FENCED_EXIT = 3


async def main(postgres_url: str, nats_url: str) -> None:
    bus = await connect(nats_url, "worker")
    service = ToyService(postgres_url, publisher=JetStreamPublisher(bus, service=SERVICE))
    await service.start()
    reader = EventReader(bus, [(PRODUCER_SERVICE, 0)], service.processor.inbox.positions())
    await asyncio.gather(*service.running, pump(reader, service), bus.watch())


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2]))
    except GridkeeperError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(FENCED_EXIT if error.code == "FENCED" else 1)
