"""Everything that can be asked of a service by request and reply: the one list its handlers and its page come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

from gridkeeper_core.inputs import (
    AdoptAccount,
    CommandBody,
    EditGrid,
    FlagGrid,
    HaltAccount,
    PauseGrid,
    ProposeGrid,
    RejectForeign,
    ResumeAccount,
    ResumeGrid,
    SettleAccount,
    StopGrid,
    TestNotification,
)
from gridkeeper_core.ledger import views as ledger
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.quiet import Quiet
from gridkeeper_core.requests import (
    AccountView,
    ChannelState,
    EditQuery,
    EditView,
    FundingView,
    GridDetail,
    GridQuery,
    GridView,
    Heads,
    Polled,
)

T = TypeVar("T")


class Query(msgspec.Struct, Generic[T], frozen=True):
    """One question: who answers, on which last token of the subject, and the shapes both ways (`asks` None: no body).

    `codes` are the refusals of its own that it can end with; any can be refused with BAD_USAGE.
    """

    service: str
    what: str
    meaning: str
    answers: type[T]
    asks: type[msgspec.Struct] | None = None
    codes: tuple[str, ...] = ()


class CommandKind(msgspec.Struct, frozen=True):
    """What can be told to streams of one kind, and who takes it."""

    kind: str
    service: str
    bodies: tuple[type[CommandBody], ...]


GRIDS = Query("strategy", "grids", "All grids.", list[GridView])
GRID = Query("strategy", "grid", "One grid with levels, cells and orders.", GridDetail, GridQuery, ("GRID_UNKNOWN",))
EDIT = Query(
    "strategy",
    "edit",
    "What other settings would do to a grid; nothing is changed.",
    EditView,
    EditQuery,
    ("GRID_UNKNOWN", "GRID_STATE"),
)
ACCOUNTS = Query("execution", "accounts", "All accounts, as the record has them.", list[AccountView])
MARKETS = Query("execution", "markets", "The markets the venue was seen to have.", list[MarketSpec])
FUNDING = Query("execution", "funding", "The venue's funding rates, those that it has set.", list[FundingView])
POLL = Query("execution", "poll", "Send what is in flight and walk the chain now.", Polled)
RECONCILE = Query("execution", "reconcile", "Compare record and venue now, then all accounts.", list[AccountView])
SNAPSHOT = Query(
    "execution", "snapshot", "As reconcile; keeps a snapshot of each account, counts wallets.", list[AccountView]
)
BOOKS = Query(
    "ledger",
    "books",
    "The books of a grid, or (id empty) of all, stopped ones too.",
    list[ledger.GridBooksView],
    GridQuery,
    ("GRID_UNKNOWN",),
)
ACCOUNT_BOOKS = Query(
    "ledger",
    "account",
    "The books of an account; the id is its alias.",
    ledger.AccountBooksView,
    GridQuery,
    ("ACCOUNT_UNKNOWN",),
)
CHANNELS = Query("notifier", "channels", "How far each channel has got.", list[ChannelState])

QUERIES: tuple[Query[Any], ...] = (
    GRIDS, GRID, EDIT, ACCOUNTS, MARKETS, FUNDING, POLL, RECONCILE, SNAPSHOT, BOOKS, ACCOUNT_BOOKS, CHANNELS,
)  # fmt: skip
"""What each service answers beside `EVERYWHERE`."""

EVERYWHERE: tuple[Query[Any], ...] = (
    Query("<service>", "heads", "The digest of every state and every stream's head, of one instant.", Heads),
    Query("<service>", "quiet", "Whether it has come to rest.", Quiet),
)
"""What every service with an event log answers."""

COMMANDS: tuple[CommandKind, ...] = (
    CommandKind("grid", "strategy", (ProposeGrid, PauseGrid, ResumeGrid, StopGrid, EditGrid, FlagGrid)),
    CommandKind("account", "execution", (HaltAccount, ResumeAccount, SettleAccount, AdoptAccount, RejectForeign)),
    CommandKind("alert", "notifier", (TestNotification,)),
)


def queries_of(service: str) -> Iterator[Query[Any]]:
    """The queries one service answers."""
    return (query for query in QUERIES if query.service == service)
