"""What execution does about an input for one account: facts, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from gridkeeper_core import events as e
from gridkeeper_core.grid.fills import WITHDRAWN
from gridkeeper_core.orders.evolve import AccountFact, evolve
from gridkeeper_core.orders.fold_orders import queue
from gridkeeper_core.orders.lifecycle import Attempt
from gridkeeper_core.orders.plan import ROLL_MAX, Markets, Placement, Plan, make_plan
from gridkeeper_core.orders.state import FILLED_BEFORE, AccountState
from gridkeeper_core.venue import records as r

Signer = Callable[[r.Roll], r.Signed | None]
"""Signs what a roll says for its account. Local, so that it can happen inside a decision; None when it cannot sign now
(it has no fresh blockhash): then all stays queued, and a later input tries again."""


class RollTooLargeError(Exception):
    """Raised by a signer: the roll does not fit one transaction; a smaller one may."""


LAPSED = "lapse"
"""Why an order whose life is over is cancelled."""


class AccountDecision:
    """Collects the facts of one decision about one account and folds each at once."""

    def __init__(self, state: AccountState, markets: Markets, sign: Signer, now_ns: int) -> None:
        self.state = state
        self.markets = markets
        self.sign = sign
        self.now_ns = now_ns
        self.facts: list[AccountFact] = []

    def add(self, fact: AccountFact) -> None:
        """Record a fact."""
        self.facts.append(fact)
        self.state = evolve(self.state, fact, self.now_ns)

    def market_name(self, index: int) -> str:
        """A market's symbol, "" where it was never seen."""
        held = self.state.positions.get(index)
        if held is not None and held.market:
            return held.market
        return next((spec.symbol for spec in self.markets.specs.values() if spec.index == index), "")


# ---------------------------------------------------------------- wants


def wanted(d: AccountDecision, fact: e.OrdersWanted) -> None:
    """Act on a grid's order changes at once if one transaction can hold them all, else queue them whole."""
    for gone in fact.unwanted:
        if gone.intent_id in d.state.queued:
            d.add(e.OrderRefused(intent_id=gone.intent_id, attempt=0, code=WITHDRAWN, detail=gone.why))
    queued = e.OrdersQueued(
        market=fact.market,
        unwanted=tuple(u for u in fact.unwanted if u.intent_id in d.state.attempts),
        wanted=_still_to_place(d, fact.wanted),
        reference_e6=fact.reference_e6,
        price_seq=fact.price_seq,
    )
    if not queued.unwanted and not queued.wanted:
        return
    ahead = queue(d.state, queued)
    plan = make_plan(ahead, d.markets, d.now_ns)
    try:
        is_done = _covers(plan, ahead) and _carry_out(d, plan)
    except RollTooLargeError:
        is_done = False
    if not is_done:
        d.add(queued)


def _still_to_place(d: AccountDecision, orders: tuple[e.WantedOrder, ...]) -> tuple[e.WantedOrder, ...]:
    """Without those that were filled meanwhile: a fill that was taken back, and wanted anew, may have landed again.

    Each is refused once: what is wanted after that was decided with the fill known.
    """
    late = {over.attempt.intent_id: over.attempt for over in d.state.retired.values() if over.is_late}
    if not late:
        return orders
    for order in orders:
        if order.intent_id in late:
            refuse_filled(d, late[order.intent_id])
    return tuple(order for order in orders if order.intent_id not in late)


def refuse_filled(d: AccountDecision, filled: Attempt) -> None:
    """No later attempt may fill again what an earlier one filled after all; its grid wants anew what is missing."""
    detail = f"order {filled.order_id} of attempt {filled.attempt} was filled after all"
    d.add(e.OrderRefused(intent_id=filled.intent_id, attempt=0, code=FILLED_BEFORE, detail=detail))


def advance(d: AccountDecision) -> None:
    """The tail of every decision: sign the next transaction when one is due.

    A roll that does not fit becomes a series: the nearest orders now, the rest once these have landed.
    """
    most = ROLL_MAX
    while most:
        plan = make_plan(d.state, d.markets, d.now_ns, most)
        if not plan.has_transaction and not plan.refused:
            return
        try:
            if not _carry_out(d, plan) and plan.places:
                # What forbids to place (the venue rests, an agent's bands) must not hold up what is to go.
                _carry_out(d, Plan(cancels=plan.cancels, foreign=plan.foreign))
        except RollTooLargeError:
            most = min(most, max(len(plan.cancels) + len(plan.foreign), len(plan.places))) // 2
        else:
            return


def _covers(plan: Plan, ahead: AccountState) -> bool:
    """Whether the plan leaves nothing of what waits undone."""
    unwanted = [a for a in ahead.attempts.values() if a.cancel_why and not a.cancel_tried]
    return len(plan.cancels) == len(unwanted) and len(plan.places) + len(plan.refused) == len(ahead.queued)


def _carry_out(d: AccountDecision, plan: Plan) -> bool:
    """Record what the plan refuses and signs; False when it cannot be signed now, and then nothing is recorded.

    Raises RollTooLargeError, and then nothing is recorded either.
    """
    roll = _roll(d.state.alias, plan)
    signed = d.sign(roll) if plan.has_transaction else None
    if plan.has_transaction and signed is None:
        return False
    for refusal in plan.refused:
        d.add(e.OrderRefused(intent_id=refusal.order.intent_id, attempt=0, code=refusal.code, detail=refusal.detail))
    if signed is not None:
        _record_signed(d, plan, roll, signed)
    return True


def _roll(alias: str, plan: Plan) -> r.Roll:
    return r.Roll(
        alias=alias,
        purpose="settle" if plan.settles else "roll",
        cancel_order_ids=(*(ref.order_id for ref in plan.cancels), *plan.foreign),
        places=tuple(_place_order(p) for p in plan.places),
        settle_markets=plan.settles,
    )


def _record_signed(d: AccountDecision, plan: Plan, roll: r.Roll, signed: r.Signed) -> None:
    for place in plan.places:
        d.add(_accepted(place, signed.signature))
    d.add(
        e.TransactionSigned(
            signature=signed.signature,
            bytes_base64=signed.bytes_base64,
            blockhash=signed.blockhash,
            last_valid_block_height=signed.last_valid_block_height,
            purpose=roll.purpose,
            places=tuple(f"{p.order.intent_id}#{p.attempt}" for p in plan.places),
            cancels=plan.cancels,
            foreign=plan.foreign,
            reference_e6=plan.price.oracle_e6 if plan.price else 0,
            price_seq=plan.price.source_seq if plan.price else 0,
        )
    )


def _place_order(place: Placement) -> r.PlaceOrder:
    order = place.order
    return r.PlaceOrder(
        user_order_id=place.user_order_id,
        market_index=place.market_index,
        side=order.side,
        price_e6=order.price_e6,
        size_e9=order.size_e9,
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        max_ts=place.max_ts,
        order_type=_order_type(order),
        trigger_e6=order.trigger_e6,
        trigger_above=order.trigger_above,
        immediate_or_cancel=order.immediate_or_cancel,
    )


def _order_type(order: e.WantedOrder) -> e.OrderType:
    return "market" if order.kind == "flatten" and order.order_type == "limit" else order.order_type


def _accepted(place: Placement, signature: str) -> e.OrderAccepted:
    order = place.order
    return e.OrderAccepted(
        intent_id=order.intent_id,
        attempt=place.attempt,
        user_order_id=place.user_order_id,
        market=place.market,
        market_index=place.market_index,
        cell=order.cell,
        side=order.side,
        price_e6=order.price_e6,
        size_e9=order.size_e9,
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        max_ts=place.max_ts,
        signature=signature,
        order_type=_order_type(order),
        trigger_e6=order.trigger_e6,
        trigger_above=order.trigger_above,
        immediate_or_cancel=order.immediate_or_cancel,
    )
