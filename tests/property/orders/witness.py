"""Holds every fact of execution against what is true on the model chain, the moment it is decided."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.units import E9
from gridkeeper_core.venue import records as r
from property.orders.model_chain import ModelChain


class Witness:
    """Knows what a grid wants, and raises AssertionError when execution says or does what is not so.

    `live` are intents that are wanted and not over, `waiting` those of them that were not placed yet.
    """

    def __init__(self, chain: ModelChain) -> None:
        self.chain = chain
        self.live: set[str] = set()
        self.waiting: set[str] = set()
        self.filled_e9: dict[str, int] = {}
        self.open: dict[int, e.OrderAccepted] = {}
        self.accepted: dict[tuple[str, int], e.OrderAccepted] = {}
        self.fills: set[int] = set()
        self.landed_after_all = False

    def wants(self, intent_id: str) -> None:
        """A grid wants this intent, which is not live."""
        self.live.add(intent_id)
        self.waiting.add(intent_id)

    def left_e9(self, intent_id: str) -> int:
        """What is missing of an intent."""
        return E9 - self.filled_e9.get(intent_id, 0)

    def hears(self, fact: e.Fact) -> None:
        """One more fact."""
        match fact:
            case e.OrderAccepted():
                self._accepted(fact)
            case e.OrderRefused():
                self.waiting.discard(fact.intent_id)
                self.live.discard(fact.intent_id)
            case e.TransactionLanded() | e.TransactionFailed():
                seen = self.chain.outcome(fact.signature)
                assert seen is not None, f"{fact.signature} is not on the chain"
                assert seen.failed == isinstance(fact, e.TransactionFailed), (
                    f"{fact.signature} ended with {seen.error!r}"
                )
            case e.TransactionExpired():
                assert fact.signature in self.chain.gone, f"{fact.signature} may still land"
            case e.OrderResting():
                assert self.chain.by_place[fact.signature, fact.user_order_id] == fact.order_id
            case e.OrderFilled():
                self._filled(fact)
            case e.OrderClosed():
                self._closed(fact)
            case e.VenueDiffers() | e.ForeignOrderSeen() | e.ForeignFilled() | e.OrderOrphaned() | e.GuardTripped():
                assert self.landed_after_all, fact
            case _:
                pass

    def one_order_each(self) -> None:
        """P3: on the venue, and on its way there, an intent has at most one order."""
        if self.landed_after_all:
            return
        resting = [self._intent_of(order.order_id) for order in self.chain.account().orders]
        coming = [
            self.accepted[signature, place.user_order_id].intent_id
            for signature in self.chain.flying
            for place in self.chain.rolls[signature].places
        ]
        intents = [*resting, *coming]
        assert len(intents) == len(set(intents)), sorted(intents)

    # ------------------------------------------------------------ inside

    def _accepted(self, fact: e.OrderAccepted) -> None:
        assert fact.intent_id in self.waiting, f"nobody wants {fact.intent_id}"
        self.waiting.remove(fact.intent_id)
        for other in self.open.values():
            assert other.intent_id != fact.intent_id, f"{other} is not over"
            assert other.user_order_id != fact.user_order_id, f"{other} holds {fact.user_order_id}"
        self.open[fact.attempt] = fact
        self.accepted[fact.signature, fact.user_order_id] = fact

    def _filled(self, fact: e.OrderFilled) -> None:
        assert fact.fill_record_id not in self.fills, f"{fact.fill_record_id} was counted before"
        self.fills.add(fact.fill_record_id)
        assert self._intent_of(fact.order_id) == fact.intent_id
        assert self.landed_after_all or not fact.late, f"{fact.intent_id} was thought over"
        self.filled_e9[fact.intent_id] = self.filled_e9.get(fact.intent_id, 0) + fact.base_e9
        assert self.landed_after_all or self.left_e9(fact.intent_id) >= 0, f"{fact.intent_id} is filled twice"

    def _closed(self, fact: e.OrderClosed) -> None:
        attempt = self.open.pop(fact.attempt)
        self.live.discard(fact.intent_id)
        place = (attempt.signature, attempt.user_order_id)
        order_id = self.chain.by_place.get(place)
        assert attempt.signature not in self.chain.flying, f"{fact} although its transaction may land"
        held = {order.order_id for order in self.chain.account().orders}
        assert order_id is None or order_id not in held, f"{fact} although its order is open"
        seen = self.chain.outcome(attempt.signature)
        match fact.reason:
            case "expired":
                assert attempt.signature in self.chain.gone
            case "failed":
                assert seen is not None
                assert seen.failed
            case "not_placed":
                assert seen is not None
                assert not seen.failed
                assert order_id is None
            case "filled":
                assert fact.filled_e9 == attempt.size_e9
            case _:
                assert order_id in self._cancelled(), f"{fact} although nothing cancelled it"

    def _cancelled(self) -> set[int]:
        records = (record for tx in self.chain.landed for record in tx.records)
        return {record.order_id for record in records if isinstance(record, r.CancelRecord)}

    def _intent_of(self, order_id: int) -> str:
        place = next(place for place, known in self.chain.by_place.items() if known == order_id)
        return self.accepted[place].intent_id
