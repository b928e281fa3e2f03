"""`gridkeeper ledger proof`: the venue's equity against every event behind it, for an interval, with the residual."""

from __future__ import annotations

import click
import msgspec
from rich.table import Table

from gridkeeper_cli.documents import Document, iso_utc
from gridkeeper_cli.group import DONE, REFUSED
from gridkeeper_cli.record_reading import log_opened, rows_of
from gridkeeper_cli.render import table
from gridkeeper_cli.session import Session, everywhere, json_text, pass_session
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.ledger.interval import EquityFold, IntervalProof, Snap, window_of
from gridkeeper_core.ledger.sol_proof import SolFold, SolProof, UnexplainedLamports
from gridkeeper_core.names import split_stream, stream
from gridkeeper_core.record import decode
from gridkeeper_core.times import parse_time_ns
from gridkeeper_core.units import E9, decimal_text, e6_text
from gridkeeper_eventlog.store import EventStore
from gridkeeper_runtime.datadir import read_run_file

SNAPSHOT = "account.snapshot.v1"
_TERMS = (("name", "term"), ("quote", ">quote"), ("count", ">events"))
_SOL_TERMS = (("name", "SOL"), ("sol", ">SOL"), ("count", ">events"))


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """Both proofs of one account."""

    equity: IntervalProof
    sol: SolProof | None

    @property
    def ok(self) -> bool:
        """Whether every unit is explained."""
        return not self.equity.residual_e6 and not (self.sol is not None and self.sol.residual_lamports)


@click.command("proof")
@click.option("--account", metavar="A", default="", help="Only this account (default: all).")
@click.option("--from", "since", metavar="TIME", default="", help="Begin at the last snapshot until then (UTC).")
@click.option("--to", "until", metavar="TIME", default="", help="End at the last snapshot until then (UTC).")
@everywhere
@pass_session
def proof(session: Session, account: str, since: str, until: str) -> int:
    """Prove an account's equity: what the venue shows, and every event that explains it, to the unit.

    The interval runs from snapshot to snapshot; without --to one is taken now. A residual that is not zero ends with 1.
    With --json each term lists its events and their transactions.

    \b
    Example:
      gridkeeper ledger proof
      gridkeeper ledger proof --from 2025-05-01 --to 2025-06-01 --json
    """
    from_ns = parse_time_ns(since, "--from") if since else None
    to_ns = parse_time_ns(until, "--to") if until else None
    url = read_run_file(session.data_dir).postgres_url
    if to_ns is None:
        session.ask(lambda client: client.snapshot())
    proofs = [prove(url, alias, from_ns, to_ns) for alias in _accounts(url, account)]
    documents = [_document(proven) for proven in proofs]
    error = next((_error(proven) for proven in proofs if not proven.ok), None)
    if session.json:
        click.echo(json_text(({"error": error.as_dict()} if error else {}) | {"proofs": documents}))
    else:
        for proven, document in zip(proofs, documents, strict=True):
            _show(session, proven, document)
        if error is not None:
            session.refuse(error)
    return DONE if error is None else REFUSED


def prove(postgres_url: str, alias: str, from_ns: int | None, to_ns: int | None) -> Proven:
    """Read the record: snapshots, what happened between them, the wallet, and which fills completed turns."""
    account = stream("account", alias)
    with log_opened(postgres_url, "execution") as store:
        window = window_of(_snaps(store, account), from_ns, to_ns)
        equity, sol = EquityFold(alias, window), SolFold(alias, from_ns, to_ns)
        for row in rows_of(store, lambda name: name == account, window.last.id):
            equity.take(row.id, decode(row.state))
        for row in rows_of(store, lambda name: split_stream(name)[0] == "wallet"):
            sol.take(decode(row.state))
    with log_opened(postgres_url, "ledger") as store:
        for row in rows_of(store, lambda name: split_stream(name)[0] == "ledger"):
            if row.topic == "ledger.fill_booked.v1":
                equity.book(decode(row.state))
    return Proven(equity=equity.proof(), sol=sol.proof())


def _snaps(store: EventStore, account: str) -> list[Snap]:
    events = ((row.id, decode(row.state)) for row in rows_of(store, lambda n: n == account) if row.topic == SNAPSHOT)
    return [Snap(id=id_, event=event.identity, ts_ns=event.ts_ns, fact=event.fact) for id_, event in events]


def _accounts(postgres_url: str, wanted: str) -> list[str]:
    with log_opened(postgres_url, "execution") as store:
        names = (split_stream(name) for name in sorted(store.heads()))
        known = [name for kind, name in names if kind == "account"]
    if wanted and wanted not in known:
        raise GridkeeperError("ACCOUNT_UNKNOWN", field="account", value=wanted, expected=" or ".join(known))
    return [wanted] if wanted else known


def _document(proven: Proven) -> Document:
    equity = proven.equity
    return {
        "account": equity.alias,
        "ok": proven.ok,
        "from": _end(equity.first, equity.equity_first_e6),
        "to": _end(equity.last, equity.equity_last_e6),
        "change_by_venue": e6_text(equity.left_e6),
        "change_by_events": e6_text(equity.right_e6),
        "residual": e6_text(equity.residual_e6),
        "terms": [
            {
                "name": term.name,
                "quote": e6_text(term.quote_e6),
                "count": len(term.events),
                "events": [
                    {"event": of.event, "signature": of.signature, "quote": e6_text(of.quote_e6)} for of in term.events
                ],
            }
            for term in equity.terms
        ],
        "sol": None if proven.sol is None else _sol_document(proven.sol),
    }


def _sol_document(sol: SolProof) -> Document:
    return {
        "wallet": sol.wallet,
        "accounts": list(sol.accounts),
        "from_event": sol.first_event,
        "to_event": sol.last_event,
        "from_lamports": sol.first_lamports,
        "to_lamports": sol.last_lamports,
        "residual_lamports": sol.residual_lamports,
        "unexplained": msgspec.to_builtins(sol.unexplained),
        "terms": [
            {
                "name": term.name,
                "lamports": term.lamports,
                "count": len(term.events),
                "events": msgspec.to_builtins(term.events),
            }
            for term in sol.terms
        ],
    }


def _end(snap: Snap, equity_e6: int) -> Document:
    return {"time": iso_utc(snap.ts_ns), "event": snap.event, "slot": snap.fact.slot, "equity": e6_text(equity_e6)}


def _show(session: Session, proven: Proven, document: Document) -> None:
    begin, end = document["from"], document["to"]
    terms = [term for term in document["terms"] if term["count"]]
    session.answer(
        {},
        f"Account {document['account']}, {begin['time']} ({begin['event']}) to {end['time']} ({end['event']})",
        f"  by the venue   {begin['equity']} to {end['equity']}: {document['change_by_venue']}",
        f"  by the events  {document['change_by_events']}",
        f"  residual       {document['residual']}",
        table(_TERMS, terms),
        *_sol_lines(proven.sol, document["sol"]),
    )


def _sol_lines(sol: SolProof | None, document: Document | None) -> list[str | Table]:
    if sol is None or document is None:
        return ["The wallet was not counted yet: its SOL is proven from the first count on."]
    terms = [{**term, "sol": decimal_text(term["lamports"], E9)} for term in document["terms"] if term["count"]]
    change = sol.last_lamports - sol.first_lamports
    return [
        f"Wallet {sol.wallet}, which signs for {', '.join(sol.accounts)} ({sol.first_event} to {sol.last_event})",
        f"  by the chain   {_sol(sol.first_lamports)} to {_sol(sol.last_lamports)}: {_sol(change)}",
        f"  SOL residual   {_sol(sol.residual_lamports)}",
        *([table(_SOL_TERMS, terms)] if terms else []),
        *(f"  {_unexplained(left)}" for left in sol.unexplained),
    ]


def _error(proven: Proven) -> GridkeeperError:
    equity, sol = proven.equity, proven.sol
    if equity.residual_e6 or sol is None:
        value, missing = e6_text(equity.residual_e6), f"{e6_text(equity.residual_e6)} of the equity"
        ends = (equity.first.event, equity.last.event)
    else:
        value = _sol(sol.residual_lamports)
        missing, ends = f"{value} SOL of the wallet {sol.wallet}", (sol.first_event, sol.last_event)
    return GridkeeperError(
        "PROOF_DIFFERS",
        field=f"account:{equity.alias}",
        value=value,
        expected="0",
        detail=f"No event explains {missing} between {ends[0]} and {ends[1]}.",
    )


def _unexplained(left: UnexplainedLamports) -> str:
    where = f"after slot {left.after_slot} and up to slot {left.until_slot} ({left.event})"
    return f"not explained: {left.lamports} lamports, moved {where}"


def _sol(lamports: int) -> str:
    return decimal_text(lamports, E9)
