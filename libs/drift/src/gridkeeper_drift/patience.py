"""The venue's breaker: where an account's transactions fail on the chain one after the other, placing rests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from gridkeeper_core.breaker import Breaker, BreakerPhase, BreakerRules
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue.records import SeenTransaction
from gridkeeper_drift.endpoint import EndpointChange
from gridkeeper_drift.failure import VenueRestingError

_RULES = BreakerRules(failures=3, first_pause_ns=2 * NS_PER_S, longest_pause_ns=60 * NS_PER_S)
_ORDINARY = {6057, 6071, 6260}
"""A post-only order that would have crossed, a slot that is taken: the next plan differs, so trying on is right.

And what cannot be settled now, because others lost too little yet: that says nothing of orders.
"""
_REMEMBERED = 1_000


class Patience:
    """One breaker for each account, fed with what the walker saw of our own transactions."""

    def __init__(self) -> None:
        self._breakers: dict[str, Breaker] = {}
        self._told: dict[str, BreakerPhase] = {}
        self._reasons: dict[str, str] = {}
        self._judged: dict[str, None] = {}

    def take(self, alias: str, transactions: Iterable[SeenTransaction]) -> None:
        """Judges each transaction of ours once, although it is told again when it is finalized."""
        for transaction in transactions:
            if not transaction.ours or transaction.signature in self._judged:
                continue
            self._judged[transaction.signature] = None
            if len(self._judged) > _REMEMBERED:
                del self._judged[next(iter(self._judged))]
            breaker = self._breakers.get(alias, Breaker(rules=_RULES))
            if not transaction.failed or transaction.error_code in _ORDINARY:
                self._breakers[alias] = breaker.succeeded()
            else:
                self._breakers[alias] = breaker.failed(_now_ns())
                self._reasons[alias] = transaction.error

    def check(self, alias: str) -> None:
        """Returns where orders may be placed. Raises VenueRestingError."""
        if alias in self._breakers and self._breakers[alias].phase(_now_ns()) == "open":
            detail = f"Our transactions failed one after the other, the last with {self._reasons[alias]}."
            raise VenueRestingError(alias, detail)

    def changes(self) -> list[EndpointChange]:
        """Which breakers moved since this was last asked."""
        changes = []
        for alias, breaker in self._breakers.items():
            phase = breaker.phase(_now_ns())
            if phase != self._told.get(alias, "closed"):
                self._told[alias] = phase
                detail = "transactions succeed again" if phase == "closed" else self._reasons[alias]
                changes.append(EndpointChange("venue", phase, detail, alias))
        return changes


def _now_ns() -> int:
    return int(asyncio.get_running_loop().time() * NS_PER_S)
