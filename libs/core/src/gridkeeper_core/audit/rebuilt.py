"""Makes the input of a decision again from what was recorded of it, or says what the record lacks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gridkeeper_core import events as e
from gridkeeper_core.events import WRITERS
from gridkeeper_core.inputs import (
    AccountBooted,
    AdoptAccount,
    Command,
    CommandBody,
    EditGrid,
    EventSeen,
    FlagGrid,
    HaltAccount,
    Input,
    MarketRead,
    PauseGrid,
    PriceTick,
    ProposeGrid,
    RejectForeign,
    ResumeAccount,
    ResumeGrid,
    SettleAccount,
    StopGrid,
    TransactionGone,
    Wake,
)
from gridkeeper_core.names import split_stream
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import Recorded


class Lacking(msgspec.Struct, frozen=True):
    """An input that the record does not hold whole; `name` is the input's, `why` what is missing."""

    name: str
    why: str


def cause_service(cause: str) -> str:
    """The service whose event a cause names; empty where it names something else."""
    stream, at, version = cause.rpartition("@")
    return WRITERS.get(split_stream(stream)[0], "") if at and version.isdigit() else ""


def rebuilt(group: Sequence[Recorded], cause: Recorded | None, price: Price | None) -> Input | Lacking:
    """The input behind the events of one decision.

    `cause` is the event they name, where they name one; `price` the price they name, where somebody recorded it.
    """
    first = group[0]
    if cause is not None:
        return EventSeen(now_ns=first.ts_ns, event=cause)
    kind, _, name = first.cause.partition(":")
    match kind:
        case "wake":
            return Wake(now_ns=int(name))
        case "price":
            return PriceTick(now_ns=first.ts_ns, price=price) if price else Lacking("PriceTick", "nobody recorded it")
        case "cmd":
            return _command(group, name)
        case "boot":
            return AccountBooted(now_ns=int(name), alias=split_stream(first.stream)[1])
        case "sig":
            gone = next((x.fact for x in group if isinstance(x.fact, e.TransactionExpired)), None)
            if gone is None:
                return Lacking("TransactionSeen", "the venue's records as they were read are not in the log")
            alias, ns = split_stream(first.stream)[1], first.ts_ns
            return TransactionGone(now_ns=ns, alias=alias, signature=gone.signature, block_height=gone.block_height)
        case "market":
            if isinstance(first.fact, e.MarketSeen | e.MarketChanged):
                return MarketRead(now_ns=first.ts_ns, spec=first.fact.spec)
            return Lacking("MarketRead", "the market as it was read is not in the log")
        case "read":
            return Lacking("AccountRead", "the open orders as they were read are not in the log")
        case _:
            return Lacking(kind or "no cause", "the input is not in the log")


def _command(group: Sequence[Recorded], key: str) -> Command | Lacking:
    for event in group:
        body = _body(event.fact)
        if body is not None:
            return Command(
                now_ns=event.ts_ns,
                key=key,
                author=event.fact.author,
                reason=event.fact.reason,
                target=event.stream,
                body=body,
            )
    return Lacking("Command", "no fact of it says what was asked for")


def _body(fact: e.Fact) -> CommandBody | None:
    match fact:
        case e.GridProposed():
            return ProposeGrid(config=fact.config, source=fact.source, accepted=fact.accepted)
        case e.GridEdited(why="edit"):
            return EditGrid(config=fact.config, source=fact.source)
        case e.GridFlagged():
            return FlagGrid(flag=fact.flag)
        case e.GridStopping():
            return StopGrid(close=fact.close)
        case e.GridPaused():
            return PauseGrid(keep_orders=fact.keep_orders)
        case e.GridResumed() | e.RiskReset():
            return ResumeGrid()
        case e.AccountHalted():
            return HaltAccount()
        case e.AccountResumed():
            return ResumeAccount()
        case e.SettlementWanted(why="command"):
            return SettleAccount()
        case e.AdoptionWanted():
            return AdoptAccount()
        case e.ForeignRejected():
            return RejectForeign()
        case _:
            return None
