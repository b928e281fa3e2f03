"""One decision about one grid: the facts it comes to, each folded at once."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid.evolve import GridFact, evolve
from gridkeeper_core.grid.state import GridState
from gridkeeper_core.prices.price import Price


class Decision:
    """Collects the facts of one decision and folds each at once, so that the next rule sees its effect.

    `before` is the grid as the decision found it.
    """

    def __init__(self, state: GridState, newest: Price | None, now_ns: int) -> None:
        self.state = self.before = state
        self.newest = newest
        self.now_ns = now_ns
        self.facts: list[GridFact] = []

    def add(self, fact: GridFact) -> None:
        """Record a fact; before the first one, the price it was decided on, unless the log has it already."""
        self.see()
        self._fold(fact)

    def see(self) -> None:
        """Record the newest price, unless the log has it already."""
        newest, seen = self.newest, self.state.price
        if newest is not None and (seen is None or seen.source_seq != newest.source_seq):
            passed_over = newest.source_seq - seen.source_seq - 1 if seen is not None else 0
            self._fold(e.PriceSeen(price=newest, passed_over=passed_over))

    def pause(self, code: str, author: str, reason: str, *, keep_orders: bool) -> None:
        """Stop wanting orders for a reason; the same reason twice changes nothing, but orders that stayed may go."""
        stayed = self.state.pauses.get(code)
        if stayed is None or (stayed and not keep_orders):
            self.add(e.GridPaused(code=code, author=author, reason=reason, keep_orders=keep_orders))

    def _fold(self, fact: GridFact) -> None:
        self.facts.append(fact)
        self.state = evolve(self.state, fact, self.now_ns)
