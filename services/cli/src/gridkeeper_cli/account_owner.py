"""`gridkeeper account create|deposit|withdraw|delegate`: what only the owner's key may do, straight to the endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from gridkeeper_cli.account_file import read_account, venue_of
from gridkeeper_cli.gridkeeper_toml import AccountEntry
from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import E6, e6_text, parse_scaled
from gridkeeper_core.venue.records import VenueAccount
from gridkeeper_drift.agent_client import open_signer
from gridkeeper_drift.opening import parse_address
from gridkeeper_drift.owner import OwnerDesk
from gridkeeper_drift.sender import Landed

NAME = "gridkeeper"
Act = Callable[[OwnerDesk], Awaitable[Landed]]


def _owner(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that only the owner may use."""
    config = click.option(
        "--config", type=click.Path(path_type=Path), metavar="F", help="Default: gridkeeper.toml in the data dir."
    )
    key = click.option("--owner-key", type=click.Path(path_type=Path), metavar="FILE", help="The owner's key pair.")
    return key(config(command))


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--deposit", metavar="AMOUNT", default="", help="Pay so much of the quote asset in at once.")
@_owner
@everywhere
@pass_session
def create(session: Session, name: str, deposit: str, owner_key: Path | None, config: Path | None) -> None:
    """Create the sub-account that gridkeeper.toml names, with its signer as delegate; all of it or nothing.

    \b
    Example:
      gridkeeper account create main --owner-key ~/owner.json --deposit 1000
    """
    entry = read_account(session.data_dir, config, name)
    amount_e6 = _amount_e6(deposit, "deposit") if deposit else 0
    delegate = open_signer(entry.signer).public_key
    found = _act(session, name, entry, owner_key, lambda desk: desk.create(NAME, amount_e6, delegate=delegate))
    _tell(session, name, found, f"Account {name} was created with {e6_text(found.deposit_e6)}.")


@click.command()
@click.argument("name", metavar="NAME")
@click.argument("amount", metavar="AMOUNT")
@_owner
@everywhere
@pass_session
def deposit(session: Session, name: str, amount: str, owner_key: Path | None, config: Path | None) -> None:
    """Pay the quote asset into the account, from the owner's token account.

    \b
    Example:
      gridkeeper account deposit main 500 --owner-key ~/owner.json
    """
    entry = read_account(session.data_dir, config, name)
    amount_e6 = _amount_e6(amount, "AMOUNT")
    found = _act(session, name, entry, owner_key, lambda desk: desk.deposit(amount_e6))
    _tell(session, name, found, f"{e6_text(amount_e6)} was paid in; the deposit is {e6_text(found.deposit_e6)}.")


@click.command()
@click.argument("name", metavar="NAME")
@click.argument("amount", metavar="AMOUNT")
@_owner
@everywhere
@pass_session
def withdraw(session: Session, name: str, amount: str, owner_key: Path | None, config: Path | None) -> None:
    """Pay the quote asset out, to the owner's token account; settle first what is profit (account settle).

    \b
    Example:
      gridkeeper account withdraw main 500 --owner-key ~/owner.json
    """
    entry = read_account(session.data_dir, config, name)
    amount_e6 = _amount_e6(amount, "AMOUNT")
    found = _act(session, name, entry, owner_key, lambda desk: desk.withdraw(amount_e6))
    _tell(session, name, found, f"{e6_text(amount_e6)} was paid out; the deposit is {e6_text(found.deposit_e6)}.")


@click.command()
@click.argument("name", metavar="NAME")
@click.argument("address", metavar="ADDRESS", required=False)
@_owner
@everywhere
@pass_session
def delegate(session: Session, name: str, address: str | None, owner_key: Path | None, config: Path | None) -> None:
    """Let another key trade for the account, but not withdraw; without ADDRESS the signer of gridkeeper.toml.

    \b
    Example:
      gridkeeper account delegate main --owner-key ~/owner.json
    """
    entry = read_account(session.data_dir, config, name)
    key = open_signer(entry.signer).public_key if address is None else parse_address(address, "ADDRESS")
    found = _act(session, name, entry, owner_key, lambda desk: desk.set_delegate(key))
    _tell(session, name, found, f"{key} may trade for account {name} now, and not withdraw.")


def _act(session: Session, name: str, entry: AccountEntry, owner_key: Path | None, act: Act) -> VenueAccount:
    """Do it, and read the account as it is then."""
    if owner_key is None:
        raise GridkeeperError("OWNER_KEY_NEEDED", field="--owner-key", expected="the key file of the owner")

    async def done() -> VenueAccount:
        async with venue_of(session.data_dir, name, entry, owner_key=owner_key) as venue:
            await act(OwnerDesk(venue, name))
            return (await venue.read_accounts())[name]

    return asyncio.run(done())


def _tell(session: Session, name: str, found: VenueAccount, sentence: str) -> None:
    document = {"name": name, "deposit": e6_text(found.deposit_e6), "slot": found.slot}
    session.answer({"account": document}, sentence)


def _amount_e6(text: str, field: str) -> int:
    amount_e6 = parse_scaled(text, E6, field)
    if amount_e6 <= 0:
        raise GridkeeperError("BAD_VALUE", field=field, value=text, expected="above 0")
    return amount_e6
