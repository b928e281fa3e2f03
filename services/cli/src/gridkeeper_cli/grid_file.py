"""From a grid file and a running Gridkeeper (or typical values) to the preview of the grid."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gridkeeper_cli.client import Client
from gridkeeper_cli.session import Session
from gridkeeper_cli.typical_markets import NOTE, typical_market
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.parse import parse_amount, parse_grid
from gridkeeper_core.grid.preview import Preview, preview
from gridkeeper_core.grid.preview_money import SIGNATURE_LAMPORTS, Costs
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import E6

SOL_MARKET = "SOL-PERP"


class GridFile(msgspec.Struct, frozen=True, kw_only=True):
    """A grid file: its text and what it says."""

    source: str
    config: GridConfig


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the user said about the world; None: ask the running Gridkeeper, or leave it out."""

    price_e6: int | None = None
    sol_price_e6: int | None = None
    sigma_day_e6: int | None = None
    transaction_lamports: int = SIGNATURE_LAMPORTS


class _World(msgspec.Struct, frozen=True, kw_only=True):
    """The market and the prices a preview is made with."""

    spec: MarketSpec
    price_e6: int | None
    sol_price_e6: int | None
    note: str = ""


class Previewed(msgspec.Struct, frozen=True, kw_only=True):
    """A preview, and what is to be said about where its numbers are from."""

    preview: Preview
    note: str


def read_grid_file(path: Path) -> GridFile:
    """Raises GridkeeperError BAD_FILE, and what `parse_grid` raises."""
    try:
        source = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise GridkeeperError("BAD_FILE", field="GRID.toml", value=path, detail=f"The file cannot be read: {e}") from e
    return GridFile(source=source, config=parse_grid(source))


def positive_e6(text: str | None, field: str) -> int | None:
    """An option's decimal text above zero. Raises GridkeeperError BAD_NUMBER or BAD_VALUE."""
    if text is None:
        return None
    value = parse_amount(text, E6, field)
    if value <= 0:
        raise GridkeeperError("BAD_VALUE", field=field, value=text, expected="above 0")
    return value


def preview_anyhow(session: Session, config: GridConfig, assumed: Assumptions) -> Previewed:
    """With the venue's values where Gridkeeper runs, else with typical ones."""

    async def ask(client: Client) -> _World:
        return await _world_of(client, config.market)

    try:
        world = session.ask(ask)
    except GridkeeperError as error:
        if error.code != "NOT_RUNNING":
            raise
        world = _World(spec=typical_market(config.market), price_e6=None, sol_price_e6=None, note=NOTE)
    return _preview(config, assumed, world)


async def preview_live(client: Client, config: GridConfig, assumed: Assumptions) -> Previewed:
    """With the venue's own values and the newest price."""
    return _preview(config, assumed, await _world_of(client, config.market))


async def _world_of(client: Client, market: str) -> _World:
    newest = await client.price(market)
    sol = newest if market == SOL_MARKET else await client.price(SOL_MARKET)
    return _World(
        spec=await client.market(market),
        price_e6=newest.oracle_e6 if newest else None,
        sol_price_e6=sol.oracle_e6 if sol else None,
    )


def _preview(config: GridConfig, assumed: Assumptions, world: _World) -> Previewed:
    price_e6 = assumed.price_e6 or world.price_e6
    if price_e6 is None:
        raise GridkeeperError(
            "NO_PRICE",
            field="--price",
            expected=f"a price of {config.market}",
            do="Give one with --price, or start gridkeeper with a feed for this market.",
        )
    sol_price_e6 = assumed.sol_price_e6 or world.sol_price_e6
    if sol_price_e6 is None and config.market == SOL_MARKET:
        sol_price_e6 = price_e6
    costs = Costs(transaction_lamports=assumed.transaction_lamports, sol_price_e6=sol_price_e6)
    made = preview(config, world.spec, price_e6, costs=costs, sigma_day_e6=assumed.sigma_day_e6)
    return Previewed(preview=made, note=world.note)
