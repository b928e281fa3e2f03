"""Measures how long it takes from a published price to the transaction it leads to, through the running services."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from aiohttp import ClientSession, web
from section import percentile, print_section
from servers import Servers, running_servers, temporary_folder

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.prices import publish_price
from gridkeeper_bus.requests import request
from gridkeeper_cli import child_plan
from gridkeeper_cli.access import Access, settle_access
from gridkeeper_cli.demo import make_demo_files, set_up_account
from gridkeeper_cli.example_grid import create_example
from gridkeeper_cli.gridkeeper_toml import SYNTHETIC, read_configuration
from gridkeeper_cli.readiness import until_ready
from gridkeeper_core.prices.price import Price
from gridkeeper_core.quiet import Quiet, quiet_subject
from gridkeeper_runtime.ports import LOOPBACK, choose_port
from gridkeeper_runtime.supervisor import Supervisor
from gridkeeper_shell.provision import ProvisionSettings, provision

ROUNDS = 100
PLACES_E6 = (154_500_000, 153_500_000)
READY_WITHIN_S = 60.0
SENT_WITHIN_S = 10.0
SERVICES = ("sandbox", "notifier", "ledger", "execution", "strategy")
NO_FILLS = {"GRIDKEEPER_SANDBOX_FILL_MODEL": "queue", "GRIDKEEPER_SANDBOX_QUEUE_AHEAD_E4": "10000"}

ABOUT = """
All services run as `gridkeeper up` runs them, except that this program stands in for price-feed, and between
execution and the sandbox. It publishes a price on NATS that moves the window of a grid by four levels, to and fro, so
that four orders are placed or cancelled, and stops the clock when execution's `sendTransaction` arrives. On the way:
strategy decides and commits, its outbox publishes, execution reads, plans, signs and commits, and sends: two commits
and one publication, each waiting for the disk. The next price comes when that transaction has landed and all is
quiet, so nothing queues.
"""

GRID = """
[grid]
id = "latency"
market = "SOL-PERP"
account = "main"
lower = "145"
upper = "155"
intervals = 40
spacing = "arithmetic"
size = { base = "0.1" }

[window]
hysteresis = 0
roll_interval = "0s"
"""


class Endpoint:
    """Passes everything on to the sandbox and notes when a transaction came."""

    def __init__(self, target: str) -> None:
        self.url = ""
        self.sent: asyncio.Queue[float] = asyncio.Queue()
        self._target = target

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async with ClientSession() as session:

            async def pass_on(asked: web.Request) -> web.Response:
                body = await asked.read()
                if b'"sendTransaction"' in body:
                    self.sent.put_nowait(time.perf_counter())
                async with session.post(
                    self._target, data=body, headers={"Content-Type": "application/json"}
                ) as answer:
                    return web.Response(body=await answer.read(), content_type="application/json")

            app = web.Application(client_max_size=10**7)
            app.add_routes([web.post("/", pass_on)])
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            port = choose_port()
            await web.TCPSite(runner, LOOPBACK, port).start()
            self.url = f"http://{LOOPBACK}:{port}"
            try:
                yield
            finally:
                await runner.cleanup()


class Prices:
    """Stands in for price-feed: one price after the other, without trades, so that nothing is filled."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._numbers = itertools.count(1)

    async def publish(self, oracle_e6: int) -> None:
        price = Price(
            market="SOL-PERP",
            source="benchmark",
            source_seq=next(self._numbers),
            ts_ns=time.time_ns(),
            oracle_e6=oracle_e6,
            size_e9=1,
        )
        await publish_price(self._bus, price)
        await self._bus.client.flush()

    async def keep(self, oracle_e6: int) -> None:
        while True:
            await self.publish(oracle_e6)
            await asyncio.sleep(0.2)


async def measure(folder: Path, servers: Servers, access: Access) -> list[float]:
    """Seconds of each round."""
    passwords = msgspec.json.encode(access.passwords).decode()
    asked = ProvisionSettings(nats_url=servers.nats_url, postgres_url=servers.postgres_url, passwords=passwords)
    await provision(asked)
    configuration = read_configuration(make_demo_files(folder, SYNTHETIC))
    ports = child_plan.settle_ports(folder)
    grid_file = folder / "latency.toml"
    grid_file.write_text(GRID)  # nothing else goes on yet
    nats_port = urlsplit(servers.nats_url).port or 0
    at = child_plan.Servers(nats_port=nats_port, postgres_url=servers.postgres_url, access=access)
    children = child_plan.plan_children(folder, child_plan.Wishes(), configuration, ports, at)
    sandbox_url = child_plan.rpc_url(configuration, ports)
    # The whole of every trade goes to others, so that nothing is filled.
    children["sandbox"].env.update(NO_FILLS)
    endpoint = Endpoint(sandbox_url)
    async with AsyncExitStack() as stack:
        supervisor = await stack.enter_async_context(Supervisor(folder))
        await stack.enter_async_context(endpoint.serving())
        await supervisor.start_child(children["sandbox"])
        await until_ready({"sandbox": ports["sandbox"]}, supervisor.status, within_s=READY_WITHIN_S)
        await set_up_account(sandbox_url, "main", configuration.accounts["main"])
        children["execution"].env["GRIDKEEPER_EXECUTION_RPC_URL"] = endpoint.url
        for name in SERVICES[1:]:
            await supervisor.start_child(children[name])
        await until_ready({name: ports[name] for name in SERVICES}, supervisor.status, within_s=READY_WITHIN_S)
        bus = await connect(servers.nats_url, "benchmark")
        stack.push_async_callback(bus.close)
        return await _rounds(bus, endpoint, grid_file)


async def _rounds(bus: Bus, endpoint: Endpoint, grid_file: Path) -> list[float]:
    prices = Prices(bus)
    keeping = asyncio.create_task(prices.keep(PLACES_E6[0]))
    await create_example(bus, grid_file)
    await _until_quiet(bus)
    keeping.cancel()
    seconds = []
    for number in range(1, ROUNDS + 1):
        await _until_quiet(bus)
        while not endpoint.sent.empty():
            endpoint.sent.get_nowait()
        began_s = time.perf_counter()
        await prices.publish(PLACES_E6[number % 2])
        async with asyncio.timeout(SENT_WITHIN_S):
            seconds.append(await endpoint.sent.get() - began_s)
    return seconds


async def _until_quiet(bus: Bus) -> None:
    """Nothing in flight and nothing to do, five times in a row."""
    calm = 0
    while calm < 5:
        answers = [
            msgspec.json.decode(await request(bus, quiet_subject(0, name)), type=Quiet)
            for name in ("strategy", "execution", "ledger")
        ]
        at_rest = all(a.in_flight == 0 and not a.busy and a.published_id == a.head_id for a in answers)
        calm = calm + 1 if at_rest else 0
        await asyncio.sleep(0.1)


def main() -> None:
    with temporary_folder() as folder:
        access = settle_access(folder)
        with running_servers(access.nats_authorization) as servers:
            seconds = asyncio.run(measure(folder, servers, access))
    if len(seconds) != ROUNDS:
        sys.exit("Some prices led to no transaction.")
    shown = (("p50", percentile(seconds, 0.5)), ("p99", percentile(seconds, 0.99)), ("worst", max(seconds)))
    rows = [(f"{name} of {ROUNDS}", f"{value * 1000:.1f} ms") for name, value in shown]
    print_section("Price published to transaction sent", ABOUT, ("", "time"), rows)


if __name__ == "__main__":
    main()
