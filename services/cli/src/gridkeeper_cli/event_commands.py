"""`gridkeeper events`: the record itself, as it was stored."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from difflib import get_close_matches

import click
import msgspec

from gridkeeper_bus.history import subjects_of
from gridkeeper_bus.reader import BusMessage
from gridkeeper_cli.client import Client
from gridkeeper_cli.documents import Document, iso_utc, readable
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import FACTS
from gridkeeper_core.names import split_stream
from gridkeeper_core.record import decode, hash_of, topic_of

_TEXT_SHOWN = 100
_TOPICS = tuple(dict.fromkeys(str(fact.__struct_config__.tag) for facts in FACTS.values() for fact in facts))


@click.group()
def events() -> None:
    """Look at the events everything else is made from.

    \b
    Example:
      gridkeeper events tail --follow
    """


@events.command()
@click.option(
    "-f", "--follow", is_flag=True, help="Go on with each new event until Ctrl-C (with --json: one per line)."
)
@click.option("--stream", metavar="S", default="", help="Only this stream, such as grid:sol-range.")
@click.option("--topic", metavar="T", default="", help="Only these facts: order.filled.v1, order.filled or order.")
@click.option(
    "-n", "count", metavar="N", type=click.IntRange(0, 10_000), default=20, show_default=True, help="How many."
)
@everywhere
@pass_session
def tail(session: Session, follow: bool, stream: str, topic: str, count: int) -> None:  # noqa: FBT001
    """Show the last events, oldest first.

    \b
    Example:
      gridkeeper events tail -n 50 --stream grid:sol-range
      gridkeeper events tail --follow --topic order.filled
    """
    subjects = subjects_of(_checked_stream(stream), _topics(topic))

    async def told(client: Client) -> list[Document]:
        page = await client.last_events(subjects, count)
        shown = [_document(message) for message in page.messages]
        if follow:
            _print(session, shown)
            await _follow(session, client.events_from(subjects, page.next_sequence))
        return shown

    try:
        shown = session.ask(told)
    except KeyboardInterrupt:
        if follow:  # the way to end it
            return
        raise
    session.answer({"events": shown}, *[_line(document) for document in shown])


@events.command()
@click.argument("identity", metavar="STREAM@VERSION")
@everywhere
@pass_session
def show(session: Session, identity: str) -> None:
    """Show one event, in words and as it is stored.

    \b
    Example:
      gridkeeper events show grid:sol-range@12
    """
    stream, _, number = identity.rpartition("@")
    if not stream or not (number.isascii() and number.isdigit() and len(number) < 16):
        raise GridkeeperError("BAD_USAGE", field="STREAM@VERSION", value=identity, expected="such as grid:sol-range@12")
    _checked_stream(stream)
    message = session.ask(lambda client: client.event(stream, int(number)))
    if message is None or decode(message.body).identity != identity:
        raise GridkeeperError(
            "BAD_VALUE", field="STREAM@VERSION", value=identity, expected="an event that was recorded"
        )
    document = {**_document(message), "stored": message.body.decode()}
    session.answer({"event": document}, msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def _checked_stream(stream: str) -> str:
    kind, name = split_stream(stream)
    is_known = kind in FACTS and name and name.replace("-", "").replace(":", "").isalnum()
    if stream and not is_known:
        raise GridkeeperError("BAD_VALUE", field="stream", value=stream, expected=f"KIND:NAME, KIND {_any(FACTS)}")
    return stream


def _topics(topic: str) -> list[str]:
    """The stored names that begin with these words."""
    if not topic:
        return []
    found = [name for name in _TOPICS if name == topic or name.startswith(f"{topic}.")]
    if not found:
        near = get_close_matches(topic, _TOPICS, n=3)
        raise GridkeeperError("BAD_VALUE", field="topic", value=topic, expected=_any(near or _TOPICS[:3]))
    return found


def _any(choices: Iterable[str]) -> str:
    return " or ".join(choices)


def _document(message: BusMessage) -> Document:
    event = decode(message.body)
    fact = readable(event.fact)
    fact.pop("topic", None)
    return {
        "id": event.identity,
        "time": iso_utc(event.ts_ns),
        "topic": topic_of(event.fact),
        "fact": fact,
        "cause": event.cause,
        "thread": event.thread,
        "app": message.app,
        "app_id": message.id,
        "prev": event.prev,
        "hash": hash_of(message.body),
    }


async def _follow(session: Session, messages: AsyncGenerator[BusMessage, None]) -> None:
    async with aclosing(messages) as arriving:
        async for message in arriving:
            _print(session, [_document(message)])


def _print(session: Session, shown: list[Document]) -> None:
    for document in shown:
        click.echo(msgspec.json.encode(document).decode() if session.json else _line(document))


def _line(document: Document) -> str:
    fact = msgspec.json.encode({name: _shortened(value) for name, value in document["fact"].items()}).decode()
    return f"{document['time']}  {document['id']}  {document['topic']}  {fact}"


def _shortened(value: object) -> object:
    """A signed transaction fills a screen; `events show` has it whole."""
    is_long = isinstance(value, str) and len(value) > _TEXT_SHOWN
    return f"{str(value)[:_TEXT_SHOWN]}…" if is_long else value
