"""`gridkeeper grid clone`: a new grid with the settings of another, some of them changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gridkeeper_cli.client import Client
from gridkeeper_cli.grid_create import Created, propose, told
from gridkeeper_cli.grid_file import Assumptions, GridFile
from gridkeeper_cli.grid_history import versions
from gridkeeper_cli.preview_command import assuming
from gridkeeper_cli.session import Change, Session, changing, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.file_text import typed, with_settings
from gridkeeper_core.grid.parse import parse_grid


@click.command("clone")
@click.argument("grid_id", metavar="ID")
@click.option("--as", "new_id", metavar="NEW", required=True, help="The new grid's name.")
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Change a setting: grid.upper=190.")
@click.option("--write", metavar="FILE", type=click.Path(path_type=Path), help="Only write the grid file.")
@assuming
@changing
@everywhere
@pass_session
def clone(
    session: Session,
    grid_id: str,
    new_id: str,
    settings: tuple[str, ...],
    write: Path | None,
    assumed: Assumptions,
    accepted: tuple[str, ...],
    change: Change,
) -> None:
    """Create a grid with the settings of another one. Position, orders and books are its own.

    \b
    Example:
      gridkeeper grid clone sol-range --as sol-wide --set grid.account=second --set grid.upper=190
      gridkeeper grid clone sol-range --as eth --set grid.market=ETH-PERP --write eth.toml
    """
    changed = {"grid.id": new_id, **dict(_setting(text) for text in settings)}

    async def file_of(client: Client) -> GridFile:
        # Of a stopped grid only the record still has the file.
        present = (await client.grid(grid_id)).source or (await versions(client, grid_id))[-1].source
        source = with_settings(present, changed)
        return GridFile(source=source, config=parse_grid(source))

    if write is not None:
        file = session.ask(file_of)
        _write(write, file.source)
        session.answer({"file": str(write)}, f"The grid file is {write}; nothing was created.")
        return

    async def create(client: Client) -> tuple[GridFile, Created]:
        file = await file_of(client)
        return file, await propose(client, file, assumed, accepted, change)

    file, created = session.ask(create)
    document, sentence = told(file, created, change)
    session.answer(document, sentence)


def _setting(text: str) -> tuple[str, Any]:
    path, sign, value = text.partition("=")
    if not sign or "." not in path:
        raise GridkeeperError(
            "BAD_USAGE", field="--set", value=text, expected="TABLE.KEY=VALUE, such as grid.upper=190"
        )
    return path.strip(), typed(path.strip(), value.strip())


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise GridkeeperError("BAD_FILE", field="--write", value=path, detail=str(error)) from error
