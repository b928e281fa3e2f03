"""Puts the notifier together: its machine in the shell, and behind it the channels."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from gridkeeper_notifier.adapters.memory import FileMemory
from gridkeeper_notifier.adapters.terminal import TerminalChannel
from gridkeeper_notifier.adapters.webhook import WebhookChannel
from gridkeeper_notifier.config import SERVICE, WEBHOOK, NotifierSettings
from gridkeeper_notifier.handlers import Deliveries, RetellingMachine
from gridkeeper_notifier.ports import Channel
from gridkeeper_shell.shell import Shell, Task, live

READS = ("strategy", "execution", "ledger", "price_feed")


async def serve(settings: NotifierSettings, stop: asyncio.Event) -> None:
    """The whole life of the service, until `stop` is set. Raises when it must end."""
    async with AsyncExitStack() as stack:
        channels = [await _channel(name, settings, stack) for name in settings.channel_names()]
        deliveries = Deliveries(channels, FileMemory(settings.data_dir / SERVICE))
        shell = Shell(
            service=SERVICE,
            machine=RetellingMachine(settings.channel_names(), deliveries.restored),
            settings=settings,
            reads=READS,
            takes_prices=False,
            on_committed=deliveries.committed,
        )

        async def prepare() -> list[Task]:
            return [deliveries.run]

        await live(shell, stop, prepare)


async def _channel(name: str, settings: NotifierSettings, stack: AsyncExitStack) -> Channel:
    if name == WEBHOOK:
        return await stack.enter_async_context(WebhookChannel(settings.webhook_url))
    return TerminalChannel(settings.data_dir)
