"""Proves the lamports of the wallet that pays for an account's transactions, between two snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import msgspec

from gridkeeper_core.events import AccountSnapshot, TransactionFailed, TransactionLanded, TransactionReverted
from gridkeeper_core.ledger.interval import Snap, Window
from gridkeeper_core.record import Recorded

BASE_FEE_LAMPORTS = 5_000
"""What the chain takes for one signature; our transactions have one, and all above it is the priority fee."""
TERMS = ("fees", "priority fees")


class LamportEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event behind a term and its signature; a negative part was paid."""

    event: str
    signature: str
    lamports: int


class SolTerm(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why the balance changed."""

    name: str
    lamports: int
    events: tuple[LamportEvent, ...]


class UnexplainedLamports(msgspec.Struct, frozen=True, kw_only=True):
    """Lamports that moved between two snapshots that follow each other, and no transaction of ours paid them."""

    lamports: int
    after_slot: int
    until_slot: int
    event: str


class SolProof(msgspec.Struct, frozen=True, kw_only=True):
    """The balance at both ends by the chain, the change by events alone. Rent and transfers have no event of their own:
    what moved the balance besides transactions of ours is the residual. `unexplained` says between which snapshots.
    """

    first_lamports: int
    last_lamports: int
    terms: tuple[SolTerm, ...]
    unexplained: tuple[UnexplainedLamports, ...] = ()

    @property
    def residual_lamports(self) -> int:
        """What no event explains."""
        return self.last_lamports - self.first_lamports - sum(term.lamports for term in self.terms)


class SolFold:
    """Takes the events of the account's `tx:` stream, and of its `account:` stream for the snapshots on the way."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._snaps = [window.first]
        self._fees: dict[str, _Fee] = {}
        self._events: dict[str, list[LamportEvent]] = {name: [] for name in TERMS}
        self._paid: set[str] = set()

    def take(self, event_id: int, event: Recorded) -> None:
        """The next event in the order of the log."""
        fact, window = event.fact, self._window
        if isinstance(fact, AccountSnapshot) and window.first.id < event_id <= window.last.id:
            self._snaps.append(Snap(id=event_id, event=event.identity, ts_ns=event.ts_ns, fact=fact))
        if isinstance(fact, TransactionReverted):
            self._undo(fact.signature)
        if not isinstance(fact, TransactionLanded | TransactionFailed) or fact.signature in self._paid:
            return
        if window.first.shows(event_id, fact.slot) or not window.last.shows(event_id, fact.slot):
            return
        self._paid.add(fact.signature)
        self._fees[fact.signature] = _Fee(event_id, fact.slot, fact.fee_lamports)
        base = min(fact.fee_lamports, BASE_FEE_LAMPORTS)
        for name, paid in (("fees", base), ("priority fees", fact.fee_lamports - base)):
            if paid:
                told = LamportEvent(event=event.identity, signature=fact.signature, lamports=-paid)
                self._events[name].append(told)

    def _undo(self, signature: str) -> None:
        """It is not on the chain any more, so nothing was paid; it may land again."""
        self._paid.discard(signature)
        self._fees.pop(signature, None)
        self._events = {name: [of for of in told if of.signature != signature] for name, told in self._events.items()}

    def proof(self) -> SolProof:
        """The proof, once everything was taken."""
        return SolProof(
            first_lamports=self._window.first.fact.lamports,
            last_lamports=self._window.last.fact.lamports,
            terms=tuple(
                SolTerm(name=name, lamports=sum(of.lamports for of in told), events=tuple(told))
                for name, told in self._events.items()
            ),
            unexplained=tuple(self._unexplained()),
        )

    def _unexplained(self) -> Iterator[UnexplainedLamports]:
        """What is left over from each snapshot to the next."""
        waiting = list(self._fees.values())
        for before, after in pairwise(self._snaps):
            paid = sum(fee.lamports for fee in waiting if after.shows(fee.event_id, fee.slot))
            waiting = [fee for fee in waiting if not after.shows(fee.event_id, fee.slot)]
            left = after.fact.lamports - before.fact.lamports + paid
            if left:
                yield UnexplainedLamports(
                    lamports=left, after_slot=before.fact.slot, until_slot=after.fact.slot, event=after.event
                )


class _Fee(msgspec.Struct, frozen=True):
    event_id: int
    slot: int
    lamports: int
