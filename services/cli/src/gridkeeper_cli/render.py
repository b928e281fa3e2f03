"""Tables and sentences for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from rich import box
from rich.table import Table

from gridkeeper_cli.documents import Document

UNKNOWN = "-"
_CENT = Decimal("0.01")


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Document]) -> Table:
    """Rows of a document. `columns` are (member, heading); a heading that begins with `>` is set to the right."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for _, heading in columns:
        made.add_column(heading.removeprefix(">"), justify="right" if heading.startswith(">") else "left")
    for row in rows:
        made.add_row(*(cell(row[member]) for member, _ in columns))
    return made


def facts(pairs: Iterable[tuple[str, object]]) -> Table:
    """Names and values, one pair per line."""
    made = Table.grid(padding=(0, 2))
    for name, value in pairs:
        made.add_row(name, cell(value))
    return made


def cell(value: object) -> str:
    """A value in a table; empty and unknown are a dash."""
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return UNKNOWN if value is None or value == "" else str(value)


def cents(text: str | None) -> str | None:
    """A quote amount to the cent, signed, for reading; the exact one is in the JSON."""
    if text is None:
        return None
    rounded = Decimal(text).quantize(_CENT, rounding=ROUND_HALF_EVEN)
    return f"{rounded:+,f}" if rounded else "0.00"


def with_cents(row: Document, *members: str) -> Document:
    """The row with these amounts to the cent."""
    return {**row, **{member: cents(row[member]) for member in members}}


def counted(count: int, noun: str) -> str:
    """`1 fill`, `2 fills`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
