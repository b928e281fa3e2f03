"""`gridkeeper agent`: a process of its own that holds a key and signs only what its account may do."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import click

from gridkeeper_cli.session import Session, everywhere, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.units import E6, E9, parse_scaled
from gridkeeper_drift.agent_policy import AgentPolicy, Band
from gridkeeper_drift.agent_server import serving_agent
from gridkeeper_drift.keys import load_signer
from gridkeeper_drift.opening import parse_address

_BAND = "INDEX:MAX_SIZE:LOW:HIGH"


@click.command()
@click.option("--key", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The key pair (mode 0600).")
@click.option("--socket", type=click.Path(path_type=Path), required=True, metavar="S", help="Where it listens.")
@click.option("--authority", required=True, metavar="ADDRESS", help="The owner of the account it signs for.")
@click.option("--sub-account", type=int, default=0, metavar="N", help="Which of the owner's accounts (0).")
@click.option("--band", "bands", multiple=True, required=True, metavar=_BAND, help="What may be ordered in a market.")
@click.option("--max-fee", type=int, default=1_000_000, metavar="LAMPORTS", help="The highest priority fee.")
@everywhere
@pass_session
def agent(
    session: Session, key: Path, socket: Path, authority: str, sub_account: int, bands: tuple[str, ...], max_fee: int
) -> None:
    """Sign for one account, until Ctrl-C: orders inside of the bands, cancels and settling; never a withdrawal.

    In gridkeeper.toml the account has `signer = "agent:/path/of/socket"`. Only processes of the same user are answered.

    \b
    Example:
      gridkeeper agent --key ~/bot.json --socket ~/bot.sock --authority 9xQe… --band 0:5:100:200
    """
    signer = load_signer(f"file:{key.expanduser()}")
    policy = AgentPolicy(
        authority=parse_address(authority, "--authority"),
        sub_account_id=sub_account,
        bands=dict(_band(text) for text in bands),
        max_priority_lamports=max_fee,
    )
    session.answer(
        {"agent": {"public_key": str(signer.public_key), "socket": str(socket)}},
        f"The agent signs as {signer.public_key} on {socket}.",
    )

    path = socket.expanduser()

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with serving_agent(path, signer, policy, lambda text: click.echo(text, err=True)):
            await stop.wait()

    asyncio.run(serve())


def _band(text: str) -> tuple[int, Band]:
    parts = text.split(":")
    try:
        index, size, low, high = parts
        market_index = int(index)
    except ValueError as error:
        raise GridkeeperError("BAD_VALUE", field="--band", value=text, expected=_BAND) from error
    band = Band(parse_scaled(size, E9, "--band"), parse_scaled(low, E6, "--band"), parse_scaled(high, E6, "--band"))
    if not 0 < band.low_e6 < band.high_e6:
        raise GridkeeperError("BAD_VALUE", field="--band", value=text, expected="LOW below HIGH")
    return market_index, band
