"""A small Gridkeeper for tests to kill: both servers and a service that waits. A script; its argument is a data dir."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from gridkeeper_runtime.datadir import locked
from gridkeeper_runtime.embedded import EmbeddedNats, EmbeddedPostgres
from gridkeeper_runtime.life import run_until_stopped
from gridkeeper_runtime.supervisor import ChildSpec, Supervisor

WAITS = "import signal; signal.pause()"


async def main(stop: asyncio.Event) -> None:
    data_dir = Path(sys.argv[1])
    with locked(data_dir, "0.1.0"):
        async with Supervisor(data_dir) as supervisor:
            postgres = EmbeddedPostgres(data_dir, settings={"fsync": "off"})
            await supervisor.start_servers([EmbeddedNats(data_dir), postgres])
            await supervisor.start_child(ChildSpec(name="waiter", argv=(sys.executable, "-c", WAITS), env={}))
            pids = {status.name: status.pid for status in supervisor.status()}
            sys.stdout.write(msgspec.json.encode({"pids": pids, "area": str(postgres.home.area)}).decode() + "\n")
            sys.stdout.flush()
            await supervisor.until(stop)


if __name__ == "__main__":
    sys.exit(run_until_stopped(main, service="supervised"))
