"""Puts execution together: its machine in the shell, the venue behind it, its requests and tasks."""

from __future__ import annotations

import asyncio
import math
from contextlib import AsyncExitStack

from gridkeeper_core.orders.machine import ExecutionMachine
from gridkeeper_core.venue.records import Roll
from gridkeeper_drift.opening import AccountConfig, drift_venue
from gridkeeper_drift.venue import DriftVenue
from gridkeeper_execution.chain_desk import ChainDesk
from gridkeeper_execution.config import SERVICE, ExecutionSettings
from gridkeeper_execution.handlers import AccountRequests
from gridkeeper_execution.wallets import WalletDesk
from gridkeeper_shell.commands import command_handler
from gridkeeper_shell.shell import Shell, Task, live


async def serve(settings: ExecutionSettings, stop: asyncio.Event) -> None:
    """The whole life of the service, until `stop` is set. Raises when it must end."""
    async with AsyncExitStack() as stack:
        venue = await stack.enter_async_context(_venue(settings))
        rules = settings.account_rules()
        desk = ChainDesk(
            venue,
            rules,
            poll_s=settings.poll_ms / 1000,
            reconcile_s=settings.reconcile_s if not settings.on_request else math.inf,
        )
        machine = ExecutionMachine(desk.sign, rules)
        shell = Shell(
            service=SERVICE,
            machine=machine,
            settings=settings,
            reads=("strategy",),
            takes_prices=True,
            on_committed=desk.on_committed,
            make_fold=lambda: ExecutionMachine(_never_sign, rules),
            measure=lambda: desk.meter.measure(machine, desk.lamports, shell.now_ns()),
        )
        desk.bind(machine, shell.processor, shell.now_ns, shell.log)
        shell.in_flight = desk.in_flight
        shell.unready_reasons = desk.unready
        await live(shell, stop, lambda: _prepare(settings, shell, machine, desk, venue))


async def _prepare(
    settings: ExecutionSettings, shell: Shell, machine: ExecutionMachine, desk: ChainDesk, venue: DriftVenue
) -> list[Task]:
    desk.begin()
    wallets = WalletDesk(venue, machine, shell.processor, shell.now_ns, shell.log)
    requests = AccountRequests(machine, desk, wallets)
    await shell.serve(f"cmd.{settings.shard}.account.*.*", command_handler(shell, "account"))
    await shell.serve_queries(requests)

    async def work() -> None:
        symbols = settings.symbols()
        # Before anything is paid: what comes before the first count cannot be told apart.
        await wallets.try_count()
        await desk.until_booted(symbols)
        if settings.on_request:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(desk.keep_sending())
            group.create_task(desk.keep_looking())
            group.create_task(desk.keep_reading_markets(symbols))
            group.create_task(wallets.keep_counting())
            group.create_task(venue.hints(desk.look_soon).run())

    return [work, venue.sender.keep_ready]


def _never_sign(_roll: Roll) -> None:
    """What only folds the log signs nothing."""


def _venue(settings: ExecutionSettings) -> DriftVenue:
    accounts = [
        AccountConfig(alias, account.authority, account.sub_account, account.signer, account.owner_key)
        for alias, account in settings.account_settings().items()
    ]
    return drift_venue(
        settings.rpc_url,
        accounts,
        second_url=settings.rpc2_url,
        requests_per_s=settings.requests_per_s,
        priority_fee=settings.priority_fee,
        lookup_tables=[key.strip() for key in settings.lookup_tables.split(",") if key.strip()],
        ages_by_slot=not settings.on_request,
    )
