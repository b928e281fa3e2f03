"""`gridkeeper notify`: see that messages arrive, and how far each channel has got."""

from __future__ import annotations

import asyncio

import click

from gridkeeper_cli.client import Client
from gridkeeper_cli.render import table
from gridkeeper_cli.session import Change, Session, changing, everywhere, pass_session
from gridkeeper_core.inputs import TestNotification
from gridkeeper_core.requests import ChannelState

DELIVERED_WITHIN_S = 20.0
POLL_S = 0.1
_COLUMNS = (("channel", "channel"), ("waiting", ">waiting"), ("delivered", "delivered last"), ("trouble", "trouble"))


@click.group()
def notify() -> None:
    """See that messages arrive.

    \b
    Example:
      gridkeeper notify test
    """


@notify.command()
@click.argument("channel", metavar="CHANNEL", required=False, default="")
@changing
@everywhere
@pass_session
def test(session: Session, channel: str, change: Change) -> None:
    """Send a message to every channel, or to one, and say where it arrived.

    Exit code 1: some channel did not take it. It is tried again until it does.

    \b
    Example:
      gridkeeper notify test phone
    """

    async def send(client: Client) -> list[ChannelState]:
        before = {state.channel: state.delivered for state in await client.channels()}
        body = TestNotification(channel=channel)
        await client.command("alert", "fleet", "test", body, key=change.key, author=change.author, reason=change.reason)
        asked = [channel] if channel else list(before)
        return await _settled(client, asked, before) if change.wait else await client.channels()

    states = [state for state in session.ask(send) if channel in ("", state.channel)]
    rows = [{name: getattr(state, name) for name, _ in _COLUMNS} for state in states]
    session.answer({"channels": rows, "key": change.key}, table(_COLUMNS, rows))
    if change.wait and any(state.trouble for state in states):
        click.get_current_context().exit(1)


@notify.command("list")
@everywhere
@pass_session
def list_channels(session: Session) -> None:
    """List the channels, and what waits for each.

    \b
    Example:
      gridkeeper notify list --json
    """
    rows = [{name: getattr(state, name) for name, _ in _COLUMNS} for state in session.ask(Client.channels)]
    session.answer({"channels": rows}, table(_COLUMNS, rows))


async def _settled(client: Client, asked: list[str], before: dict[str, str]) -> list[ChannelState]:
    """The states once each channel asked has delivered something new or failed at it, or too long passed."""
    deadline_s = asyncio.get_running_loop().time() + DELIVERED_WITHIN_S
    while True:
        states = await client.channels()
        done = all(
            state.trouble or (state.waiting == 0 and state.delivered != before[state.channel])
            for state in states
            if state.channel in asked
        )
        if done or asyncio.get_running_loop().time() > deadline_s:
            return states
        await asyncio.sleep(POLL_S)
