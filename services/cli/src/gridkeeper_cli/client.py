"""Asks the services of a running Gridkeeper and tells them what to do, over NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, TypeVar

import msgspec

from gridkeeper_bus.connection import Bus, connect
from gridkeeper_bus.history import Page, follow, read_last, read_version, subjects_of
from gridkeeper_bus.prices import last_price
from gridkeeper_bus.reader import BusMessage
from gridkeeper_bus.requests import request
from gridkeeper_core import interface
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.inputs import CommandBody
from gridkeeper_core.interface import Query
from gridkeeper_core.ledger import views as ledger
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.names import command_subject, query_subject
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import Recorded, decode
from gridkeeper_core.requests import (
    AccountView,
    ChannelState,
    CommandReply,
    CommandRequest,
    EditQuery,
    EditView,
    FundingView,
    GridDetail,
    GridQuery,
    GridView,
)

SHARD = 0
CONNECT_PATIENCE_S = 3.0
COMMAND_TIMEOUT_S = 15.0

T = TypeVar("T")


class Client:
    """One connection to a running Gridkeeper. Every method raises the service's own GridkeeperError."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def command(
        self, kind: str, name: str, verb: str, body: CommandBody, *, key: str, author: str, reason: str
    ) -> CommandReply:
        """Tell a stream's service to do something; the answer comes after its commit."""
        asked = CommandRequest(key=key, author=author, reason=reason, body=body)
        subject = command_subject(SHARD, kind, name, verb)
        reply = await request(self._bus, subject, msgspec.json.encode(asked), timeout_s=COMMAND_TIMEOUT_S)
        return msgspec.json.decode(reply, type=CommandReply)

    async def grids(self) -> list[GridView]:
        """All grids."""
        return await self._query(interface.GRIDS)

    async def grid(self, grid_id: str) -> GridDetail:
        """One grid. Raises GridkeeperError GRID_UNKNOWN."""
        return await self._query(interface.GRID, GridQuery(id=grid_id))

    async def edit_plan(self, grid_id: str, config: GridConfig) -> EditView:
        """What an edit would do to a grid. Raises GridkeeperError GRID_UNKNOWN and the reasons against the edit."""
        return await self._query(interface.EDIT, EditQuery(id=grid_id, config=config))

    async def accounts(self) -> list[AccountView]:
        """All accounts, as execution sees them."""
        return await self._query(interface.ACCOUNTS)

    async def account(self, alias: str) -> AccountView:
        """One account. Raises GridkeeperError ACCOUNT_UNKNOWN."""
        accounts = await self.accounts()
        for account in accounts:
            if account.alias == alias:
                return account
        expected = " or ".join(account.alias for account in accounts)
        raise GridkeeperError("ACCOUNT_UNKNOWN", field="account", value=alias, expected=expected)

    async def snapshot(self) -> list[AccountView]:
        """All accounts, after each was read and compared with the record, and kept in a snapshot; wallets counted."""
        return await self._query(interface.SNAPSHOT)

    async def markets(self) -> list[MarketSpec]:
        """The markets the venue has."""
        return await self._query(interface.MARKETS)

    async def funding(self, symbol: str) -> FundingView | None:
        """What the venue has longs pay in a market, None where it set no rate yet."""
        rates = await self._query(interface.FUNDING)
        return next((rate for rate in rates if rate.market == symbol), None)

    async def market(self, symbol: str) -> MarketSpec:
        """One market. Raises GridkeeperError MARKET_UNKNOWN."""
        markets = await self.markets()
        for spec in markets:
            if spec.symbol == symbol:
                return spec
        expected = " or ".join(spec.symbol for spec in markets)
        raise GridkeeperError("MARKET_UNKNOWN", field="grid.market", value=symbol, expected=expected)

    async def books(self, grid_id: str = "") -> list[ledger.GridBooksView]:
        """The books of one grid, or of all."""
        return await self._query(interface.BOOKS, GridQuery(id=grid_id))

    async def account_books(self, alias: str) -> ledger.AccountBooksView:
        """The books of an account. Raises GridkeeperError ACCOUNT_UNKNOWN."""
        return await self._query(interface.ACCOUNT_BOOKS, GridQuery(id=alias))

    async def channels(self) -> list[ChannelState]:
        """How far each of the notifier's channels has got."""
        return await self._query(interface.CHANNELS)

    async def price(self, market: str) -> Price | None:
        """The newest price of a market, None where there is none."""
        return await last_price(self._bus, market)

    async def last_events(self, subjects: Sequence[str], count: int) -> Page:
        """The last events on EV."""
        return await read_last(self._bus, subjects, count)

    async def event(self, stream: str, version: int) -> BusMessage | None:
        """One event."""
        return await read_version(self._bus, stream, version)

    def events_from(self, subjects: Sequence[str], sequence: int) -> AsyncGenerator[BusMessage, None]:
        """Each event from a sequence of EV on, for ever."""
        return follow(self._bus, subjects, sequence)

    async def outcome(self, stream: str, topics: Sequence[str], within_s: float, after: int = 0) -> Recorded | None:
        """The first event of these topics in a stream, old or still to come; None when none comes in time.

        Only events of a higher version than `after` count.
        """
        try:
            async with (
                asyncio.timeout(within_s),
                aclosing(follow(self._bus, subjects_of(stream, topics), 1)) as messages,
            ):
                async for message in messages:
                    event = decode(message.body)
                    if event.version > after:
                        return event
        except TimeoutError:
            return None
        raise AssertionError("a follower never ends by itself")

    async def unless_lost(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it, but give up when NATS is away for too long. Raises GridkeeperError STORE_LOST."""
        working, watching = asyncio.create_task(work), asyncio.create_task(self._bus.watch())
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                watching.result()
            return await working
        finally:
            working.cancel()
            watching.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    async def _query(self, query: Query[T], asked: msgspec.Struct | None = None) -> T:
        subject = query_subject(SHARD, query.service, query.what)
        answer = await request(self._bus, subject, b"" if asked is None else msgspec.json.encode(asked))
        return msgspec.json.decode(answer, type=query.answers)


@asynccontextmanager
async def connected(nats_url: str) -> AsyncIterator[Client]:
    """A client, closed afterwards. Raises GridkeeperError STORE_LOST when NATS cannot be reached."""
    bus = await connect(nats_url, "gridkeeper", patience_s=CONNECT_PATIENCE_S)
    try:
        yield Client(bus)
    finally:
        # Where the server is gone there is nothing to flush, and the reason to end is told already.
        with suppress(OSError):
            await bus.close()
