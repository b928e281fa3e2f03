"""Puts the ledger together: its machine in the shell and its requests."""

from __future__ import annotations

import asyncio

from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_ledger.config import SERVICE, LedgerSettings
from gridkeeper_ledger.handlers import BooksRequests
from gridkeeper_ledger.metrics import measure
from gridkeeper_shell.shell import Shell, live


async def serve(settings: LedgerSettings, stop: asyncio.Event) -> None:
    """The whole life of the service, until `stop` is set. Raises when it must end.

    An input it cannot book ends it: books with a hole would be worse than none, and no order waits for them.
    """
    machine = LedgerMachine()
    shell = Shell(
        service=SERVICE,
        machine=machine,
        settings=settings,
        reads=("strategy", "execution"),
        takes_prices=True,
        make_fold=LedgerMachine,
        measure=lambda: measure(machine.state),
    )
    requests = BooksRequests(machine)

    async def prepare() -> tuple[()]:
        await shell.serve_queries(requests)
        return ()

    await live(shell, stop, prepare)
