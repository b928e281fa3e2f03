"""Puts the notifier together: its machine in the shell, behind it the channels, before it Alertmanager."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from gridkeeper_core.alerts.machine import NotifierMachine
from gridkeeper_core.names import command_subject
from gridkeeper_notifier.adapters.memory import FileMemory
from gridkeeper_notifier.adapters.terminal import TerminalChannel
from gridkeeper_notifier.config import SERVICE, TERMINAL, WEBHOOK, NotifierSettings
from gridkeeper_notifier.handlers import Deliveries, RetellingMachine
from gridkeeper_notifier.ports import Channel
from gridkeeper_shell.commands import command_handler
from gridkeeper_shell.shell import Shell, Task, live

READS = ("strategy", "execution", "ledger", "price_feed")


async def serve(settings: NotifierSettings, stop: asyncio.Event) -> None:
    """The whole life of the service, until `stop` is set. Raises when it must end."""
    async with AsyncExitStack() as stack:
        channels = [await _channel(name, settings, stack) for name in settings.channel_names()]
        deliveries = Deliveries(channels, FileMemory(settings.data_dir / SERVICE))
        shell = Shell(
            service=SERVICE,
            machine=RetellingMachine(settings.alert_policy(), deliveries.restored),
            settings=settings,
            reads=READS,
            takes_prices=False,
            on_committed=deliveries.committed,
            measure=deliveries.measure,
            make_fold=lambda: NotifierMachine(settings.alert_policy()),
        )

        async def prepare() -> list[Task]:
            await shell.serve(command_subject(settings.shard, "alert", "*", "*"), command_handler(shell, "alert"))
            await shell.serve_queries(deliveries)
            return [deliveries.run, *_listening(shell, settings)]

        await live(shell, stop, prepare)


def _listening(shell: Shell, settings: NotifierSettings) -> list[Task]:
    if not settings.alerts_port:
        return []
    # Like the channels' libraries, aiohttp is loaded where it is used: each of them takes a good part of the start.
    from gridkeeper_notifier.adapters.alertmanager import AlertmanagerListener

    listener = AlertmanagerListener(shell.processor.submit, shell.now_ns, silent_after_s=settings.alertmanager_silent_s)
    return [lambda: listener.serve(settings.alerts_host, settings.alerts_port)]


async def _channel(name: str, settings: NotifierSettings, stack: AsyncExitStack) -> Channel:
    if name == WEBHOOK:
        from gridkeeper_notifier.adapters.webhook import WebhookChannel

        return await stack.enter_async_context(WebhookChannel(settings.webhook_url))
    if name == TERMINAL:
        return TerminalChannel(settings.data_dir)
    from gridkeeper_notifier.adapters.apprise_channel import AppriseChannel

    return AppriseChannel(name, settings.channel_urls()[name])
