"""`gridkeeper account`: list and show accounts, halt and resume their trading."""

from __future__ import annotations

import asyncio

import click

from gridkeeper_cli import documents
from gridkeeper_cli.client import Client
from gridkeeper_cli.group import GridkeeperGroup
from gridkeeper_cli.render import facts, table
from gridkeeper_cli.session import Change, Session, changing, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.inputs import HaltAccount, ResumeAccount
from gridkeeper_core.ledger import views as ledger
from gridkeeper_core.requests import AccountView

CANCELLED_WITHIN_S = 30.0
POLL_S = 0.1
_COLUMNS = (
    ("name", "account"),
    ("phase", "phase"),
    ("halted", "halted because"),
    ("differs", "differs"),
    ("deposit", ">deposit"),
    ("open_orders", ">orders"),
    ("free_slots", ">free slots"),
    ("grids", "grids"),
    ("sol_spent", ">SOL spent"),
)
_POSITION_COLUMNS = (("market", "market"), ("base", ">base"), ("quote_entry", ">entry"), ("quote_asset", ">quote"))
_LINE_COLUMNS = (("name", "line"), ("quote", ">quote"))


_ELSEWHERE = {
    "create": "gridkeeper_cli.account_owner:create",
    "deposit": "gridkeeper_cli.account_owner:deposit",
    "withdraw": "gridkeeper_cli.account_owner:withdraw",
    "delegate": "gridkeeper_cli.account_owner:delegate",
    "settle": "gridkeeper_cli.account_settling:settle",
    "adopt": "gridkeeper_cli.account_settling:adopt",
    "reject": "gridkeeper_cli.account_settling:reject",
}


@click.group(cls=GridkeeperGroup, commands_at=_ELSEWHERE)
def account() -> None:
    """Make accounts, pay in and out, look at them, halt and resume them.

    \b
    Example:
      gridkeeper account list
    """


@account.command("list")
@everywhere
@pass_session
def list_accounts(session: Session) -> None:
    """List all accounts.

    \b
    Example:
      gridkeeper account list --json
    """
    rows = [documents.account(view) for view in session.ask(lambda client: client.accounts())]
    session.answer({"accounts": rows}, table(_COLUMNS, rows) if rows else "There is no account.")


@account.command()
@click.argument("name", metavar="NAME")
@everywhere
@pass_session
def show(session: Session, name: str) -> None:
    """Show one account: its state, its positions, and its equity by the books.

    \b
    Example:
      gridkeeper account show main
    """

    async def ask(client: Client) -> tuple[AccountView, ledger.AccountBooksView | None]:
        return await client.account(name), await _books_if_any(client, name)

    view, books = session.ask(ask)
    document = documents.account(view)
    document["books"] = None if books is None else documents.account_books(books)
    shown = [(heading.removeprefix(">"), document[member]) for member, heading in _COLUMNS]
    text = [facts(shown), table(_POSITION_COLUMNS, document["positions"])]
    if document["books"] is not None:
        lines = [*document["books"]["lines"], {"name": "equity by the books", "quote": document["books"]["equity"]}]
        text.append(table(_LINE_COLUMNS, lines))
    session.answer({"account": document}, *text)


@account.command()
@click.argument("name", metavar="NAME", required=False)
@click.option("--all", "everyone", is_flag=True, help="All accounts.")
@changing
@everywhere
@pass_session
def halt(session: Session, name: str | None, everyone: bool, change: Change) -> None:  # noqa: FBT001
    """Cancel the orders of all grids of an account and refuse placing; positions stay.

    On a terminal it asks first, unless --yes is given.

    \b
    Example:
      gridkeeper account halt main --reason "venue trouble" --yes
      gridkeeper account halt --all --yes
    """
    session.confirm(f"Halt {name or 'all accounts'}?", _one_or_all(name, change, everyone=everyone))
    _tell(session, name, "halt", change)


@account.command()
@click.argument("name", metavar="NAME", required=False)
@click.option("--all", "everyone", is_flag=True, help="All accounts.")
@changing
@everywhere
@pass_session
def resume(session: Session, name: str | None, everyone: bool, change: Change) -> None:  # noqa: FBT001
    """End the halt of an account; its grids trade again.

    \b
    Example:
      gridkeeper account resume main --reason "venue is well"
    """
    _tell(session, name, "resume", _one_or_all(name, change, everyone=everyone))


def _one_or_all(name: str | None, change: Change, *, everyone: bool) -> Change:
    if (name is None) != everyone:
        raise GridkeeperError("BAD_USAGE", field="NAME", expected="either NAME or --all")
    return change


def _tell(session: Session, name: str | None, verb: str, change: Change) -> None:
    async def tell(client: Client) -> list[AccountView]:
        aliases = [name] if name is not None else [view.alias for view in await client.accounts()]
        for alias in aliases:
            await _tell_one(client, alias, verb, change, one_of_many=name is None)
        if verb == "halt" and change.wait:
            await _grids_without_orders(client, aliases)
        return [view for view in await client.accounts() if view.alias in aliases]

    views = session.ask(tell)
    rows = [documents.account(view) for view in views]
    sentences = [
        f"Account {view.alias} is halted; {view.open_orders} orders are open."
        if view.halted
        else f"Account {view.alias} is not halted."
        for view in views
    ]
    session.answer({"accounts": rows, "key": change.key}, *sentences)


async def _tell_one(client: Client, alias: str, verb: str, change: Change, *, one_of_many: bool) -> None:
    # One key names one answer, so each account of several has a key of its own.
    key = f"{change.key}/{alias}" if one_of_many else change.key
    body = HaltAccount() if verb == "halt" else ResumeAccount()
    await client.command("account", alias, verb, body, key=key, author=change.author, reason=change.reason)


async def _grids_without_orders(client: Client, aliases: list[str]) -> None:
    """Wait until the halted grids have no live order, or too long."""
    deadline_s = asyncio.get_running_loop().time() + CANCELLED_WITHIN_S
    while asyncio.get_running_loop().time() < deadline_s:
        if not any(grid.live_orders for grid in await client.grids() if grid.account in aliases):
            return
        await asyncio.sleep(POLL_S)


async def _books_if_any(client: Client, alias: str) -> ledger.AccountBooksView | None:
    """An account nothing was booked on yet has no books."""
    try:
        return await client.account_books(alias)
    except GridkeeperError as error:
        if error.code in ("ACCOUNT_UNKNOWN", "SERVICE_SILENT"):
            return None
        raise
