"""`gridkeeper grid stop`: ends a grid and says in plain words what it earned in total."""

from __future__ import annotations

import asyncio

import click
import msgspec

from gridkeeper_cli import documents
from gridkeeper_cli.client import Client
from gridkeeper_cli.render import cents, counted
from gridkeeper_cli.session import Change, Session, changing, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import GridStopped
from gridkeeper_core.inputs import StopGrid
from gridkeeper_core.ledger import views as ledger
from gridkeeper_core.ledger.marks import Result
from gridkeeper_core.names import stream
from gridkeeper_core.units import e6_text, e9_text

STOPPED_WITHIN_S = 120.0
BOOKED_WITHIN_S = 10.0
POLL_S = 0.1


class _Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """How the grid ended; `books` None: the ledger had not closed them in time."""

    fact: GridStopped | None
    books: ledger.GridBooksView | None = None


@click.command()
@click.argument("grid_id", metavar="ID")
@click.option("--close", is_flag=True, help="Also close its position, at the market.")
@changing
@everywhere
@pass_session
def stop(session: Session, grid_id: str, close: bool, change: Change) -> None:  # noqa: FBT001
    """Cancel a grid's orders for good and keep its position, or close it with --close; then say what it earned.

    On a terminal it asks first, unless --yes is given.

    \b
    Example:
      gridkeeper grid stop sol-range --close --yes
    """
    session.confirm(f"Stop grid {grid_id} {'and close' if close else 'and keep'} its position?", change)
    stopped = session.ask(lambda client: _stop(client, grid_id, change, close=close))
    session.answer(_document(grid_id, stopped, change), *_sentences(grid_id, stopped))


async def _stop(client: Client, grid_id: str, change: Change, *, close: bool) -> _Stopped:
    await client.command(
        "grid", grid_id, "stop", StopGrid(close=close), key=change.key, author=change.author, reason=change.reason
    )
    if not change.wait:
        return _Stopped(fact=None)
    ended = await client.outcome(stream("grid", grid_id), ("grid.stopped.v1",), STOPPED_WITHIN_S)
    if ended is None:
        detail = f"Grid {grid_id} is stopping, but some of its orders are not gone after {STOPPED_WITHIN_S:.0f} s."
        raise GridkeeperError("SERVICE_SILENT", field="id", value=grid_id, detail=detail)
    assert isinstance(ended.fact, GridStopped)
    return _Stopped(fact=ended.fact, books=await _closed_books(client, grid_id))


async def _closed_books(client: Client, grid_id: str) -> ledger.GridBooksView | None:
    """The ledger hears of the end a moment after strategy."""
    deadline_s = asyncio.get_running_loop().time() + BOOKED_WITHIN_S
    while asyncio.get_running_loop().time() < deadline_s:
        try:
            books = await client.books(grid_id)
        except GridkeeperError as error:
            if error.code not in ("GRID_UNKNOWN", "SERVICE_SILENT"):
                raise
            return None
        if books and not books[0].is_open:
            return books[0]
        await asyncio.sleep(POLL_S)
    return None


def _document(grid_id: str, stopped: _Stopped, change: Change) -> documents.Document:
    made: documents.Document = {"id": grid_id, "state": "stopping", "key": change.key}
    if stopped.fact is not None:
        made |= {"state": "stopped", "position": e9_text(stopped.fact.position_e9), "fills": stopped.fact.fills}
        made["result"] = None if stopped.books is None else documents.result(stopped.books.result)
    return {"grid": made}


def _sentences(grid_id: str, stopped: _Stopped) -> list[str]:
    if stopped.fact is None:
        return [f"Grid {grid_id} is stopping. See `gridkeeper grid show {grid_id}`."]
    position = stopped.fact.position_e9
    kept = f"It leaves a position of {e9_text(position)} behind." if position else "It leaves no position behind."
    sentences = [f"Grid {grid_id} is stopped after {counted(stopped.fact.fills, 'fill')}. {kept}"]
    if stopped.books is None:
        return [*sentences, f"Its books are not closed yet: see `gridkeeper ledger show {grid_id}`."]
    return [*sentences, *_result_sentences(stopped.books.result)]


def _result_sentences(result: Result) -> list[str]:
    total = result.total_pnl_e6
    word = "earned" if total >= 0 else "lost"
    fees = "paid in fees" if result.fees_e6 >= 0 else "received in rebates"
    in_total = (
        f"In total it {word} {_cents(abs(total))}: {_cents(result.realized_pnl_e6)} realised by its fills, "
        f"{_cents(result.unrealized_pnl_e6)} in what is still open at {e6_text(result.price_e6)}, "
        f"{_cents(abs(result.fees_e6))} {fees}, {_cents(result.funding_e6)} of funding."
    )
    turns = (
        f"Completed turns ({result.turns}) alone brought {_cents(result.grid_profit_e6)} before fees; the total is "
        "what counts."
    )
    return [in_total, turns]


def _cents(value_e6: int) -> str:
    return str(cents(e6_text(value_e6))).removeprefix("+")
