"""Gathers what the live view shows; whoever does not answer is simply not known for a moment."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

import msgspec

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.history import subjects_of
from gridkeeper_cli.client import Client
from gridkeeper_cli.readiness import unready_reasons
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import OrderFilled
from gridkeeper_core.ledger import views as ledger
from gridkeeper_core.names import grid_of
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import Recorded, decode
from gridkeeper_core.requests import AccountView, GridDetail, GridView
from gridkeeper_runtime.supervisor import ChildStatus

FILLS_KEPT = 6
_RETRY_S = 1.0
_FILL_TOPICS = ("order.filled.v1",)

T = TypeVar("T")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while it runs."""

    version: str
    profile: str
    feeds: dict[str, str]
    data_dir: Path


class ServiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A process: how it is, and why it is not ready (empty: it is)."""

    name: str
    state: str
    restarts: int
    unready: str = ""


class FillLine(msgspec.Struct, frozen=True, kw_only=True):
    """One fill."""

    ts_ns: int
    grid_id: str
    side: str
    price_e6: int
    base_e9: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All of it at about one moment; None is unknown. `detail` and `books` are of the first grid that is not over."""

    place: Place
    services: tuple[ServiceLine, ...]
    price: Price | None = None
    grids: tuple[GridView, ...] | None = None
    detail: GridDetail | None = None
    books: ledger.GridBooksView | None = None
    account: AccountView | None = None
    fills: tuple[FillLine, ...] = ()


class Watcher:
    """Asks the services over one connection. `health_ports`: service -> port of its health endpoint."""

    def __init__(
        self,
        bus: Bus,
        place: Place,
        status: Callable[[], tuple[ChildStatus, ...]],
        health_ports: Mapping[str, int],
    ) -> None:
        self.bus = bus
        self._client = Client(bus)
        self._place = place
        self._status = status
        self._health_ports = dict(health_ports)
        self._fills: deque[FillLine] = deque(maxlen=FILLS_KEPT)

    async def look(self) -> Snapshot:
        """Ask everybody once."""
        market = next(iter(self._place.feeds))
        services, price, grids, accounts = await asyncio.gather(
            self._services(),
            _known(self._client.price(market)),
            _known(self._client.grids()),
            _known(self._client.accounts()),
        )
        detail, books = await self._of_grid(_shown(grids or []))
        return Snapshot(
            place=self._place,
            services=services,
            price=price,
            grids=None if grids is None else tuple(grids),
            detail=detail,
            books=books,
            account=accounts[0] if accounts else None,
            fills=tuple(self._fills),
        )

    async def follow_fills(self) -> None:
        """Keep the last fills, those of earlier runs too, until cancelled."""
        subjects = subjects_of(topics=_FILL_TOPICS)
        next_sequence = 0
        while True:
            try:
                if not next_sequence:
                    page = await self._client.last_events(subjects, FILLS_KEPT)
                    next_sequence = page.next_sequence
                    for message in page.messages:
                        self._note(decode(message.body))
                async with aclosing(self._client.events_from(subjects, next_sequence)) as messages:
                    async for message in messages:
                        next_sequence = message.sequence + 1
                        self._note(decode(message.body))
            except GridkeeperError:
                _end_if_cancelled()
                # NATS is away for a moment; the services say so themselves.
                await asyncio.sleep(_RETRY_S)

    def _note(self, event: Recorded) -> None:
        fact = event.fact
        assert isinstance(fact, OrderFilled)
        self._fills.append(
            FillLine(
                ts_ns=event.ts_ns,
                grid_id=grid_of(fact.intent_id),
                side=fact.side,
                price_e6=fact.price_e6,
                base_e9=fact.base_e9,
            )
        )

    async def _services(self) -> tuple[ServiceLine, ...]:
        children = self._status()
        asked = [child.name for child in children if child.name in self._health_ports and child.state == "running"]
        answers = await asyncio.gather(*(unready_reasons(self._health_ports[name]) for name in asked))
        unready = {name: " ".join(reasons) for name, reasons in zip(asked, answers, strict=True)}
        return tuple(
            ServiceLine(
                name=child.name,
                state=child.state,
                restarts=child.restarts,
                unready=unready.get(child.name, "") or ("" if child.state == "running" else child.reason),
            )
            for child in children
        )

    async def _of_grid(self, grid: GridView | None) -> tuple[GridDetail | None, ledger.GridBooksView | None]:
        if grid is None:
            return None, None
        detail, books = await asyncio.gather(_known(self._client.grid(grid.id)), _known(self._client.books(grid.id)))
        return detail, books[0] if books else None


def _shown(grids: list[GridView]) -> GridView | None:
    """The first grid that is not over, else the last one."""
    alive = [grid for grid in grids if grid.state not in {"stopped", "rejected"}]
    return next(iter(alive or grids[-1:]), None)


def _end_if_cancelled() -> None:
    """Giving up a consumer can fail while its task is cancelled, and that error takes the place of the cancellation."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _known(asking: Awaitable[T]) -> T | None:
    try:
        return await asking
    except GridkeeperError:
        return None
