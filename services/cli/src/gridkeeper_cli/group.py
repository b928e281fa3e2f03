"""The root of the command: answers every outcome, also wrong usage, as text or as one JSON document."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast

import click

from gridkeeper_cli.session import Session
from gridkeeper_core.errors import GridkeeperError

DONE, REFUSED, WRONG_USAGE = 0, 1, 2


class GridkeeperGroup(click.Group):
    """Exit codes: 0 done, 1 refused or a check failed, 2 wrong usage.

    `commands_at` says where each command is (`module:name`); a command's module is imported when it is asked for.
    """

    def __init__(self, *args: Any, commands_at: Mapping[str, str] | None = None, **extra: Any) -> None:
        super().__init__(*args, **extra)
        self._commands_at = dict(commands_at or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the order of the alphabet."""
        return sorted({*super().list_commands(ctx), *self._commands_at})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now if it was not before."""
        place = self._commands_at.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = place.partition(":")
        return cast(click.Command, getattr(importlib.import_module(module), name))

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run one command and end the process."""
        words = list(sys.argv[1:] if args is None else args)
        session = Session(json="--json" in words)
        sys.exit(self._outcome(words, session, extra))

    def _outcome(self, words: list[str], session: Session, extra: dict[str, Any]) -> int:
        try:
            ended_with = super().main(words, **{**extra, "standalone_mode": False, "obj": session})
        except click.exceptions.NoArgsIsHelpError as error:
            return _wrong_usage(session, error, help_instead=True)
        except click.UsageError as error:
            return _wrong_usage(session, error)
        except GridkeeperError as error:
            session.refuse(error)
            return WRONG_USAGE if error.code == "BAD_USAGE" else REFUSED
        except (click.Abort, KeyboardInterrupt):
            click.echo("Stopped.", err=True)
            return REFUSED
        except Exception as error:
            return _unforeseen(session, error)
        return ended_with if isinstance(ended_with, int) else DONE


def _wrong_usage(session: Session, error: click.UsageError, *, help_instead: bool = False) -> int:
    if session.json:
        message = "a command is missing" if help_instead else error.format_message()
        session.refuse(GridkeeperError("BAD_USAGE", field=_parameter(error), detail=message))
    else:
        error.show()
    return WRONG_USAGE


def _unforeseen(session: Session, error: Exception) -> int:
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        # The reader has seen enough (`| head`). Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    traceback.print_exception(error)
    session.refuse(GridkeeperError("INTERNAL", detail=repr(error)))
    return REFUSED


def _parameter(error: click.UsageError) -> str:
    if isinstance(error, click.BadParameter) and error.param is not None:
        return str(error.param.human_readable_name)
    return ""
