"""Makes the input of a decision again from what was recorded of it, or says what the record lacks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gridkeeper_core import events as e
from gridkeeper_core.events import WRITERS
from gridkeeper_core.inputs import (
    AccountBooted,
    AccountRead,
    AdoptAccount,
    AlertReceived,
    Command,
    CommandBody,
    EditGrid,
    EndpointMoved,
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
    TestNotification,
    TransactionGone,
    TransactionSeen,
    TransactionVanished,
    Wake,
    WalletRead,
)
from gridkeeper_core.names import split_stream
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import Recorded

_OLD = "the release that wrote it did not yet record what it met"


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
        case "endpoint" if isinstance(first.fact, e.EndpointChanged):
            return EndpointMoved(
                now_ns=first.ts_ns,
                alias=split_stream(first.stream)[1],
                endpoint=first.fact.endpoint,
                state=first.fact.state,
                detail=first.fact.detail,
            )
        case "sig":
            return _of_chain(group, name)
        case "count":
            return _counted(group)
        case "market" | "read" | "alertmanager":
            return _met(group, kind)
        case _:
            return Lacking(kind or "no cause", "the input is not in the log")


def input_of(cause: str) -> str:
    """The input that a cause names: a transaction, where it names one of its records."""
    return cause.rpartition(":")[0] if cause.startswith("sig:") and cause.count(":") == 2 else cause


def restates_input(fact: e.Fact) -> bool:
    """Whether a fact is always the first of a decision, but for a price."""
    return isinstance(fact, e.TransactionMet | e.AccountMet | e.EndpointChanged | e.AlertMet | e.TestMet)


def _of_chain(group: Sequence[Recorded], signature: str) -> Input | Lacking:
    first = group[0]
    alias, now_ns = split_stream(first.stream)[1], first.ts_ns
    for event in group:
        match event.fact:
            case e.TransactionMet(transaction=transaction):
                return TransactionSeen(now_ns=now_ns, alias=alias, transaction=transaction)
            case e.TransactionExpired(block_height=height):
                return TransactionGone(now_ns=now_ns, alias=alias, signature=signature, block_height=height)
            case e.VenueDiffers(differences=(e.Difference(what=what),)) if what == f"transaction {signature}":
                return TransactionVanished(now_ns=now_ns, alias=alias, signature=signature)
    return Lacking("TransactionSeen", _OLD)


def _counted(group: Sequence[Recorded]) -> Input | Lacking:
    """A reading of a wallet is recorded whole: its moves, and last the count."""
    last = group[-1]
    if not isinstance(last.fact, e.SolCounted):
        return Lacking("WalletRead", "its count is missing")
    return WalletRead(
        now_ns=last.ts_ns,
        signer=split_stream(last.stream)[1],
        accounts=last.fact.accounts,
        lamports=last.fact.lamports,
        slot=last.fact.slot,
        cursor=last.fact.cursor,
        moves=tuple(event.fact for event in group[:-1] if isinstance(event.fact, e.SolMoved)),
    )


def _met(group: Sequence[Recorded], kind: str) -> Input | Lacking:
    """The input that one of the facts restates."""
    now_ns = group[0].ts_ns
    for event in group:
        match event.fact:
            case e.AccountMet() as met:
                return AccountRead(
                    now_ns=now_ns,
                    account=met.account,
                    cursor=met.cursor,
                    cursor_slot=met.cursor_slot,
                    endpoints=met.endpoints,
                    agreed=met.agreed,
                    block_time_s=met.block_time_s,
                    keeps=met.keeps,
                )
            case e.MarketMet() as met:
                return MarketRead(
                    now_ns=now_ns,
                    spec=met.spec,
                    oracle_e6=met.oracle_e6,
                    oracle_confidence_e6=met.oracle_confidence_e6,
                    oracle_age_slots=met.oracle_age_slots,
                )
            case e.AlertMet() as met:
                return _alert(met, now_ns)
    if isinstance(group[0].fact, e.MarketSeen | e.MarketChanged) and len(group) == 1:
        # Whatever its oracle was, nothing came of that.
        return MarketRead(now_ns=now_ns, spec=group[0].fact.spec)
    return Lacking({"market": "MarketRead", "read": "AccountRead"}.get(kind, "AlertReceived"), _OLD)


def _alert(met: e.AlertMet, now_ns: int) -> AlertReceived:
    return AlertReceived(
        now_ns=now_ns,
        name=met.name,
        fingerprint=met.fingerprint,
        starts_at=met.starts_at,
        firing=met.firing,
        severity=met.severity,
        target=met.target,
        text=met.text,
        runbook_url=met.runbook_url,
        cause=met.same_as,
    )


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
        case e.GridEdited(why="edit") | e.EditProposed():
            return EditGrid(config=fact.config, source=fact.source, accepted=fact.accepted)
        case e.GridFlagged():
            return FlagGrid(flag=fact.flag)
        case e.GridStopping():
            return StopGrid(close=fact.close)
        case e.GridPaused():
            return PauseGrid(keep_orders=fact.keep_orders)
        case e.GridResumed() | e.RiskReset():
            return ResumeGrid()
        case e.TestMet():
            return TestNotification(channel=fact.channel)
        case _:
            return _account_body(fact)


def _account_body(fact: e.Fact) -> CommandBody | None:
    match fact:
        case e.AccountHalted():
            return HaltAccount()
        case e.AccountResumed():
            return ResumeAccount()
        case e.SettlementWanted(why="command"):
            return SettleAccount(market=fact.asked_market)
        case e.AdoptionWanted():
            return AdoptAccount()
        case e.ForeignRejected():
            return RejectForeign()
        case _:
            return None
