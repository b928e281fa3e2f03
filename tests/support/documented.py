"""The commands that documents show, and whether they are ones that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click

from gridkeeper_cli.__main__ import cli

_BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_PROGRAM = re.compile(r"(?:^|\s)(?:\.venv/bin/)?gridkeeper ([a-z-].*)")
_ENDS_A_COMMAND = re.compile(r"\s(?:\||>|&&|;|#).*| {3,}.*")


def commands_in(text: str) -> Iterator[str]:
    """What follows `gridkeeper` on every line of a block, and in every piece of inline code that begins with it."""
    for block in _BLOCK.findall(text):
        for line in block.splitlines():
            if found := _PROGRAM.search(line):
                yield _ENDS_A_COMMAND.sub("", found.group(1)).strip()
    for code in _INLINE.findall(_BLOCK.sub("", text)):
        if code.startswith(("gridkeeper ", ".venv/bin/gridkeeper ")):
            yield _ENDS_A_COMMAND.sub("", code.partition("gridkeeper ")[2]).strip()


def trouble_with(words: str) -> str:
    """Why this is no command with these options; empty when it is one. Arguments may be anything."""
    command: click.Command = cli
    context = click.Context(cli)
    parts = [part for part in shlex.split(words.replace("…", "X")) if not part.startswith("(")]
    while parts and isinstance(command, click.Group) and not parts[0].startswith("-"):
        found = command.get_command(context, parts[0])
        if found is None:
            return f"there is no command {parts[0]!r}"
        command, parts = found, parts[1:]
    known = {name for param in command.params for name in [*param.opts, *param.secondary_opts]} | {"--help"}
    unknown = [part for part in parts if part.startswith("-") and part.partition("=")[0] not in known]
    return f"{command.name} does not know {', '.join(unknown)}" if unknown else ""
