"""The story of one order, told from the record: price, decision, intent, transaction, fill, ledger line."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gridkeeper_core import events as e
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import e6_text, e9_text


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the chain: what kind it is, the event that says so, and the event in words."""

    kind: str
    event: str
    ts_ns: int
    cause: str
    words: str


TOPICS = (
    "order.accepted.v1", "order.refused.v1", "order.resting.v1", "order.filled.v1", "order.fill_proven.v1",
    "order.fill_reverted.v1", "order.closed.v1", "order.triggered.v1", "order.orphaned.v1", "account.orders_queued.v1",
)  # fmt: skip
"""Facts of an account's stream that a story is told from; of a grid, its ledger and transactions all are."""


def story_of(events: Iterable[Recorded], intent_id: str) -> tuple[Step, ...]:
    """The steps of an order in the order of the record; empty where the record does not know it.

    `events` are those of its grid, its account, its transactions and its ledger, no effect before its cause.
    """
    teller = _Teller(intent_id)
    for event in events:
        teller.take(event)
    return tuple(teller.steps)


class _Teller:
    def __init__(self, intent_id: str) -> None:
        self.steps: list[Step] = []
        self._intent_id = intent_id
        self._price: Recorded | None = None
        self._signatures: set[str] = set()

    def take(self, event: Recorded) -> None:
        """Note what an event has to do with the order."""
        fact = event.fact
        match fact:
            case e.PriceSeen():
                self._price = event
            case e.OrdersWanted():
                self._decision(event, fact)
            case e.TransactionSigned():
                self._signed(event, fact)
            case e.TransactionLanded() | e.TransactionFailed() | e.TransactionExpired() | e.TransactionReverted():
                if fact.signature in self._signatures:
                    self._add("outcome", event, _outcome_words(fact))
            case e.OrdersQueued():
                if any(want.intent_id == self._intent_id for want in fact.wanted):
                    self._add("queued", event, "it waits for its turn: a transaction is under way")
            case _:
                if getattr(fact, "intent_id", "") == self._intent_id:
                    self._own(event)

    def _decision(self, event: Recorded, fact: e.OrdersWanted) -> None:
        for want in fact.wanted:
            if want.intent_id == self._intent_id:
                self._price_step()
                self._add(
                    "decision", event, f"wanted: {_order_words(want)}, the market at {e6_text(fact.reference_e6)}"
                )
        for gone in fact.unwanted:
            if gone.intent_id == self._intent_id:
                self._price_step()
                self._add("decision", event, f"unwanted: {gone.why}")

    def _price_step(self) -> None:
        if self._price is not None and all(step.event != self._price.identity for step in self.steps):
            self._add(
                "price", self._price, f"{self._price.fact.price.market} at {e6_text(self._price.fact.price.oracle_e6)}"
            )

    def _signed(self, event: Recorded, fact: e.TransactionSigned) -> None:
        places = any(place.rpartition("#")[0] == self._intent_id for place in fact.places)
        cancels = any(cancel.intent_id == self._intent_id for cancel in fact.cancels)
        if not places and not cancels:
            return
        self._signatures.add(fact.signature)
        what = "places it" if places else "cancels it"
        self._add("transaction", event, f"{fact.signature} {what}, with {len(fact.places)} placed in all")

    def _own(self, event: Recorded) -> None:
        kind, words = _own_words(event.fact)
        self._add(kind, event, words)

    def _add(self, kind: str, event: Recorded, words: str) -> None:
        self.steps.append(Step(kind=kind, event=event.identity, ts_ns=event.ts_ns, cause=event.cause, words=words))


def _order_words(want: e.WantedOrder) -> str:
    trigger = f", asleep until {e6_text(want.trigger_e6)}" if want.trigger_e6 else ""
    return f"{want.side} {e9_text(want.size_e9)} at {e6_text(want.price_e6)}{trigger}"


def _outcome_words(
    fact: e.TransactionLanded | e.TransactionFailed | e.TransactionExpired | e.TransactionReverted,
) -> str:
    match fact:
        case e.TransactionLanded():
            return f"landed in slot {fact.slot}, for {fact.fee_lamports} lamports"
        case e.TransactionFailed():
            return f"failed in slot {fact.slot}: {fact.error or fact.error_code}"
        case e.TransactionExpired():
            return "can never land any more"
        case _:
            return "is not on the chain any more"


def _booked_words(fact: e.FillBooked) -> str:
    return (
        f"booked: {e9_text(fact.base_e9)} for {e6_text(fact.quote_e6)}, fee {e6_text(fact.fee_e6)}, "
        f"realised {e6_text(fact.realized_pnl_e6)}"
    )


def _own_words(fact: e.Fact) -> tuple[str, str]:
    """Kind and words of a fact that names the order itself."""
    match fact:
        case e.OrderAccepted():
            return "intent", f"attempt {fact.attempt} as user_order_id {fact.user_order_id}"
        case e.OrderRefused():
            return "refused", f"{fact.code}: {fact.detail}"
        case e.OrderResting():
            return "resting", f"the venue holds it as order {fact.order_id}"
        case e.OrderFilled():
            who = "maker" if fact.maker else "taker"
            filled = f"{e9_text(fact.base_e9)} at {e6_text(fact.price_e6)} as {who}, fee {e6_text(fact.fee_e6)}"
            return "fill", f"{filled} (record {fact.fill_record_id}, {fact.signature})"
        case e.FillProven():
            return "fill", f"{e9_text(fact.base_e9)} for {e6_text(fact.quote_e6)}, proven: {fact.proof}"
        case e.FillReverted():
            return "fill", "taken back: it is not part of the finalized chain"
        case e.OrderClosed():
            return "closed", f"{fact.reason}, {e9_text(fact.filled_e9)} of {e9_text(fact.size_e9)} filled"
        case e.FillBooked():
            return "ledger", _booked_words(fact)
        case e.CellChanged():
            return "cell", f"cell {fact.cell} holds {e9_text(fact.held_e9)} now"
        case e.OrderGone():
            return "grid", f"the grid took note: {fact.why}"
        case _:
            return "grid", str(fact.__struct_config__.tag)
