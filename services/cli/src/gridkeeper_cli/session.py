"""What every command shares: where the data directory is, how to answer (text or JSON), and the common options."""

from __future__ import annotations

import functools
import getpass
import os
import sys
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from gridkeeper_core.errors import GridkeeperError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from gridkeeper_cli.client import Client

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

WIDTH_OFF_TERMINAL = 140
_SHOWN_IN_ERRORS = ("field", "value", "expected", "do")


class Session:
    """One run of the command. `json`: exactly one JSON document goes to stdout, whatever happens."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self.data_dir_option: str | None = None

    @property
    def data_dir(self) -> Path:
        """`--data-dir`, the environment, or the default."""
        from gridkeeper_runtime.datadir import resolve_data_dir

        return resolve_data_dir(self.data_dir_option, os.environ)

    def ask(self, work: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Do something with the running Gridkeeper. Raises GridkeeperError NOT_RUNNING."""
        # Imported here: what needs no running Gridkeeper starts several times as fast without its client.
        import asyncio

        from gridkeeper_cli.client import connected
        from gridkeeper_runtime.datadir import read_run_file

        run = read_run_file(self.data_dir)

        async def asked() -> T:
            async with connected(run.nats_url) as client:
                return await client.unless_lost(work(client))

        return asyncio.run(asked())

    def answer(self, document: dict[str, Any], *text: RenderableType) -> None:
        """The result: the document with `--json`, else the text."""
        if self.json:
            click.echo(json_text(document))
            return
        console = console_on(sys.stdout)
        for part in text:
            console.print(part, soft_wrap=isinstance(part, str))

    def warn(self, sentence: str) -> None:
        """Something to know that is not the result."""
        click.echo(f"Note: {sentence}", err=True)

    def refuse(self, error: GridkeeperError) -> None:
        """An error, on stdout as JSON or on stderr in words."""
        if self.json:
            click.echo(json_text({"error": error.as_dict()}))
            return
        click.echo(f"{error.code}: {error.detail or error.meaning}", err=True)
        fields = error.as_dict()
        for name in _SHOWN_IN_ERRORS:
            if fields[name]:
                click.echo(f"  {name:<9} {fields[name]}", err=True)

    def confirm(self, question: str, change: Change) -> None:
        """Ask on a terminal, unless --yes or --json. Where nobody can be asked the command itself is the answer."""
        if change.yes or self.json or not sys.stdin.isatty():
            return
        click.confirm(question, abort=True, err=True)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What every changing command takes."""

    reason: str
    author: str
    key: str
    yes: bool
    wait: bool


def console_on(stream: Any) -> Console:
    """A console that does not break lines to 80 columns where no terminal is."""
    from rich.console import Console

    return Console(
        file=stream, width=None if stream.isatty() else WIDTH_OFF_TERMINAL, highlight=False, emoji=False, markup=False
    )


def json_text(document: dict[str, Any]) -> str:
    """One JSON document, indented."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


pass_session = click.make_pass_decorator(Session)


def everywhere(command: Command) -> Command:
    """The options each command takes as well as `gridkeeper` itself."""
    json_option = click.option(
        "--json", is_flag=True, expose_value=False, help="One JSON document on stdout."
    )  # read by the group, which also answers wrong usage in JSON
    data_dir_option = click.option(
        "--data-dir",
        metavar="DIR",
        expose_value=False,
        callback=_keep_data_dir,
        help="The data directory (default: $GRIDKEEPER_DATA_DIR or ~/.local/share/gridkeeper).",
    )
    return json_option(data_dir_option(command))


def changing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that changes something; the command gets them as `change`."""

    @functools.wraps(command)
    def with_change(*args: Any, reason: str, author: str, key: str, yes: bool, no_wait: bool, **rest: Any) -> Any:
        change = Change(
            reason=reason, author=author or getpass.getuser(), key=key or uuid.uuid4().hex, yes=yes, wait=not no_wait
        )
        return command(*args, change=change, **rest)

    options = (
        click.option("--reason", metavar="TEXT", default="", help="Why; it is recorded."),
        click.option("--author", metavar="NAME", default="", help="Who; it is recorded (default: the user)."),
        click.option("--key", metavar="K", default="", help="Makes a repetition harmless: same key, same answer."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--no-wait", is_flag=True, help="Return when it is recorded, not when it is done."),
    )
    for option in reversed(options):
        with_change = option(with_change)
    return with_change


def _keep_data_dir(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Session).data_dir_option = value
