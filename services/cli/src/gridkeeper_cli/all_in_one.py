"""Runs everything on this machine: servers, services, the demo's first steps, the live view, and an end in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from gridkeeper_bus.connection import connect
from gridkeeper_cli.access import settle_access
from gridkeeper_cli.child_plan import Ports, Servers, Wishes, plan_children, rpc_url, services_of, settle_ports
from gridkeeper_cli.demo import make_example_grid, set_up_account
from gridkeeper_cli.documents import iso_now
from gridkeeper_cli.example_grid import create_example, let_tape_run
from gridkeeper_cli.gridkeeper_toml import Configuration
from gridkeeper_cli.live_data import Place, Watcher
from gridkeeper_cli.own_run import own_run
from gridkeeper_cli.readiness import until_ready
from gridkeeper_runtime.datadir import RunningService, write_run_file
from gridkeeper_runtime.embedded import EmbeddedNats, EmbeddedPostgres
from gridkeeper_runtime.logs import Logger
from gridkeeper_runtime.supervisor import ChildStatus, Supervisor
from gridkeeper_shell.provision import ProvisionSettings, provision

READY_WITHIN_S = 90.0
WORK_END_WITHIN_S = 3.0
SANDBOX = "sandbox"
EXECUTION = "execution"
PRICE_FEED = "price_feed"
_log = Logger("up")

Say = Callable[[str], None]
Show = Callable[[Watcher], Coroutine[Any, Any, None]]


class AllInOne:
    """One run of `gridkeeper up`; the data directory is locked by the caller.

    `say` gets a sentence at each step, `show` runs as soon as there is something to see, until everything ends.
    """

    def __init__(
        self,
        data_dir: Path,
        wishes: Wishes,
        configuration: Configuration,
        *,
        with_example: bool,
        say: Say,
        show: Show,
    ) -> None:
        self._data_dir = data_dir
        self._wishes = wishes
        self._configuration = configuration
        self._with_example = with_example
        self._say = say
        self._show = show
        self._access = settle_access(data_dir)
        nats = EmbeddedNats(data_dir, authorization=self._access.nats_authorization)
        self._servers = (nats, EmbeddedPostgres(data_dir))
        self._ports: Ports = {}
        self._names = services_of(wishes)
        self._started_at = ""
        self._changed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises GridkeeperError when it cannot start."""
        self._started_at = iso_now()
        async with Supervisor(self._data_dir, changed=self._on_change) as supervisor:
            working = asyncio.create_task(self._work(supervisor))
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    working.result()
            finally:
                stopping.cancel()
                working.cancel()
                # Whatever it still waits for must not keep the services from being stopped.
                await asyncio.wait({working}, timeout=WORK_END_WITHIN_S)
            self._say("Stopping.")

    async def _work(self, supervisor: Supervisor) -> None:
        began_s = time.monotonic()
        nats, postgres = self._servers
        await supervisor.start_servers(self._servers)
        self._ports = settle_ports(self._data_dir)
        await self._provision()
        servers = Servers(nats_port=nats.endpoint.port, postgres_url=postgres.url, access=self._access)
        held_for_us = self._wishes.lockstep and self._with_example and self._wishes.hold_after is None
        wishes = msgspec.structs.replace(self._wishes, hold_after=1) if held_for_us else self._wishes
        children = plan_children(self._data_dir, wishes, self._configuration, self._ports, servers)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_run_file(supervisor))
            group.create_task(supervisor.until(asyncio.Event()))
            for name, spec in children.items():
                if name != PRICE_FEED:
                    await supervisor.start_child(spec)
            if await self._make_accounts(supervisor):
                # What execution first reads of a new account comes before the first price, also on a fast machine.
                await until_ready({EXECUTION: self._ports[EXECUTION]}, supervisor.status, within_s=READY_WITHIN_S)
            # Last: on a tape the first price starts the chain's clock, and the accounts are made before it.
            await supervisor.start_child(children[PRICE_FEED])
            async with self._watcher(supervisor, nats.url) as watcher, asyncio.TaskGroup() as seeing:
                seeing.create_task(self._show(watcher))
                await until_ready(self._health_ports(), supervisor.status, within_s=READY_WITHIN_S)
                self._say(f"Ready after {time.monotonic() - began_s:.1f} s.")
                await self._begin_trading(watcher, is_held=held_for_us)

    async def _provision(self) -> None:
        """Streams, tables and rights, as an administrator; services can make none of them."""
        nats, postgres = self._servers
        passwords = msgspec.json.encode(self._access.passwords).decode()
        await provision(ProvisionSettings(nats_url=nats.url, postgres_url=postgres.url, passwords=passwords))

    @asynccontextmanager
    async def _watcher(self, supervisor: Supervisor, nats_url: str) -> AsyncIterator[Watcher]:
        place = Place(
            version=version("gridkeeper-cli"),
            profile=self._wishes.profile,
            feeds=self._configuration.feeds,
            data_dir=self._data_dir,
        )
        bus = await connect(nats_url, "gridkeeper-up")
        try:
            yield Watcher(bus, place, supervisor.status, self._health_ports())
        finally:
            await bus.close()

    async def _make_accounts(self, supervisor: Supervisor) -> bool:
        """Whether any was made: money is made on the sandbox only, and only once."""
        if SANDBOX not in self._names:
            return False
        await until_ready({SANDBOX: self._ports[SANDBOX]}, supervisor.status, within_s=READY_WITHIN_S)
        made = [
            alias
            for alias, account in self._configuration.accounts.items()
            if await set_up_account(rpc_url(self._configuration, self._ports), alias, account)
        ]
        for alias in made:
            self._say(f"Account {alias} was made on the sandbox.")
        return bool(made)

    async def _begin_trading(self, watcher: Watcher, *, is_held: bool) -> None:
        if self._with_example:
            market, source = next(iter(self._configuration.feeds.items()))
            account = next(iter(self._configuration.accounts))
            path = await asyncio.to_thread(make_example_grid, self._data_dir, market, account, source)
            outcome = await create_example(watcher.bus, path)
            if outcome:
                self._say(outcome)
        if is_held:
            await let_tape_run(watcher.bus)

    def _health_ports(self) -> Ports:
        return {name: port for name, port in self._ports.items() if name in self._names}

    def _on_change(self, status: ChildStatus) -> None:
        _log.info("A process changed.", child=status.name, state=status.state, pid=status.pid, reason=status.reason)
        self._changed.set()

    async def _keep_run_file(self, supervisor: Supervisor) -> None:
        """Tell other commands how to reach us, and anew at each restart of a service."""
        nats, postgres = self._servers
        while True:
            self._changed.clear()
            pids = {child.name: child.pid for child in supervisor.status() if child.pid is not None}
            run = own_run(
                nats.url,
                postgres.url,
                started_at=self._started_at,
                rpc_url=rpc_url(self._configuration, self._ports),
                services={
                    name: RunningService(pid=pids[name], health_port=port)
                    for name, port in self._health_ports().items()
                    if name in pids
                },
            )
            await asyncio.to_thread(write_run_file, self._data_dir, run)
            await self._changed.wait()
