"""Puts strategy together: its machine in the shell, its requests, what it does with an input it cannot take."""

from __future__ import annotations

import asyncio

from gridkeeper_core.grid.machine import StrategyMachine
from gridkeeper_core.quiet import Band
from gridkeeper_shell.commands import command_handler
from gridkeeper_shell.shell import Shell, live
from gridkeeper_strategy.config import SERVICE, StrategySettings
from gridkeeper_strategy.handlers import GridRequests
from gridkeeper_strategy.metrics import measure
from gridkeeper_strategy.views import grid_view


async def serve(settings: StrategySettings, stop: asyncio.Event) -> None:
    """The whole life of the service, until `stop` is set. Raises when it must end."""
    machine = StrategyMachine()
    shell = Shell(
        service=SERVICE,
        machine=machine,
        settings=settings,
        reads=("execution",),
        takes_prices=True,
        on_poison=machine.fault,
        make_fold=StrategyMachine,
        measure=lambda: measure(grid_view(grid, machine.newest_price(grid.config.market)) for grid in machine.grids()),
        band=lambda: {market: Band(low, high) for market, (low, high) in machine.bands().items()},
    )
    requests = GridRequests(machine, shell.now_ns)

    async def prepare() -> tuple[()]:
        await shell.serve(f"cmd.{settings.shard}.grid.*.*", command_handler(shell, "grid"))
        await shell.serve_queries(requests)
        return ()

    await live(shell, stop, prepare)
