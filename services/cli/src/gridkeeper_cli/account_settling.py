"""`gridkeeper account settle|adopt|reject`: has execution settle profit, or deal with what it cannot explain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import click

from gridkeeper_bus.history import subjects_of
from gridkeeper_cli.client import Client
from gridkeeper_cli.session import Change, Session, changing, everywhere, pass_session
from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import AdoptAccount, CommandBody, RejectForeign, SettleAccount
from gridkeeper_core.record import Recorded, decode
from gridkeeper_core.units import e6_text

DONE_WITHIN_S = 60.0


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--market", metavar="M", default="", help="This market only.")
@changing
@everywhere
@pass_session
def settle(session: Session, name: str, market: str, change: Change) -> None:
    """Settle profit and loss into the deposit; the venue may have too little to pay, which is then said.

    \b
    Example:
      gridkeeper account settle main
    """
    ended = _ask(session, name, "settle", SettleAccount(market=market), change, ("account.settlement_ended.v1",))
    document: dict[str, object] = {"name": name, "key": change.key}
    if ended is None or not isinstance(ended.fact, e.SettlementEnded):
        session.answer({"account": document}, f"Account {name}: the settlement was asked for.")
        return
    fact = ended.fact
    document |= {"settled": e6_text(fact.quote_e6), "error_code": fact.error_code, "error": fact.error}
    text = f"Account {name}: {e6_text(fact.quote_e6)} was settled."
    if fact.error:
        text += f" The venue refused: {fact.error_code} {fact.error}."
    session.answer({"account": document}, text)


@click.command()
@click.argument("name", metavar="NAME")
@changing
@everywhere
@pass_session
def adopt(session: Session, name: str, change: Change) -> None:
    """Take the venue's numbers for the truth where record and venue differ; a reason must be given.

    \b
    Example:
      gridkeeper account adopt main --reason "closed by hand on 3 May"
    """
    _check_reason(change)
    session.confirm(f"Take the venue's numbers for account {name} as they are?", change)
    adopted = _ask(session, name, "adopt", AdoptAccount(), change, ("account.adopted.v1",))
    document: dict[str, object] = {"name": name, "key": change.key, "adopted": adopted is not None}
    state = "adopted the venue's numbers" if adopted else "will adopt the venue's numbers with the next reading"
    session.answer({"account": document}, f"Account {name} {state}.")


@click.command()
@click.argument("name", metavar="NAME")
@changing
@everywhere
@pass_session
def reject(session: Session, name: str, change: Change) -> None:
    """Cancel the orders on the account that no grid explains; a reason must be given.

    \b
    Example:
      gridkeeper account reject main --reason "left over from a test"
    """
    _check_reason(change)
    session.confirm(f"Cancel the foreign orders of account {name}?", change)
    _ask(session, name, "reject", RejectForeign(), change, ())
    document = {"name": name, "key": change.key}
    session.answer({"account": document}, f"Account {name}: foreign orders are being cancelled.")


def _check_reason(change: Change) -> None:
    if not change.reason:
        raise GridkeeperError("BAD_USAGE", field="--reason", expected="why; it is recorded")


def _ask(
    session: Session, name: str, verb: str, body: CommandBody, change: Change, topics: Sequence[str]
) -> Recorded | None:
    """Tell execution, and wait for the first event of these topics that came after it; None when nobody waits."""

    async def ask(client: Client) -> Recorded | None:
        reply = await client.command(
            "account", name, verb, body, key=change.key, author=change.author, reason=change.reason
        )
        return await _following(client, reply.stream, reply.version, topics) if topics and change.wait else None

    return session.ask(ask)


async def _following(client: Client, stream: str, version: int, topics: Sequence[str]) -> Recorded | None:
    try:
        async with (
            asyncio.timeout(DONE_WITHIN_S),
            aclosing(client.events_from(subjects_of(stream, topics), 1)) as messages,
        ):
            async for message in messages:
                found = decode(message.body)
                if found.version >= version:
                    return found
    except TimeoutError:
        return None
    raise AssertionError("a follower never ends by itself")
