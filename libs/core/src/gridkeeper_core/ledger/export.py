"""What an account did, one row per amount that moved, with realised PnL by a method of cost basis.

Rows follow from the stored events alone, so that the same events give the same rows for ever.
"""

from __future__ import annotations

import hashlib

import msgspec

from gridkeeper_core.events import (
    AccountAdopted,
    AccountSnapshot,
    Fact,
    FillProven,
    FillReverted,
    ForeignFilled,
    Liquidated,
    OrderFilled,
    PositionState,
    Posted,
    RecordReverted,
    SolMoved,
    TransactionFailed,
    TransactionLanded,
    TransactionReverted,
)
from gridkeeper_core.ledger.account import NO_MARKET, fill_key, key_of, postings_of
from gridkeeper_core.ledger.cost_basis import BasisBook, Method, Trade, basis_book
from gridkeeper_core.names import split_stream
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import E9, div_trunc


class ExportRow(msgspec.Struct, frozen=True, kw_only=True):
    """One amount that moved; `quote_e6` is signed, the fee apart from it.

    `kind` as in `Posted`, or sol_fee, or `sol_` and a kind of `SolMoved`. `side`, `price_e6`, `position_e9` and
    `average_price_e6` are those of a trade, `realized_pnl_e6` is before fees. `preliminary`: the chain's record of the
    fill is lost, and its amounts follow from the account's counters.
    """

    ts_ns: int
    account: str
    kind: str
    market: str = ""
    side: str = ""
    size_e9: int = 0
    price_e6: int | None = None
    quote_e6: int = 0
    fee_e6: int = 0
    realized_pnl_e6: int = 0
    position_e9: int | None = None
    average_price_e6: int | None = None
    preliminary: bool = False
    lamports: int = 0
    signature: str = ""
    event: str


class EventRange(msgspec.Struct, frozen=True, kw_only=True):
    """The events rows were made from: how many, the ids of the first and the last, and their SHA-256.

    The hash is over the stored bytes in the order of the log, each followed by a line end.
    """

    app: str
    first_id: int
    last_id: int
    events: int
    sha256: str


class Survey:
    """A first look at the log: what was taken back later, and the hash of everything that is looked at."""

    def __init__(self, app: str, to_ns: int | None) -> None:
        self.undone: set[str] = set()
        self._app = app
        self._to_ns = to_ns
        self._newest: dict[str, str] = {}
        self._hash = hashlib.sha256()
        self._ids: tuple[int, int] = (0, 0)
        self._events = 0

    def take(self, event_id: int, stored: bytes, event: Recorded) -> None:
        """The next event of an exported stream."""
        if self._to_ns is not None and event.ts_ns >= self._to_ns:
            return
        self._hash.update(stored + b"\n")
        self._ids = (self._ids[0] or event_id, event_id)
        self._events += 1
        match event.fact:
            case FillReverted() | RecordReverted() | TransactionReverted():
                named = _named(event.fact)
                self.undone |= {
                    self._newest.pop(event.stream + name) for name in named if event.stream + name in self._newest
                }
            case fact:
                self._newest |= {event.stream + name: event.identity for name in _named(fact)}

    @property
    def range(self) -> EventRange:
        """What was looked at."""
        first, last = self._ids
        return EventRange(
            app=self._app, first_id=first, last_id=last, events=self._events, sha256=self._hash.hexdigest()
        )


def _named(fact: Fact) -> tuple[str, ...]:
    """What a fact may be taken back by, or takes back: a fill record, a record of a transaction, a transaction."""
    match fact:
        case OrderFilled() | FillReverted():
            return (fill_key(fact.market_index, fact.fill_record_id),)
        case ForeignFilled():
            return (fill_key(fact.market_index, fact.fill_record_id), f"{fact.signature}:{fact.index}")
        case TransactionLanded() | TransactionFailed() | TransactionReverted():
            return (fact.signature,)
        case _:
            signature, index = getattr(fact, "signature", ""), getattr(fact, "index", None)
            return (f"{signature}:{index}",) if signature and index is not None else ()


class WalletFold:
    """Makes the rows of one wallet. `account` is whom it signs for; `paid` as in `ExportFold`."""

    def __init__(self, account: str, paid: set[str]) -> None:
        self._account = account
        self._paid = paid

    def take(self, event: Recorded) -> tuple[ExportRow, ...]:
        """The rows of the next event of the wallet's stream."""
        fact = event.fact
        if not isinstance(fact, SolMoved):
            return ()
        paid = fact.fee_lamports + fact.priority_lamports
        moved = fact.after_lamports - fact.before_lamports + paid
        parts = [] if fact.signature in self._paid else [("sol_fee", -paid)]
        self._paid.add(fact.signature)
        parts += [] if fact.kind == "fee" else [(f"sol_{fact.kind}", moved)]
        return tuple(
            ExportRow(
                ts_ns=event.ts_ns,
                account=self._account,
                kind=kind,
                lamports=lamports,
                signature=fact.signature,
                event=event.identity,
            )
            for kind, lamports in parts
            if lamports
        )


class ExportFold:
    """Makes the rows of one account. Cost basis counts from the first event on, whatever interval is shown.

    `paid` are the transactions whose fee has a row already, of whatever account or wallet.
    """

    def __init__(self, method: Method, undone: set[str], paid: set[str]) -> None:
        self._method = method
        self._undone = undone
        self._books: dict[int, BasisBook] = {}
        self._baseline: AccountSnapshot | None = None
        self._keys: set[str] = set()
        self._paid = paid

    def take(self, event: Recorded) -> tuple[ExportRow, ...]:
        """The rows of the next event of the account's own or its `tx:` stream."""
        fact, alias = event.fact, split_stream(event.stream)[1]
        if event.identity in self._undone:
            return ()
        match fact:
            case TransactionLanded() | TransactionFailed():
                return self._sol_fee(event, alias, fact)
            case AccountSnapshot() if self._baseline is None:
                self._baseline = fact
                return self._opening(event, alias, fact)
            case _ if self._baseline is None:
                return ()  # what was before the first snapshot is in it
        postings = postings_of(fact)
        if not postings or key_of(postings[0], event.identity) in self._keys:
            return ()
        self._keys.add(key_of(postings[0], event.identity))
        return self._rows(event, alias, fact, postings)

    def _rows(self, event: Recorded, alias: str, fact: Fact, postings: tuple[Posted, ...]) -> tuple[ExportRow, ...]:
        match fact:
            case OrderFilled() | FillProven() | ForeignFilled():
                traded = self._traded(event, alias, postings[0], fact.fee_e6)
                return (msgspec.structs.replace(traded, preliminary=isinstance(fact, FillProven)),)
            case Liquidated():
                with_fee = msgspec.structs.replace(postings[0], quote_e6=fact.quote_e6)
                return (self._traded(event, alias, with_fee, fact.fee_e6),)
            case AccountAdopted():
                return tuple(
                    self._traded(event, alias, posted, 0) if posted.base_e9 else _plain(event, alias, posted)
                    for posted in postings
                )
            case _:
                return tuple(_plain(event, alias, posted) for posted in postings)

    def _opening(self, event: Recorded, alias: str, snapshot: AccountSnapshot) -> tuple[ExportRow, ...]:
        deposit = ExportRow(
            ts_ns=event.ts_ns, account=alias, kind="opening", quote_e6=snapshot.deposit_e6, event=event.identity
        )
        held = (self._traded(event, alias, _held(p), 0) for p in snapshot.positions if p.base_e9)
        return (deposit, *held)

    def _traded(self, event: Recorded, alias: str, posted: Posted, fee_e6: int) -> ExportRow:
        size, quote = abs(posted.base_e9), abs(posted.quote_e6)
        side = "buy" if posted.base_e9 > 0 else "sell"
        if size == 0:
            return msgspec.structs.replace(_plain(event, alias, posted), fee_e6=fee_e6)
        book = self._books.setdefault(posted.market_index, basis_book(self._method))
        basis = book.take(Trade(side="buy" if posted.base_e9 > 0 else "sell", base_e9=size, quote_e6=quote))
        return ExportRow(
            ts_ns=event.ts_ns,
            account=alias,
            kind=posted.kind,
            market=posted.market,
            side=side,
            size_e9=size,
            price_e6=div_trunc(quote * E9, size),
            quote_e6=posted.quote_e6,
            fee_e6=fee_e6,
            realized_pnl_e6=basis.realized_pnl_e6,
            position_e9=basis.position_e9,
            average_price_e6=basis.average_price_e6,
            signature=posted.signature,
            event=event.identity,
        )

    def _sol_fee(
        self, event: Recorded, alias: str, fact: TransactionLanded | TransactionFailed
    ) -> tuple[ExportRow, ...]:
        if not fact.fee_lamports or fact.signature in self._paid:
            return ()
        self._paid.add(fact.signature)
        row = ExportRow(
            ts_ns=event.ts_ns,
            account=alias,
            kind="sol_fee",
            lamports=-fact.fee_lamports,
            signature=fact.signature,
            event=event.identity,
        )
        return (row,)


def _plain(event: Recorded, alias: str, posted: Posted) -> ExportRow:
    # A settlement moves an amount from the position to the deposit: what is told is what the deposit got.
    quote = posted.deposit_e6 if posted.kind == "settlement" else posted.quote_e6 + posted.deposit_e6
    return ExportRow(
        ts_ns=event.ts_ns,
        account=alias,
        kind=posted.kind,
        market=posted.market,
        quote_e6=quote,
        signature=posted.signature,
        event=event.identity,
    )


def _held(position: PositionState) -> Posted:
    """What the account held at its first snapshot counts as traded at the venue's own entry."""
    return Posted(
        kind="opening",
        market=position.market,
        base_e9=position.base_e9,
        quote_e6=position.quote_entry_e6,
        deposit_e6=0,
        signature="",
        index=0,
        market_index=position.market_index if position.market_index >= 0 else NO_MARKET,
    )
