"""Services as the command sees them: they answer with what a test put there, and note what they were told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from gridkeeper_bus.connection import Bus
from gridkeeper_bus.requests import RequestServer
from gridkeeper_core import names
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import Fact
from gridkeeper_core.ledger import views as ledger
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.record import Recorded, encode, topic_of
from gridkeeper_core.requests import (
    AccountView,
    CommandReply,
    CommandRequest,
    EditView,
    FundingView,
    GridDetail,
    GridQuery,
)

Reaction = Callable[[str, CommandRequest], Awaitable[None]]


class ScriptedServices:
    """Strategy, execution and ledger in one. `reaction` happens after a command was noted."""

    def __init__(self, bus: Bus) -> None:
        self.grids: dict[str, GridDetail] = {}
        self.edit_plans: dict[str, EditView] = {}
        self.accounts: list[AccountView] = []
        self.markets: list[MarketSpec] = []
        self.funding: list[FundingView] = []
        self.books: dict[str, ledger.GridBooksView] = {}
        self.account_books: dict[str, ledger.AccountBooksView] = {}
        self.commands: list[tuple[str, CommandRequest]] = []
        self.refusal: GridkeeperError | None = None
        self.reaction: Reaction | None = None
        self.topics: tuple[str, ...] = ()
        self._bus = bus
        self._servers: list[RequestServer] = []
        self._versions: dict[str, int] = {}
        self._heads: dict[str, int] = {}

    async def serve(self, *services: str) -> None:
        """Answer for these services."""
        for service in services:
            server = RequestServer(self._bus, name=service, version="0.1.0")
            await server.serve(f"query.0.{service}.*", self._answer)
            self._servers.append(server)
        if "strategy" in services:
            await self._servers[-1].serve("cmd.0.*.*.*", self._command)

    async def stop(self) -> None:
        """Answer no more."""
        for server in self._servers:
            await server.stop()

    async def record(self, service: str, stream: str, fact: Fact, ts_ns: int = 1_700_000_000 * 10**9) -> Recorded:
        """Put an event on EV as the service's outbox would."""
        version = self._versions.get(stream, 0) + 1
        app = names.app_name(service, 0)
        number = self._heads.get(app, 0) + 1
        self._versions[stream], self._heads[app] = version, number
        event = Recorded(stream=stream, version=version, ts_ns=ts_ns, cause="test", thread="", prev="", fact=fact)
        headers = {names.HEADER_APP: app, names.HEADER_ID: str(number), names.HEADER_PREVIOUS: str(number - 1)}
        subject = names.event_subject(0, service, stream, topic_of(fact))
        await self._bus.js.publish(subject, encode(event), headers=headers)
        return event

    async def _command(self, subject: str, body: bytes) -> bytes:
        asked = msgspec.json.decode(body, type=CommandRequest)
        if self.refusal is not None:
            raise self.refusal
        self.commands.append((subject, asked))
        if self.reaction is not None:
            await self.reaction(subject, asked)
        _, _, kind, name, verb = subject.split(".")
        reply = CommandReply(stream=names.stream(kind, name), version=1, topics=self.topics or (f"{kind}.{verb}",))
        return msgspec.json.encode(reply)

    async def _answer(self, subject: str, body: bytes) -> bytes:
        about = msgspec.json.decode(body or b"{}", type=GridQuery).id
        match subject.removeprefix("query.0."):
            case "strategy.grids":
                return msgspec.json.encode([detail.view for detail in self.grids.values()])
            case "strategy.grid":
                return msgspec.json.encode(_known(self.grids, about, "GRID_UNKNOWN"))
            case "strategy.edit":
                return msgspec.json.encode(_known(self.edit_plans, about, "GRID_UNKNOWN"))
            case "execution.accounts":
                return msgspec.json.encode(self.accounts)
            case "execution.funding":
                return msgspec.json.encode(self.funding)
            case "execution.markets":
                return msgspec.json.encode(self.markets)
            case "ledger.books":
                found = [_known(self.books, about, "GRID_UNKNOWN")] if about else list(self.books.values())
                return msgspec.json.encode(found)
            case "ledger.account":
                return msgspec.json.encode(_known(self.account_books, about, "ACCOUNT_UNKNOWN"))
            case other:
                raise GridkeeperError("BAD_USAGE", field="query", value=other)


def _known(held: Mapping[str, object], name: str, code: str) -> object:
    if name not in held:
        raise GridkeeperError(code, field="id", value=name)
    return held[name]
