"""Writes docs/requests.md: what can be asked of a service over NATS, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gridkeeper_cli.reference_shapes import shapes_in, struct_part, type_text
from gridkeeper_core.interface import COMMANDS, EVERYWHERE, QUERIES, CommandKind, Query
from gridkeeper_core.names import command_subject, query_subject
from gridkeeper_core.requests import CommandReply, CommandRequest

_OPENING = """\
The `gridkeeper` command asks the services by NATS request and reply, and so can any program that may sign in as one
that asks ([security](security.md)). Bodies are JSON. Each service is a micro service of NATS: `nats micro ls` shows it,
with every subject it serves and how long answers took. Subjects below are of shard 0. Amounts are integers here, in the
unit that the field's name ends in, as in [events](events.md).

A refusal has the header `Nats-Service-Error-Code` with a [code](errors.md) and the body
`{"error": {"code", "field", "value", "expected", "do", "detail"}}`. What a service answers over HTTP (probes, metrics,
Alertmanager's webhook) is in [openapi.json](openapi.json)."""

_COMMANDS = """\
A command is told to one stream and answered after its commit: what was answered will not be forgotten. The same `key`
again gets the same answer and does nothing more. The body's `type` says what is to be done; the subject's last token is
for people."""


def requests_page() -> str:
    """docs/requests.md, without its notice."""
    parts = ["# Requests", _OPENING, "## Queries", _query_table((*QUERIES, *EVERYWHERE))]
    parts += ["## Commands", _COMMANDS, _command_table(COMMANDS), "## Shapes"]
    for shape in _all_shapes():
        parts += struct_part(shape, f"### {shape.__name__}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _query_table(queries: Iterable[Query[Any]]) -> str:
    rows = [
        f"| `{query_subject(0, query.service, query.what)}` | {query.meaning} | "
        f"{type_text(query.asks) if query.asks else 'nothing'} | {type_text(query.answers)} | "
        f"{', '.join(f'`{code}`' for code in query.codes)} |"
        for query in queries
    ]
    return "\n".join(["| subject | meaning | asks | answers | refusals |", "| --- | --- | --- | --- | --- |", *rows])


def _command_table(kinds: Iterable[CommandKind]) -> str:
    rows = [
        f"| `{command_subject(0, kind.kind, '<id>', '<verb>')}` | {kind.service} | {type_text(body)} | "
        f"`{body.__struct_config__.tag}` |"
        for kind in kinds
        for body in kind.bodies
    ]
    return "\n".join(["| subject | taken by | body | `type` |", "| --- | --- | --- | --- |", *rows])


def _all_shapes() -> list[type[msgspec.Struct]]:
    both = [shape for query in (*QUERIES, *EVERYWHERE) for shape in (query.asks, query.answers)]
    return shapes_in([CommandRequest, CommandReply, *both])
