"""`gridkeeper emergency`: cancel orders and close positions where bus, database or services are down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from gridkeeper_cli.account_file import read_account, venue_of
from gridkeeper_cli.session import Change, Session, changing, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import e9_text
from gridkeeper_drift.emergency import Done, EmergencyDesk

SLIPPAGE_BPS = 100
SLIPPAGE_BPS_MAX = 2_000
Act = Callable[[EmergencyDesk], Awaitable[Done]]


@click.group()
def emergency() -> None:
    """Act on the venue with nothing but endpoint and signer; a running Gridkeeper would place again, so stop it.

    What was done is taken into the records at the next start.

    \b
    Example:
      gridkeeper emergency cancel --account main
    """


def _account(command: Callable[..., Any]) -> Callable[..., Any]:
    config = click.option(
        "--config", type=click.Path(path_type=Path), metavar="F", help="Default: gridkeeper.toml in the data dir."
    )
    name = click.option("--account", "name", metavar="A", required=True, help="The account in gridkeeper.toml.")
    return name(config(command))


@emergency.command()
@_account
@changing
@everywhere
@pass_session
def cancel(session: Session, name: str, config: Path | None, change: Change) -> None:
    """Cancel every open order of an account, stops included.

    \b
    Example:
      gridkeeper emergency cancel --account main --yes
    """
    session.confirm(f"Cancel every order of account {name} on the venue?", change)
    _act(session, name, config, EmergencyDesk.cancel)


@emergency.command()
@_account
@click.option("--slippage-bps", type=int, default=SLIPPAGE_BPS, help="How much worse than the oracle (1/100 %).")
@changing
@everywhere
@pass_session
def flatten(session: Session, name: str, config: Path | None, slippage_bps: int, change: Change) -> None:
    """Cancel every open order of an account, then close its positions at the market.

    \b
    Example:
      gridkeeper emergency flatten --account main --yes
    """
    if not 0 <= slippage_bps <= SLIPPAGE_BPS_MAX:
        expected = f"0 to {SLIPPAGE_BPS_MAX}"
        raise GridkeeperError("BAD_VALUE", field="--slippage-bps", value=slippage_bps, expected=expected)
    session.confirm(f"Cancel every order of account {name} and close its positions at the market?", change)
    _act(session, name, config, lambda desk: desk.flatten(slippage_bps))


def _act(session: Session, name: str, config: Path | None, act: Act) -> None:
    entry = read_account(session.data_dir, config, name)

    async def done() -> Done:
        async with venue_of(session.data_dir, name, entry) as venue:
            return await act(EmergencyDesk(venue, name))

    found = asyncio.run(done())
    positions = [
        {"market": position.market, "base": e9_text(position.base_e9)}
        for position in found.account.positions
        if position.base_e9
    ]
    document = {
        "account": name,
        "signatures": list(found.signatures),
        "open_orders": len(found.account.orders),
        "positions": positions,
    }
    held = ", ".join(f"{item['base']} {item['market']}" for item in positions) or "no position"
    landed, orders = len(found.signatures), len(found.account.orders)
    session.answer(
        {"emergency": document}, f"Account {name}: {landed} transactions landed; {orders} orders are open, {held}."
    )
