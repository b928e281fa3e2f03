"""`gridkeeper ledger`: what grids earned, and why the total is not the grid profit."""

from __future__ import annotations

import click

from gridkeeper_cli import documents
from gridkeeper_cli.ledger_export import export
from gridkeeper_cli.ledger_from_csv import from_csv
from gridkeeper_cli.ledger_proof import proof
from gridkeeper_cli.ledger_statement import read_statement, show_statement
from gridkeeper_cli.render import facts, table, with_cents
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.ledger import views
from gridkeeper_runtime.datadir import read_run_file

_COLUMNS = (
    ("id", "grid"),
    ("market", "market"),
    ("open", "open"),
    ("position", ">position"),
    ("average_entry", ">entry"),
    ("fills", ">fills"),
    ("turns", ">turns"),
    ("grid_profit", ">grid profit"),
    ("realized_pnl", ">realised"),
    ("unrealized_pnl", ">unrealised"),
    ("fees", ">fees"),
    ("funding", ">funding"),
    ("total_pnl", ">total PnL"),
)
_MONEY = ("grid_profit", "realized_pnl", "unrealized_pnl", "fees", "funding", "total_pnl")
_LINE_COLUMNS = (("name", "from grid profit to total PnL"), ("quote", ">quote"))


@click.group()
def ledger() -> None:
    """Money: what was earned, paid and received.

    \b
    Example:
      gridkeeper ledger show
    """


@ledger.command()
@click.argument("grid_id", metavar="[ID]", required=False, default="")
@click.option("--turns", is_flag=True, help="The grid's statement: every turn, each cell, yearly rates, drawdown.")
@everywhere
@pass_session
def show(session: Session, grid_id: str, turns: bool) -> None:  # noqa: FBT001  # click passes options by name
    """Show the books of one grid, line by line, or of all grids.

    \b
    Example:
      gridkeeper ledger show
      gridkeeper ledger show sol-range --turns --json
    """
    if turns:
        if not grid_id:
            raise GridkeeperError("BAD_USAGE", field="ID", expected="the grid whose turns are wanted")
        price_e6 = _only(session.ask(lambda client: client.books(grid_id)), grid_id).result.price_e6
        show_statement(session, read_statement(read_run_file(session.data_dir).postgres_url, grid_id, price_e6))
        return
    books = session.ask(lambda client: client.books(grid_id))
    if not grid_id:
        rows = [documents.grid_books(view) for view in books]
        told = table(_COLUMNS, [with_cents(row, *_MONEY) for row in rows]) if rows else "There are no books yet."
        session.answer({"grids": rows}, told)
        return
    _show_one(session, _only(books, grid_id))


for _command in (from_csv, proof, export):
    ledger.add_command(_command)


def _only(books: list[views.GridBooksView], grid_id: str) -> views.GridBooksView:
    for view in books:
        if view.grid_id == grid_id:
            return view
    raise GridkeeperError("GRID_UNKNOWN", field="id", value=grid_id)


def _show_one(session: Session, view: views.GridBooksView) -> None:
    document = documents.grid_books(view)
    shown = [(heading.removeprefix(">"), document[member]) for member, heading in _COLUMNS]
    lines = [*document["lines"], {"name": "total PnL", "quote": document["total_pnl"]}]
    session.answer(
        {"grid": document},
        facts([*shown, ("valued at", document["price"]), ("break-even", document["break_even"]), *_earned(document)]),
        "",
        table(_LINE_COLUMNS, lines) if view.lines else "The grid is stopped; its totals stand.",
    )


def _earned(document: documents.Document) -> list[tuple[str, object]]:
    """Of the capital at the opening; `--turns` tells it with the edits since."""
    if document.get("capital") is None:
        return []
    return [
        ("capital", document["capital"]),
        ("grid APR", _percent(document["grid_apr_percent"])),
        ("total APR", _percent(document["total_apr_percent"])),
        ("drawdown", f"{document['drawdown']} ({document['drawdown_percent']} %)"),
    ]


def _percent(number: str | None) -> str | None:
    """A grid's first hours say nothing about a year."""
    return None if number is None else f"{number} %"
