"""From a grid file and a running Gridkeeper (or typical values) to the preview of the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from gridkeeper_cli.grid_source import GridFile as GridFile
from gridkeeper_cli.grid_source import read_grid_file as read_grid_file
from gridkeeper_cli.session import Session
from gridkeeper_cli.typical_markets import NOTE, typical_market
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.parse import parse_amount
from gridkeeper_core.grid.preview import Preview, preview
from gridkeeper_core.grid.preview_liquidation import OtherPosition, RestOfAccount
from gridkeeper_core.grid.preview_money import SIGNATURE_LAMPORTS, Costs
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.prices.price import Price
from gridkeeper_core.requests import FundingView
from gridkeeper_core.units import E6

if TYPE_CHECKING:
    from gridkeeper_cli.client import Client

SOL_MARKET = "SOL-PERP"


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the user said about the world; None: ask the running Gridkeeper, or leave it out."""

    price_e6: int | None = None
    sol_price_e6: int | None = None
    sigma_day_e6: int | None = None
    transaction_lamports: int = SIGNATURE_LAMPORTS
    spread_ratio_e6: int | None = None
    paid_hour_e9: int | None = None


class _World(msgspec.Struct, frozen=True, kw_only=True):
    """The market and the prices a preview is made with."""

    spec: MarketSpec
    price_e6: int | None
    sol_price_e6: int | None
    spread_ratio_e6: int = 0
    rest: RestOfAccount | None = None
    funding: FundingView | None = None
    note: str = ""


class FundingSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where the funding rate of a preview is from: recorded payments, or the venue, which set it at `at_ns`."""

    kind: Literal["recorded", "venue"]
    at_ns: int | None = None


class Previewed(msgspec.Struct, frozen=True, kw_only=True):
    """A preview with the settings and costs it was made with, and what is to be said about where they are from."""

    preview: Preview
    config: GridConfig
    costs: Costs
    note: str
    funding: FundingSource | None = None


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
        return await _world_of(client, config)

    try:
        world = session.ask(ask)
    except GridkeeperError as error:
        if error.code != "NOT_RUNNING":
            raise
        world = _World(spec=typical_market(config.market), price_e6=None, sol_price_e6=None, note=NOTE)
    return _preview(config, assumed, world)


async def preview_live(client: Client, config: GridConfig, assumed: Assumptions) -> Previewed:
    """With the venue's own values and the newest price."""
    return _preview(config, assumed, await _world_of(client, config))


async def _world_of(client: Client, config: GridConfig) -> _World:
    newest = await client.price(config.market)
    sol = newest if config.market == SOL_MARKET else await client.price(SOL_MARKET)
    return _World(
        spec=await client.market(config.market),
        price_e6=newest.oracle_e6 if newest else None,
        sol_price_e6=sol.oracle_e6 if sol else None,
        spread_ratio_e6=_spread_e6(newest),
        rest=await _rest_of(client, config),
        funding=await client.funding(config.market),
    )


async def _rest_of(client: Client, config: GridConfig) -> RestOfAccount | None:
    """What the account holds besides this grid; None where that cannot be told apart, or there is no such account."""
    if any(grid.id == config.grid_id for grid in await client.grids()):
        return None  # what the account holds is, in part, this very grid's
    view = next((account for account in await client.accounts() if account.alias == config.account), None)
    if view is None:
        return None
    specs = {spec.symbol: spec for spec in await client.markets()}
    others: list[OtherPosition] = []
    for held in view.positions:
        price = await client.price(held.market)
        if price is not None and held.market in specs:
            others.append(
                OtherPosition(
                    spec=specs[held.market],
                    base_e9=held.base_e9,
                    quote_asset_e6=held.quote_asset_e6,
                    oracle_e6=price.oracle_e6,
                )
            )
    return RestOfAccount(deposit_e6=view.deposit_e6, positions=tuple(others), open_orders=view.open_orders)


def _spread_e6(newest: Price | None) -> int:
    """The venue's own spread as a share of the price (1e-6); 0 where its source does not know it."""
    if newest is None or newest.bid_e6 is None or newest.ask_e6 is None:
        return 0
    return max(newest.ask_e6 - newest.bid_e6, 0) * E6 // newest.oracle_e6


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
    costs = Costs(
        transaction_lamports=assumed.transaction_lamports,
        sol_price_e6=sol_price_e6,
        spread_ratio_e6=world.spread_ratio_e6 if assumed.spread_ratio_e6 is None else assumed.spread_ratio_e6,
        paid_hour_e9=_paid_hour_e9(assumed, world),
    )
    made = preview(config, world.spec, price_e6, costs=costs, sigma_day_e6=assumed.sigma_day_e6, rest=world.rest)
    return Previewed(preview=made, config=config, costs=costs, note=world.note, funding=_funding_source(assumed, world))


def _paid_hour_e9(assumed: Assumptions, world: _World) -> int | None:
    """What the user gave goes before what the venue says."""
    if assumed.paid_hour_e9 is not None or world.funding is None:
        return assumed.paid_hour_e9
    return world.funding.paid_hour_e9


def _funding_source(assumed: Assumptions, world: _World) -> FundingSource | None:
    if assumed.paid_hour_e9 is not None:
        return FundingSource(kind="recorded")
    return FundingSource(kind="venue", at_ns=world.funding.at_ns) if world.funding is not None else None
