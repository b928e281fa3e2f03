"""The first facts of a decision: the input it was made on, whole, so that it can be made again from the log alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gridkeeper_core import events as e
from gridkeeper_core.inputs import AccountRead, EventSeen, Input, MarketRead, PriceTick, TransactionSeen
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.orders.state import AccountState
from gridkeeper_core.prices.price import Price

RESTATED = (e.TransactionMet, e.AccountMet, e.MarketMet, e.PriceSeen)
"""Facts that only say what was met: no state follows from them."""


def input_fact(item: Input, rules: AccountRules) -> e.Fact | None:
    """The input as a fact; None where the decision's other facts, or its cause, say all of it."""
    match item:
        case TransactionSeen():
            return e.TransactionMet(transaction=item.transaction)
        case AccountRead():
            return e.AccountMet(
                account=item.account,
                cursor=item.cursor,
                cursor_slot=item.cursor_slot,
                endpoints=item.endpoints,
                agreed=item.agreed,
                block_time_s=item.block_time_s,
                settle_above_e6=rules.settle_above_e6,
                watches_sol=rules.watches_sol,
                watches_clock=rules.watches_clock,
                keeps=item.keeps,
            )
        case MarketRead():
            return e.MarketMet(
                spec=item.spec,
                oracle_e6=item.oracle_e6,
                oracle_confidence_e6=item.oracle_confidence_e6,
                oracle_age_slots=item.oracle_age_slots,
            )
        case _:
            return None


class KnownPrices:
    """The newest price of each market, and which of them the log tells of up to a decision.

    It tells of those that strategy recorded before an event that execution acted on, and of those restated here.
    """

    def __init__(self) -> None:
        self.newest: dict[str, Price] = {}
        self._told: dict[str, int] = {}
        self._overheard: dict[str, int] = {}

    def is_news(self, price: Price) -> bool:
        """Whether it is newer than what is known of its market; then it is known now."""
        known = self.newest.get(price.market)
        if known is not None and known.source_seq >= price.source_seq:
            return False
        self.newest[price.market] = price
        return True

    def overhear(self, price: Price) -> None:
        """Strategy recorded this price."""
        self.is_news(price)
        self._overheard[price.market] = price.source_seq

    def replayed(self, price: Price) -> None:
        """For a replay: the decision to come restated this price."""
        self.newest[price.market] = price
        self._told.pop(price.market, None)

    def forget(self) -> None:
        """For a replay: a new life begins, which knows no price yet."""
        self.newest.clear()
        self._told.clear()
        self._overheard.clear()

    def untold(self, item: Input, state: AccountState, facts: Sequence[e.Fact]) -> Iterator[e.PriceSeen]:
        """The prices that a decision hung on and that the log lacks."""
        if isinstance(item, EventSeen):
            self._told |= self._overheard
        ticked = item.price if isinstance(item, PriceTick) else None
        if ticked is None and not any(isinstance(fact, _OF_A_PRICE) for fact in facts):
            return
        for market, price in self.newest.items():
            told = self._told.get(market, 0)
            is_behind = told < price.source_seq and _concerns(market, state)
            if is_behind or ticked is price:
                self._told[market] = price.source_seq
                yield e.PriceSeen(price=price, passed_over=0)


_OF_A_PRICE = (e.TransactionSigned, e.OrderRefused)
"""What a plan comes to; whatever else waits for a price waits in a replay too, which knows no newer ones."""


def _concerns(market: str, state: AccountState) -> bool:
    return (
        any(r.market == market for r in state.reservations.values())
        or any(p.market == market for p in state.positions.values())
        or any(a.market == market for a in state.attempts.values())
        or any(q.market == market for q in state.queued.values())
    )
