"""A progress bar on a terminal, and nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from gridkeeper_cli.audit_logs import Progress as Told
from gridkeeper_cli.audit_logs import unseen


@contextmanager
def progress_bar(what: str, *, json: bool) -> Iterator[Told]:
    """Shown on stderr where that is a terminal and nobody asked for JSON; gone when the work is done."""
    if json or not sys.stderr.isatty():
        yield unseen
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
