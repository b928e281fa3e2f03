"""Proves what an account earned between two snapshots: the venue's numbers against every event in between.

A fact belongs to what a snapshot shows when it was recorded before it and its slot is not later than the snapshot's.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import (
    AccountSnapshot,
    Fact,
    FillBooked,
    FillReverted,
    ForeignFilled,
    Posted,
    RecordReverted,
)
from gridkeeper_core.ledger.account import (
    NO_MARKET,
    fill_key,
    key_of,
    postings_of,
    reversal_of,
    taken_back_late,
)
from gridkeeper_core.ledger.position import value_e6
from gridkeeper_core.record import Recorded

GRID_PROFIT = "grid profit"
INVENTORY = "inventory PnL"
_UNKNOWN_PRICE_E6 = 1_000_000
_FIRST_TERMS = (GRID_PROFIT, INVENTORY, "fees", "rebates", "funding", "keeper fees", "interest", "liquidation")
TERMS = (*_FIRST_TERMS, "transfers", "fills of no grid", "adoption", "settlement")
"""What equity can change by, in the order it is told in."""
_TERM_OF = {
    "funding": "funding",
    "keeper_fee": "keeper fees",
    "interest": "interest",
    "liquidation": "liquidation",
    "transfer": "transfers",
    "settlement": "settlement",
    "adoption": "adoption",
}


class Snap(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot and its place: `id` in execution's log, its event and when it was taken."""

    id: int
    event: str
    ts_ns: int
    fact: AccountSnapshot

    def shows(self, event_id: int, slot: int) -> bool:
        """Whether what happened at this slot, recorded under this id, is in the snapshot's numbers."""
        return event_id < self.id and slot <= self.fact.slot


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The interval to prove, and the account's first snapshot, from which its base is counted."""

    baseline: Snap
    first: Snap
    last: Snap


class TermEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event behind a term, the signature where a transaction caused it, and its part (1e-6)."""

    event: str
    signature: str
    quote_e6: int


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One summand of the right side, with everything it is made from."""

    name: str
    quote_e6: int
    events: tuple[TermEvent, ...]


class IntervalProof(msgspec.Struct, frozen=True, kw_only=True):
    """Equity at both ends by the venue, the change by events alone, and what they differ by (1e-6)."""

    alias: str
    first: Snap
    last: Snap
    equity_first_e6: int
    equity_last_e6: int
    terms: tuple[Term, ...]

    @property
    def left_e6(self) -> int:
        """The change of equity by the venue."""
        return self.equity_last_e6 - self.equity_first_e6

    @property
    def right_e6(self) -> int:
        """The change of equity by the events."""
        return sum(term.quote_e6 for term in self.terms)

    @property
    def residual_e6(self) -> int:
        """Must be 0; it is never made to be."""
        return self.left_e6 - self.right_e6


def window_of(snaps: Sequence[Snap], from_ns: int | None, to_ns: int | None) -> Window:
    """The newest snapshots at or before both ends (the first one where there is none before).

    Raises GridkeeperError BAD_VALUE when both ends are the same snapshot.
    """
    if not snaps:
        raise GridkeeperError("BAD_VALUE", field="account", expected="an account with snapshots", do=_TAKE_ONE)
    first, last = _at_or_before(snaps, from_ns, snaps[0]), _at_or_before(snaps, to_ns, snaps[-1])
    if first.id >= last.id:
        raise GridkeeperError("BAD_VALUE", field="--from", expected="a snapshot between --from and --to", do=_TAKE_ONE)
    return Window(baseline=snaps[0], first=first, last=last)


class EquityFold:
    """Takes the account's events and the ledger's fills, each log in its order, the account's first."""

    def __init__(self, alias: str, window: Window) -> None:
        self._alias = alias
        self._window = window
        self._base: dict[int, int] = {p.market_index: p.base_e9 for p in window.baseline.fact.positions}
        self._base_first: dict[int, int] = dict(self._base)
        self._events: dict[str, list[TermEvent]] = {name: [] for name in TERMS}
        self._trades: dict[str, TermEvent] = {}
        self._recent: dict[str, tuple[Posted, ...]] = {}
        self._reverted: set[str] = set()

    def take(self, event_id: int, event: Recorded) -> None:
        """The next event of the account's stream."""
        fact = event.fact
        if isinstance(fact, AccountSnapshot):
            self._forget(fact.cursor_slot)
            return
        postings = self._postings(fact, event.identity)
        if not postings or self._window.baseline.shows(event_id, postings[0].slot):
            return
        if self._window.last.shows(event_id, postings[0].slot):
            self._move(self._base, postings)
        if self._window.first.shows(event_id, postings[0].slot):
            self._move(self._base_first, postings)
        elif self._window.last.shows(event_id, postings[0].slot):
            self._count(event.identity, fact, postings)

    def book(self, event: Recorded) -> None:
        """The next event of a grid's books: which part of a fill completed turns."""
        trade = self._trades.get(event.cause)
        if isinstance(event.fact, FillBooked) and event.fact.grid_quote_e6 and trade is not None:
            part = event.fact.grid_quote_e6
            profit = TermEvent(event=event.identity, signature=trade.signature, quote_e6=part)
            self._events[GRID_PROFIT].append(profit)
            self._trades[event.cause] = msgspec.structs.replace(trade, quote_e6=trade.quote_e6 - part)

    def proof(self) -> IntervalProof:
        """The proof, once everything was taken."""
        first, last = self._window.first, self._window.last
        marks = (_mark(first, self._base_first, -1), _mark(last, self._base, 1))
        events = {**self._events, INVENTORY: [*self._trades.values(), *marks]}
        return IntervalProof(
            alias=self._alias,
            first=first,
            last=last,
            equity_first_e6=_equity_e6(first.fact),
            equity_last_e6=_equity_e6(last.fact),
            terms=tuple(
                Term(name=name, quote_e6=sum(of.quote_e6 for of in events[name]), events=tuple(events[name]))
                for name in TERMS
            ),
        )

    def _postings(self, fact: Fact, identity: str) -> tuple[Posted, ...]:
        if isinstance(fact, FillReverted):
            return self._undone(fact)
        if isinstance(fact, RecordReverted):
            return tuple(_negated(posted) for posted in self._taken_back(fact))
        postings = postings_of(fact)
        key = key_of(postings[0], identity) if postings else ""
        if not postings or key in self._recent:
            return ()
        self._recent[key] = postings
        self._reverted.discard(key)
        return postings

    def _undone(self, fact: FillReverted) -> tuple[Posted, ...]:
        key = fill_key(fact.market_index, fact.fill_record_id)
        if key in self._reverted:
            return ()
        self._reverted.add(key)
        return tuple(_negated(posted) for posted in self._recent.pop(key, ()) or taken_back_late(fact))

    def _taken_back(self, fact: RecordReverted) -> tuple[Posted, ...]:
        named = (fact.signature, fact.index)
        key = next((key for key, group in self._recent.items() if (group[0].signature, group[0].index) == named), "")
        return self._recent.pop(key, ())

    def _forget(self, final_slot: int) -> None:
        """What is final cannot come again, nor be taken back."""
        self._recent = {key: group for key, group in self._recent.items() if group[0].slot > final_slot}

    def _move(self, base: dict[int, int], postings: tuple[Posted, ...]) -> None:
        for posted in postings:
            if posted.market_index != NO_MARKET and posted.base_e9:
                base[posted.market_index] = base.get(posted.market_index, 0) + posted.base_e9

    def _count(self, identity: str, fact: Fact, postings: tuple[Posted, ...]) -> None:
        for posted in postings:
            quote = posted.quote_e6 + posted.deposit_e6
            told = TermEvent(event=identity, signature=posted.signature, quote_e6=quote)
            match posted.kind:
                case "trade" if isinstance(fact, ForeignFilled | RecordReverted):
                    self._events["fills of no grid"].append(told)
                case "trade":
                    self._trades[identity] = told
                case "fee":
                    self._events["fees" if quote < 0 else "rebates"].append(told)
                case "settlement":
                    self._events["settlement"].append(told)
                case kind:
                    self._events[_TERM_OF[kind]].append(told)


_TAKE_ONE = "Wait for the next reconciliation; the account is read every minute and a snapshot taken every hour."


def _at_or_before(snaps: Sequence[Snap], ts_ns: int | None, otherwise: Snap) -> Snap:
    if ts_ns is None:
        return otherwise
    return next((snap for snap in reversed(snaps) if snap.ts_ns <= ts_ns), snaps[0])


def _negated(posted: Posted) -> Posted:
    return msgspec.structs.replace(reversal_of((posted,)), kind=posted.kind)


def _equity_e6(snapshot: AccountSnapshot) -> int:
    held = (value_e6(p.base_e9, p.oracle_e6) + p.quote_asset_e6 for p in snapshot.positions)
    return snapshot.deposit_e6 + sum(held)


def _mark(snap: Snap, base_e9: dict[int, int], sign: int) -> TermEvent:
    """What the base that events add up to was worth at a snapshot's prices; unknown to the venue, it must show."""
    oracles = {p.market_index: p.oracle_e6 for p in snap.fact.positions}
    worth = sum(value_e6(base, oracles.get(index, _UNKNOWN_PRICE_E6)) for index, base in sorted(base_e9.items()))
    return TermEvent(event=snap.event, signature="", quote_e6=sign * worth)
