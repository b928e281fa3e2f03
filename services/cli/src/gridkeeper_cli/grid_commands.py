"""`gridkeeper grid`: list, show, pause and resume grids; the other verbs have modules of their own."""

from __future__ import annotations

import asyncio

import click
import msgspec
from rich.console import RenderableType

from gridkeeper_cli import documents
from gridkeeper_cli.client import Client
from gridkeeper_cli.grid_clone import clone
from gridkeeper_cli.grid_create import create
from gridkeeper_cli.grid_edit import edit
from gridkeeper_cli.grid_explain import explain
from gridkeeper_cli.grid_flag import flag_grid
from gridkeeper_cli.grid_stop import stop
from gridkeeper_cli.render import facts, table, with_cents
from gridkeeper_cli.session import Change, Session, changing, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import PauseGrid, ResumeGrid
from gridkeeper_core.ledger import views as ledger
from gridkeeper_core.requests import GridDetail, GridView, LevelView
from gridkeeper_core.units import e9_text

CANCELLED_WITHIN_S = 30.0
POLL_S = 0.1
_COLUMNS = (
    ("id", "grid"),
    ("market", "market"),
    ("state", "state"),
    ("reasons", "because"),
    ("price", ">price"),
    ("gap", ">gap"),
    ("position", ">position"),
    ("live_orders", ">live"),
    ("fills", ">fills"),
    ("grid_profit", ">grid profit"),
    ("total_pnl", ">total PnL"),
    ("fees", ">fees"),
    ("funding", ">funding"),
)
_LEVEL_COLUMNS = (
    ("level", ">level"),
    ("price", ">price"),
    ("side", "order"),
    ("size", ">size"),
    ("filled", ">filled"),
    ("code", "code"),
    ("why", "detail"),
)
_ORDER_COLUMNS = (
    ("kind", "kind"),
    ("side", "side"),
    ("cell", ">cell"),
    ("price", ">price"),
    ("size", ">size"),
    ("filled", ">filled"),
    ("unwanted", "to go because"),
)
_MONEY = ("grid_profit", "total_pnl", "fees", "funding")


class _Listed(msgspec.Struct, frozen=True, kw_only=True):
    grids: list[GridView]
    books: dict[str, ledger.GridBooksView]
    ledger_is_silent: bool = False


@click.group()
def grid() -> None:
    """Create, watch and stop grids.

    \b
    Example:
      gridkeeper grid list
    """


@grid.command("list")
@everywhere
@pass_session
def list_grids(session: Session) -> None:
    """List all grids with what they earned.

    \b
    Example:
      gridkeeper grid list --json
    """
    listed = session.ask(_listed)
    if listed.ledger_is_silent:
        session.warn("the ledger does not answer; profit, fees and funding are left out")
    rows = [documents.grid_row(view, listed.books.get(view.id)) for view in listed.grids]
    told = table(_COLUMNS, [with_cents(row, *_MONEY) for row in rows]) if rows else "There is no grid yet."
    session.answer({"grids": rows}, told)


@grid.command()
@click.argument("grid_id", metavar="ID")
@everywhere
@pass_session
def show(session: Session, grid_id: str) -> None:
    """Show one grid: its orders, its cells, its money.

    \b
    Example:
      gridkeeper grid show sol-range
    """

    async def ask(client: Client) -> tuple[GridDetail, ledger.GridBooksView | None]:
        return await client.grid(grid_id), await _books_if_any(client, grid_id)

    detail, books = session.ask(ask)
    document = documents.grid_detail(detail, books)
    shown = [(heading.removeprefix(">"), document[name]) for name, heading in _COLUMNS]
    held = f"{e9_text(sum(detail.held_e9))} of {e9_text(sum(detail.sizes_e9))}"
    extent = f"{document['lower']} to {document['upper']}, {len(detail.sizes_e9)} cells holding {held}"
    session.answer(
        {"grid": document},
        facts(
            [
                *shown,
                ("range", extent),
                ("turns", detail.view.turns),
                ("flag", _flag_text(document)),
                ("updated", document["updated"]),
            ]
        ),
        *[f"{pause.code}: {pause.meaning} {pause.told}".rstrip() for pause in detail.pauses],
        "",
        table(_LEVEL_COLUMNS, _levels_shown(detail)) if detail.reasons else _no_levels(detail),
        *_other_orders(detail, document),
    )


def _flag_text(document: documents.Document) -> str:
    until = f" until {document['flag_until']}" if document["flag_until"] else ""
    return f"{document['flag']}{until}"


def _no_levels(detail: GridDetail) -> str:
    return "It has no levels any more." if detail.view.state == "stopped" else "It has no levels yet."


def _levels_shown(detail: GridDetail) -> list[documents.Document]:
    """The highest first. Of what waits outside of the window only the ends are shown: `explain` has them all."""
    orders = {order.intent_id: order for order in detail.orders}
    shown: list[documents.Document] = []
    hidden = 0
    last = len(detail.reasons) - 1
    for view in reversed(detail.reasons):
        if view.code == "WINDOW" and 0 < view.level < last:
            hidden += 1
            continue
        if hidden:
            shown.append(_blank(f"{hidden} more", "WINDOW"))
            hidden = 0
        order = orders.get(view.intent_id)
        row = documents.level(view)
        shown.append({**row, "filled": e9_text(order.filled_e9) if order else "", "why": _why(view)})
    return [*shown, _blank(f"{hidden} more", "WINDOW")] if hidden else shown


def _blank(level: str, code: str) -> documents.Document:
    return {"level": level, "price": "", "side": "", "size": "", "filled": "", "code": code, "why": ""}


def _why(view: LevelView) -> str:
    return "" if view.code in ("ORDER", "GAP", "WINDOW") else view.detail


def _other_orders(detail: GridDetail, document: documents.Document) -> list[RenderableType]:
    """Stops, closing orders, and those that an edit left behind."""
    told = {view.intent_id for view in detail.reasons}
    rest = [order for order in document["orders"] if order["intent"] not in told]
    return ["", "Other orders:", table(_ORDER_COLUMNS, rest)] if rest else []


@grid.command()
@click.argument("grid_id", metavar="ID")
@click.option("--keep-orders", is_flag=True, help="Leave its orders on the venue.")
@changing
@everywhere
@pass_session
def pause(session: Session, grid_id: str, keep_orders: bool, change: Change) -> None:  # noqa: FBT001
    """Cancel a grid's orders and place none until it is resumed; its position stays.

    \b
    Example:
      gridkeeper grid pause sol-range --reason "news ahead"
    """

    async def tell(client: Client) -> GridDetail:
        body = PauseGrid(keep_orders=keep_orders)
        await client.command("grid", grid_id, "pause", body, key=change.key, author=change.author, reason=change.reason)
        return await _without_orders(client, grid_id) if change.wait and not keep_orders else await client.grid(grid_id)

    detail = session.ask(tell)
    session.answer(_changed(detail, change), f"Grid {grid_id} is paused. {_orders_left(detail, keep=keep_orders)}")


@grid.command()
@click.argument("grid_id", metavar="ID")
@changing
@everywhere
@pass_session
def resume(session: Session, grid_id: str, change: Change) -> None:
    """Let a grid trade again after a pause, a loss limit or a fault.

    \b
    Example:
      gridkeeper grid resume sol-range --reason "news is out"
    """

    async def tell(client: Client) -> GridDetail:
        await client.command(
            "grid", grid_id, "resume", ResumeGrid(), key=change.key, author=change.author, reason=change.reason
        )
        return await client.grid(grid_id)

    detail = session.ask(tell)
    reasons = ", ".join(detail.view.reasons)
    told = f"Grid {grid_id} still waits: {reasons}." if reasons else f"Grid {grid_id} trades again."
    session.answer(_changed(detail, change), told)


for _command in (create, stop, edit, clone, flag_grid, explain):
    grid.add_command(_command)


def _orders_left(detail: GridDetail, *, keep: bool) -> str:
    left = len(detail.orders)
    if keep:
        return f"Its {left} orders stay on the venue."
    if left:
        account = detail.view.account
        return f"{left} of its orders are not cancelled yet: see `gridkeeper account show {account}`."
    return "It has no orders left."


async def _listed(client: Client) -> _Listed:
    grids = await client.grids()
    try:
        books = await client.books()
    except GridkeeperError as error:
        if error.code != "SERVICE_SILENT":
            raise
        # Whoever looks at grids while the ledger is down wants to see them all the more.
        return _Listed(grids=grids, books={}, ledger_is_silent=True)
    return _Listed(grids=grids, books={view.grid_id: view for view in books})


async def _books_if_any(client: Client, grid_id: str) -> ledger.GridBooksView | None:
    """A grid that was only proposed has no books."""
    try:
        books = await client.books(grid_id)
    except GridkeeperError as error:
        if error.code in ("GRID_UNKNOWN", "SERVICE_SILENT"):
            return None
        raise
    return books[0] if books else None


async def _without_orders(client: Client, grid_id: str) -> GridDetail:
    """The grid when its orders are gone, or as it is when that takes too long."""
    deadline_s = asyncio.get_running_loop().time() + CANCELLED_WITHIN_S
    while True:
        detail = await client.grid(grid_id)
        if not detail.orders or asyncio.get_running_loop().time() >= deadline_s:
            return detail
        await asyncio.sleep(POLL_S)


def _changed(detail: GridDetail, change: Change) -> documents.Document:
    view = detail.view
    return {
        "grid": {
            "id": view.id,
            "state": view.state,
            "reasons": list(view.reasons),
            "live_orders": view.live_orders,
            "orders": len(detail.orders),
            "key": change.key,
        }
    }
