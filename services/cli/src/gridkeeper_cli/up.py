"""`gridkeeper up`: everything on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import io
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import click
import msgspec
from rich.console import Console

from gridkeeper_cli.account_file import check_signers
from gridkeeper_cli.all_in_one import AllInOne, Show
from gridkeeper_cli.child_plan import Wishes
from gridkeeper_cli.demo import CONFIG_FILE, MARKET, make_demo_files
from gridkeeper_cli.gridkeeper_toml import (
    PYTH,
    SYNTHETIC,
    Configuration,
    Profile,
    check_feed,
    check_profile,
    read_configuration,
    replayed_files,
)
from gridkeeper_cli.live_view import show_lines, show_live
from gridkeeper_cli.recording import check_recording
from gridkeeper_cli.session import Session, console_on, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.datadir import locked
from gridkeeper_runtime.files import make_private_directory
from gridkeeper_runtime.life import leaves
from gridkeeper_runtime.logs import JsonLine
from gridkeeper_runtime.process import open_log

FREE_SPEED_MAX = 60.0
DEMO = "demo"


@click.command(name="up")
@click.option("--profile", type=click.Choice(["demo", "paper", "drift"]), default=DEMO, help="What to run (demo).")
@click.option("--feed", metavar="SOURCE", help="synthetic, pyth, drift or replay:FILE.")
@click.option("--speed", type=float, default=1.0, metavar="X", help="How fast a recorded feed runs; 1: as it was.")
@click.option("--lockstep", is_flag=True, help="The next recorded price comes when all is at rest.")
@click.option(
    "--config", type=click.Path(path_type=Path), metavar="F", help="Default: gridkeeper.toml in the data dir."
)
@click.option(
    "--scenario", type=click.Path(path_type=Path), metavar="F", help="What goes wrong on the sandbox (see the docs)."
)
@click.option("--no-live-view", is_flag=True, help="One line every ten seconds instead of a screen.")
@click.option("--no-example", is_flag=True, hidden=True, help="Create no example grid.")
@click.option("--hold-after", type=int, hidden=True, help="Hold a recorded feed after so many rows.")
@everywhere
@pass_session
def up(
    session: Session,
    profile: Profile,
    feed: str | None,
    speed: float,
    lockstep: bool,  # noqa: FBT001  # click passes options by name
    config: Path | None,
    scenario: Path | None,
    no_live_view: bool,  # noqa: FBT001
    no_example: bool,  # noqa: FBT001
    hold_after: int | None,
) -> None:
    """Run everything on this machine: servers, services, and for the demo a sandbox, an account and a grid.

    The profile paper trades on the sandbox at live prices (Pyth), drift on the endpoint that gridkeeper.toml names.
    The same data directory carries on where it stopped. Ctrl-C stops everything in order.

    \b
    Example:
      gridkeeper up
      gridkeeper up --profile paper
      gridkeeper up --feed replay:trades.csv.gz --speed 60 --data-dir /tmp/replayed
    """
    wishes = Wishes(profile=profile, speed=speed, lockstep=lockstep, hold_after=hold_after, scenario=scenario)
    console = console_on(sys.stdout)
    data_dir = session.data_dir
    with locked(data_dir, version("gridkeeper-cli")), _log_file(data_dir):
        configuration = _configuration(data_dir, config, feed, wishes)
        all_in_one = AllInOne(
            data_dir,
            wishes,
            configuration,
            with_example=not no_example and profile == DEMO,
            say=console.print,
            show=_show(console, is_live=sys.stdout.isatty() and not no_live_view),
        )
        console.print(f"Gridkeeper starts in {data_dir}.")
        _run(all_in_one.run)
    console.print("Stopped. Everything is kept; the next `gridkeeper up` carries on.")


def _configuration(data_dir: Path, config: Path | None, feed: str | None, wishes: Wishes) -> Configuration:
    """What the file says, with `--feed` in the place of its feeds; the demo's file is written where there is none."""
    given = None if feed is None else check_feed(MARKET, feed, Path.cwd())
    if given is not None:
        check_recording(MARKET, given)
    path = config or data_dir / CONFIG_FILE
    if config is None and not path.exists():
        # Before anything is written: a start that is refused leaves nothing behind that the next one would follow.
        source = given or (PYTH if wishes.profile == "paper" else SYNTHETIC)
        _check_together(wishes, [source])
        _check_may_be_made(wishes, path)
        make_demo_files(data_dir, source)
    configuration = read_configuration(path)
    if given is not None:
        configuration = msgspec.structs.replace(configuration, feeds=dict.fromkeys(configuration.feeds, given))
    _check_together(wishes, configuration.feeds.values())
    check_profile(configuration, wishes.profile)
    check_signers(configuration)
    return configuration


def _check_may_be_made(wishes: Wishes, path: Path) -> None:
    if wishes.profile == "drift":
        raise GridkeeperError(
            "BAD_FILE",
            field="config",
            value=path,
            expected="a file with [accounts.NAME] and [feeds]",
            detail="Real money is traded only by a configuration somebody wrote.",
        )


def _check_together(wishes: Wishes, sources: Iterable[str]) -> None:
    is_tape = any(replayed_files(source) for source in sources)
    if not wishes.speed > 0:  # also not a number
        raise GridkeeperError("BAD_VALUE", field="--speed", value=wishes.speed, expected="above 0")
    for option, is_given in (
        ("--lockstep", wishes.lockstep),
        ("--speed", wishes.speed != 1.0),
        ("--hold-after", wishes.hold_after is not None),
    ):
        if is_given and wishes.profile != DEMO:
            raise GridkeeperError("BAD_VALUE", field=option, expected="the profile demo")
        if is_given and not is_tape:
            raise GridkeeperError("BAD_VALUE", field=option, expected="a recorded feed (--feed replay:FILE)")
    if wishes.speed > FREE_SPEED_MAX and not wishes.lockstep:
        raise GridkeeperError(
            "BAD_VALUE",
            field="--speed",
            value=wishes.speed,
            expected=f"at most {FREE_SPEED_MAX:.0f} without --lockstep",
            do="Add --lockstep: it goes as fast as everything can follow.",
        )


def _show(console: Console, *, is_live: bool) -> Show:
    show = show_live if is_live else show_lines
    return lambda watcher: show(watcher, console)


@contextmanager
def _log_file(data_dir: Path) -> Iterator[None]:
    """What the supervisor logs goes to a file: the terminal is for people."""
    make_private_directory(data_dir / "logs")
    with open_log(data_dir / "logs" / "up.log") as file, io.TextIOWrapper(file, "utf-8", line_buffering=True) as text:
        handler = logging.StreamHandler(text)
        handler.setFormatter(JsonLine("up"))
        root = logging.getLogger()
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        # A line per request would bury everything else.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        try:
            yield
        finally:
            root.removeHandler(handler)


def _run(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Until Ctrl-C or SIGTERM; a second one ends at once. Raises the first GridkeeperError of a group as itself."""

    async def until_stopped() -> None:
        stop = asyncio.Event()
        task = asyncio.ensure_future(main(stop))

        def asked() -> None:
            if stop.is_set():
                task.cancel()
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, asked)
        await task

    try:
        asyncio.run(until_stopped())
    except asyncio.CancelledError:
        raise click.Abort from None
    except BaseExceptionGroup as group:
        known = [error for error in leaves(group) if isinstance(error, GridkeeperError)]
        raise (known or leaves(group))[0] from group
