"""Answers a check that can fail: the report and, where it failed, the error beside it."""

from __future__ import annotations

from typing import Any

import click
from rich.console import RenderableType

from gridkeeper_cli.group import DONE, REFUSED
from gridkeeper_cli.session import Session, json_text
from gridkeeper_core.errors import GridkeeperError


def answer_checked(
    session: Session, name: str, document: dict[str, Any], error: GridkeeperError | None, *text: RenderableType
) -> int:
    """With --json a failed check is one document too: the error, and the report beside it."""
    if error is None:
        session.answer({name: document}, *text)
        return DONE
    if session.json:
        click.echo(json_text({"error": error.as_dict(), name: document}))
    else:
        session.answer({}, *text)
        session.refuse(error)
    return REFUSED
