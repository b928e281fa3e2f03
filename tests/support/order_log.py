"""Judges a record of orders from outside: what must never be in it, whatever was killed meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

from gridkeeper_core import events as e
from gridkeeper_core.record import Recorded

NEVER = (e.VenueDiffers, e.GridFaulted, e.FillReverted, e.ForeignOrderSeen, e.GridRejected)


class OrderLog:
    """Folds events of one account in their order; `faults` names every broken promise, `most_open` the worst moment."""

    def __init__(self, events: Iterable[Recorded]) -> None:
        self.faults: list[str] = []
        self.most_open = 0
        self.fills: list[e.OrderFilled] = []
        self._holders: dict[int, str] = {}
        self._attempts: dict[str, int] = {}
        self._ever: set[int] = set()
        self._resting: dict[int, str] = {}
        self._records: set[tuple[int, int]] = set()
        for event in events:
            self._take(event)

    @property
    def position_e9(self) -> int:
        """What all fills together bought, less what they sold."""
        return sum(fill.base_e9 if fill.side == "buy" else -fill.base_e9 for fill in self.fills)

    def _take(self, event: Recorded) -> None:
        match event.fact:
            case e.OrderAccepted() as accepted:
                self._accepted(accepted, event.identity)
            case e.OrderResting() as resting:
                self._resting[resting.order_id] = resting.intent_id
                self.most_open = max(self.most_open, len(self._resting))
            case e.OrderFilled() as fill:
                self._filled(fill, event.identity)
            case e.OrderClosed() as closed:
                self._closed(closed, event.identity)
            case bad if isinstance(bad, NEVER):
                self.faults.append(f"{event.identity}: {bad}")

    def _accepted(self, fact: e.OrderAccepted, where: str) -> None:
        if fact.intent_id in self._attempts:
            self.faults.append(f"{where}: {fact.intent_id} has an open attempt already")
        if fact.user_order_id in self._holders:
            self.faults.append(f"{where}: user_order_id {fact.user_order_id} is held by another attempt")
        if fact.attempt in self._ever:
            self.faults.append(f"{where}: attempt {fact.attempt} was made before")
        self._ever.add(fact.attempt)
        self._attempts[fact.intent_id] = fact.attempt
        self._holders[fact.user_order_id] = fact.intent_id

    def _filled(self, fact: e.OrderFilled, where: str) -> None:
        record = (fact.market_index, fact.fill_record_id)
        if record in self._records:
            self.faults.append(f"{where}: fill {record} is booked twice")
        self._records.add(record)
        self.fills.append(fact)

    def _closed(self, fact: e.OrderClosed, where: str) -> None:
        if self._attempts.pop(fact.intent_id, None) != fact.attempt:
            self.faults.append(f"{where}: attempt {fact.attempt} of {fact.intent_id} was not open")
        self._holders.pop(fact.user_order_id, None)
        if fact.order_id is not None:
            self._resting.pop(fact.order_id, None)
