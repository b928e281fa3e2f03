"""The ledger as a process: it books what strategy and execution published and answers for it, also after a restart."""

from __future__ import annotations

import msgspec
import pytest

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.prices import publish_price
from gridkeeper_bus.requests import request
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.ledger.views import AccountBooksView, GridBooksView
from gridkeeper_core.prices.price import Price
from gridkeeper_core.requests import GridQuery
from gridkeeper_core.units import E6
from support.ledger_story import ALIAS, GRID, MARKET, filled, opened, snapshot, stopped, transferred
from support.scripted_services import ScriptedServices
from support.servers import eventually
from support.service_process import running_service

pytestmark = pytest.mark.servers


async def books(bus: Bus, grid_id: str = "") -> list[GridBooksView]:
    body = msgspec.json.encode(GridQuery(id=grid_id))
    return msgspec.json.decode(await request(bus, "query.0.ledger.books", body), type=list[GridBooksView])


async def account(bus: Bus, alias: str) -> AccountBooksView:
    body = msgspec.json.encode(GridQuery(id=alias))
    return msgspec.json.decode(await request(bus, "query.0.ledger.account", body), type=AccountBooksView)


async def tell_a_turn(others: ScriptedServices) -> None:
    """A cell buys at 100 and sells at 110."""
    await others.record("strategy", f"grid:{GRID}", opened())
    for fact in (
        snapshot(1, 1_000 * E6),
        transferred(500 * E6, 2),
        filled(3, "buy", 1, price=100),
        filled(4, "sell", 1, price=110),
    ):
        await others.record("execution", f"account:{ALIAS}", fact)


async def test_the_ledger_books_what_was_published_and_answers_for_it(
    bus: Bus, nats_url: str, postgres_url: str
) -> None:
    others = ScriptedServices(bus)
    async with running_service("ledger", nats_url, postgres_url):
        await tell_a_turn(others)

        async def is_booked() -> bool:
            return bool((found := await books(bus)) and found[0].result.fills == 2)

        await eventually(is_booked)
        (grid,) = await books(bus, GRID)
        assert (grid.grid_id, grid.is_open, grid.result.grid_profit_e6) == (GRID, True, 10 * E6)
        assert (await account(bus, ALIAS)).deposit_e6 == 1_500 * E6


async def test_a_price_changes_the_unrealised_result_at_once(bus: Bus, nats_url: str, postgres_url: str) -> None:
    others = ScriptedServices(bus)
    async with running_service("ledger", nats_url, postgres_url):
        await others.record("strategy", f"grid:{GRID}", opened())
        await others.record("execution", f"account:{ALIAS}", filled(3, "buy", 1, price=100))
        newest = Price(market=MARKET, source="test", source_seq=1, ts_ns=1, oracle_e6=107 * E6)

        async def is_marked() -> bool:
            await publish_price(bus, newest)
            found = await books(bus)
            return bool(found) and (found[0].result.fills, found[0].result.unrealized_pnl_e6) == (1, 7 * E6)

        await eventually(is_marked)


async def test_a_killed_ledger_comes_back_with_the_same_books(bus: Bus, nats_url: str, postgres_url: str) -> None:
    others = ScriptedServices(bus)
    async with running_service("ledger", nats_url, postgres_url) as ledger:
        await tell_a_turn(others)

        async def is_booked() -> bool:
            return bool((found := await books(bus)) and found[0].result.fills == 2)

        await eventually(is_booked)
        before = (await books(bus), await account(bus, ALIAS))
        await ledger.kill()

    async with running_service("ledger", nats_url, postgres_url) as ledger:
        assert (await books(bus), await account(bus, ALIAS)) == before
        assert await ledger.stop() == 0


async def test_a_stopped_grid_stays_in_the_list_and_an_unknown_one_is_refused(
    bus: Bus, nats_url: str, postgres_url: str
) -> None:
    others = ScriptedServices(bus)
    async with running_service("ledger", nats_url, postgres_url):
        await tell_a_turn(others)
        await others.record("strategy", f"grid:{GRID}", stopped())

        async def is_closed() -> bool:
            return bool((found := await books(bus)) and not found[0].is_open)

        await eventually(is_closed)
        for asking, code in ((books(bus, "other"), "GRID_UNKNOWN"), (account(bus, "other"), "ACCOUNT_UNKNOWN")):
            with pytest.raises(GridkeeperError) as refused:
                await asking
            assert refused.value.code == code
