"""Proves the lamports of the wallet that signs for an account, between two counts of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from gridkeeper_core.events import SolCounted, SolMoved
from gridkeeper_core.names import split_stream
from gridkeeper_core.record import Recorded

_TERM_OF = {
    "rent_paid": "rent",
    "rent_returned": "rent",
    "transfer_in": "transfers",
    "transfer_out": "transfers",
    "airdrop": "airdrops",
    "program": "other programs",
}
TERMS = ("fees", "priority fees", *dict.fromkeys(_TERM_OF.values()))
"""What a balance can change by, in the order it is told in."""


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
    """Lamports that came or went between two counts that follow each other, without a transaction."""

    lamports: int
    after_slot: int
    until_slot: int
    event: str


class SolProof(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet's balance at two counts by the chain, the change between them by its transactions alone.

    `accounts` are all that it signs for. `unexplained` says between which counts the residual came up.
    """

    wallet: str
    accounts: tuple[str, ...]
    first_event: str
    last_event: str
    first_lamports: int
    last_lamports: int
    terms: tuple[SolTerm, ...]
    unexplained: tuple[UnexplainedLamports, ...]

    @property
    def residual_lamports(self) -> int:
        """What no transaction explains; it is never made to be 0."""
        return self.last_lamports - self.first_lamports - sum(term.lamports for term in self.terms)


class SolFold:
    """Takes the events of `wallet:` streams in the order of the log; `alias` is whose wallet is meant.

    It begins at the last count until `from_ns` and ends at the last one until `to_ns`; without, at the first and the
    last of all.
    """

    def __init__(self, alias: str, from_ns: int | None, to_ns: int | None) -> None:
        self._alias = alias
        self._from_ns = from_ns
        self._to_ns = to_ns
        self._taken: dict[str, list[Recorded]] = {}
        self._wallet = ""

    def take(self, event: Recorded) -> None:
        """The next event."""
        if not isinstance(event.fact, SolMoved | SolCounted):
            return
        self._taken.setdefault(event.stream, []).append(event)
        if isinstance(event.fact, SolCounted) and self._alias in event.fact.accounts and not self._is_late(event):
            self._wallet = event.stream

    def proof(self) -> SolProof | None:
        """The proof, once everything was taken; None where no wallet of the account was counted yet."""
        events = self._taken.get(self._wallet, [])
        counts = [at for at, event in enumerate(events) if isinstance(event.fact, SolCounted)]
        last = next((at for at in reversed(counts) if not self._is_late(events[at])), None)
        if last is None:
            return None
        begun = (at for at in reversed(counts) if self._from_ns is not None and events[at].ts_ns <= self._from_ns)
        first = min(next(begun, counts[0]), last)
        window = events[first : last + 1]
        return SolProof(
            wallet=split_stream(self._wallet)[1],
            accounts=events[last].fact.accounts,
            first_event=events[first].identity,
            last_event=events[last].identity,
            first_lamports=events[first].fact.lamports,
            last_lamports=events[last].fact.lamports,
            terms=_terms(window),
            unexplained=tuple(_unexplained(window)),
        )

    def _is_late(self, event: Recorded) -> bool:
        return self._to_ns is not None and event.ts_ns > self._to_ns


def _terms(window: Sequence[Recorded]) -> tuple[SolTerm, ...]:
    parts: dict[str, list[LamportEvent]] = {name: [] for name in TERMS}
    for event in window:
        if not isinstance(event.fact, SolMoved):
            continue
        for name, lamports in _parts(event.fact):
            told = LamportEvent(event=event.identity, signature=event.fact.signature, lamports=lamports)
            parts[name].append(told)
    return tuple(
        SolTerm(name=name, lamports=sum(of.lamports for of in told), events=tuple(told)) for name, told in parts.items()
    )


def _parts(fact: SolMoved) -> Iterator[tuple[str, int]]:
    """What a transaction adds to each term."""
    paid = fact.fee_lamports + fact.priority_lamports
    moved = fact.after_lamports - fact.before_lamports + paid
    named = (("fees", -fact.fee_lamports), ("priority fees", -fact.priority_lamports))
    other = ((_TERM_OF[fact.kind], moved),) if fact.kind != "fee" else ()
    return ((name, lamports) for name, lamports in (*named, *other) if lamports)


def _unexplained(window: Sequence[Recorded]) -> Iterator[UnexplainedLamports]:
    """What is left over from each count to the next."""
    before, moved = window[0].fact, 0
    for event in window[1:]:
        if isinstance(event.fact, SolMoved):
            moved += event.fact.after_lamports - event.fact.before_lamports
            continue
        left = event.fact.lamports - before.lamports - moved
        if left:
            yield UnexplainedLamports(
                lamports=left, after_slot=before.slot, until_slot=event.fact.slot, event=event.identity
            )
        before, moved = event.fact, 0
