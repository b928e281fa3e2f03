"""`gridkeeper grid flag`: how much of a grid is real: shadow, canary or live."""

from __future__ import annotations

from typing import Literal

import click

from gridkeeper_cli.client import Client
from gridkeeper_cli.documents import iso_utc
from gridkeeper_cli.session import Change, Session, changing, everywhere, pass_session
from gridkeeper_core.inputs import FlagGrid
from gridkeeper_core.requests import CommandReply, GridDetail

_MEANING = {
    "shadow": "it decides and sends nothing",
    "canary": "it trades a small part of its sizes until {until}, then goes live by itself",
    "live": "it trades its whole sizes",
}


@click.command("flag")
@click.argument("grid_id", metavar="ID")
@click.argument("flag", type=click.Choice(["shadow", "canary", "live"]))
@changing
@everywhere
@pass_session
def flag_grid(session: Session, grid_id: str, flag: Literal["shadow", "canary", "live"], change: Change) -> None:
    """Let a grid decide without sending (shadow), trade small for a while (canary), or trade (live).

    \b
    Example:
      gridkeeper grid flag sol-range shadow --reason "watching first"
      gridkeeper grid flag sol-range canary --reason "start small"
    """
    session.confirm(f"Flag grid {grid_id} as {flag}?", change)

    async def work(client: Client) -> tuple[CommandReply, GridDetail]:
        body = FlagGrid(flag=flag)
        reply = await client.command(
            "grid", grid_id, "flag", body, key=change.key, author=change.author, reason=change.reason
        )
        return reply, await client.grid(grid_id)

    reply, detail = session.ask(work)
    until = iso_utc(detail.flag_until_ns) if detail.flag_until_ns else None
    document = {
        "id": grid_id,
        "flag": detail.flag,
        "until": until,
        "event": f"{reply.stream}@{reply.version}",
        "key": change.key,
    }
    meaning = _MEANING[detail.flag].format(until=until)
    session.answer({"grid": document}, f"Grid {grid_id} is {detail.flag}: {meaning}.")
