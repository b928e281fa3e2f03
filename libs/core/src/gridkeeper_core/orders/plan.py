"""Which transaction is due for an account: cancels first, then places, nearest to the price first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from gridkeeper_core.events import CancelRef, WantedOrder
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.orders import risk_gate
from gridkeeper_core.orders.state import SLOTS, USER_ORDER_IDS, AccountState, QueuedWant
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import NS_PER_S

CANCELS_MAX = 16
PLACES_MAX = 16
"""16 of each fit one transaction with a lookup table and leave room in the log (1,038 of 1,232 bytes measured)."""


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """One approved order with the identity it gets."""

    order: WantedOrder
    attempt: int
    user_order_id: int
    market: str
    market_index: int
    max_ts: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction, and the wants that are turned away. `price` is what the batch was checked against."""

    cancels: tuple[CancelRef, ...] = ()
    places: tuple[Placement, ...] = ()
    refused: tuple[risk_gate.Refused, ...] = ()
    price: Price | None = None

    @property
    def has_transaction(self) -> bool:
        """Whether there is anything to sign."""
        return bool(self.cancels or self.places)


class Markets(msgspec.Struct, frozen=True):
    """What is known of the markets: their description and newest price, by symbol."""

    specs: Mapping[str, MarketSpec]
    prices: Mapping[str, Price]
    price_age_max_ns: int = 30 * NS_PER_S

    def fresh(self, market: str, now_ns: int) -> Price | None:
        """The newest price, unless it is too old to place on."""
        price = self.prices.get(market)
        if price is None or now_ns > price.ts_ns + max(self.price_age_max_ns, price.good_for_ns):
            return None
        return price


def make_plan(state: AccountState, markets: Markets, now_ns: int) -> Plan:
    """The next transaction of an account; empty while one is in flight or the account is not live."""
    if state.in_flight is not None or state.phase != "live":
        return Plan()
    cancels = _cancels(state)
    if not state.may_place:
        return Plan(cancels=cancels, refused=_all_refused(state))
    return _with_places(state, markets, now_ns, cancels)


def _cancels(state: AccountState) -> tuple[CancelRef, ...]:
    """Every cancel names its order completely; one that is not bound yet waits for its id."""
    refs = (
        CancelRef(intent_id=a.intent_id, attempt=a.attempt, user_order_id=a.user_order_id, order_id=a.order_id)
        for a in state.attempts.values()
        if a.cancel_why and a.order_id is not None
    )
    return tuple(ref for ref, _ in zip(refs, range(CANCELS_MAX), strict=False))


def _all_refused(state: AccountState) -> tuple[risk_gate.Refused, ...]:
    if not state.halted:
        return ()
    return tuple(
        risk_gate.Refused(order=q.want, code="ACCOUNT_HALTED", detail=state.halted) for q in state.queued.values()
    )


def _with_places(state: AccountState, markets: Markets, now_ns: int, cancels: tuple[CancelRef, ...]) -> Plan:
    places: list[Placement] = []
    refused: list[risk_gate.Refused] = []
    free_slots = SLOTS - len(state.attempts) - len(state.foreign) + len(cancels)
    ids = _free_user_order_ids(state)
    used_price: Price | None = None
    exposures: dict[str, risk_gate.Exposure] = {}
    for queued in state.queued.values():
        if len(places) == min(PLACES_MAX, free_slots):
            break
        spec, price = markets.specs.get(queued.market), markets.fresh(queued.market, now_ns)
        if spec is None or price is None or _is_held_up(state, queued):
            continue
        used_price = price
        exposure = exposures.get(queued.market)
        if exposure is None:
            exposure = risk_gate.exposure_of(state, spec.index, price.oracle_e6)
        verdict = _review(queued, price, exposure, spec)
        if isinstance(verdict, risk_gate.Refused):
            refused.append(verdict)
            continue
        exposures[queued.market] = exposure.with_order(queued.want.side, queued.want.size_e9)
        places.append(_placement(verdict, spec, next(ids), state.next_attempt + len(places), now_ns))
    return Plan(cancels=cancels, places=tuple(places), refused=tuple(refused), price=used_price)


def _is_held_up(state: AccountState, queued: QueuedWant) -> bool:
    """An intent has at most one open attempt: a new one waits until the old one is proven closed."""
    return queued.want.intent_id in state.attempts


def _review(
    queued: QueuedWant, price: Price, exposure: risk_gate.Exposure, spec: MarketSpec
) -> risk_gate.Approved | risk_gate.Refused:
    """Check the order at placement: the price may have moved since it was wanted."""
    order = queued.want
    if order.post_only != "none" and _crosses(queued, price):
        detail = f"{order.side} at {order.price_e6} against {price.oracle_e6} (price 1e-6)"
        return risk_gate.Refused(order=order, code="POST_ONLY_CROSS", detail=detail)
    return risk_gate.review(order, exposure, spec)


def _crosses(queued: QueuedWant, price: Price) -> bool:
    """Strategy may know better than the same price says: a fill after it proves where the market went."""
    order = queued.want
    if price.source_seq <= queued.price_seq:
        bid_e6 = ask_e6 = queued.reference_e6
    else:
        bid_e6 = price.bid_e6 if price.bid_e6 is not None else price.oracle_e6
        ask_e6 = price.ask_e6 if price.ask_e6 is not None else price.oracle_e6
    return order.price_e6 >= ask_e6 if order.side == "buy" else order.price_e6 <= bid_e6


def _placement(
    approved: risk_gate.Approved, spec: MarketSpec, user_order_id: int, attempt: int, now_ns: int
) -> Placement:
    order = approved.order
    return Placement(
        order=order,
        attempt=attempt,
        user_order_id=user_order_id,
        market=spec.symbol,
        market_index=spec.index,
        max_ts=(now_ns + order.lasts_ns) // NS_PER_S if order.lasts_ns else 0,
    )


def _free_user_order_ids(state: AccountState) -> Iterator[int]:
    """Ids in turn after the last used one, so that an id rests as long as possible before it is used again."""
    used = {a.user_order_id for a in state.attempts.values()}
    for step in range(USER_ORDER_IDS):
        candidate = (state.last_user_order_id + step) % USER_ORDER_IDS + 1
        if candidate not in used:
            yield candidate
