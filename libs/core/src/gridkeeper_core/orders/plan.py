"""Which transaction is due for an account: cancels first, then places, nearest to the price first; or a settlement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from gridkeeper_core.events import CancelRef, WantedOrder
from gridkeeper_core.market import MarketSpec, round_down_to
from gridkeeper_core.orders import risk_gate
from gridkeeper_core.orders.portfolio import Portfolio, nearest_first
from gridkeeper_core.orders.state import SLOTS, USER_ORDER_IDS, AccountState, QueuedWant
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import BPS, NS_PER_S

ROLL_MAX = 16
"""16 cancels and 16 places fit one transaction (1,161 of 1,232 bytes without a lookup table) and leave room in the log.
Where they do not, the plan is made anew with half as many."""
TAKER_CAP_BPS = 50
"""What may take is never further from the price than this, whatever was wanted."""


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """One approved order with the identity it gets."""

    order: WantedOrder
    attempt: int
    user_order_id: int
    market: str
    market_index: int
    max_ts: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction, and the wants that are turned away. `price` is what the batch was checked against.

    `foreign` are order ids to cancel that no attempt stands behind; a settlement is a transaction of its own.
    """

    cancels: tuple[CancelRef, ...] = ()
    foreign: tuple[int, ...] = ()
    places: tuple[Placement, ...] = ()
    settles: tuple[int, ...] = ()
    refused: tuple[risk_gate.Refused, ...] = ()
    price: Price | None = None

    @property
    def has_transaction(self) -> bool:
        """Whether there is anything to sign."""
        return bool(self.cancels or self.foreign or self.places or self.settles)


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

    def newest_e6(self, market: str) -> int | None:
        """The newest oracle price (1e-6), however old; None where there is none."""
        price = self.prices.get(market)
        return price.oracle_e6 if price is not None else None


def make_plan(state: AccountState, markets: Markets, now_ns: int, most: int = ROLL_MAX) -> Plan:
    """The next transaction of an account, `most` cancels and places in it.

    Empty while one is in flight or the account is not live. A settlement goes before places, because it frees margin
    for them, and after cancels, because nothing goes before those.
    """
    if state.flights or state.phase != "live":
        return Plan()
    cancels, foreign = _cancels(state, most)
    if state.settlement is not None and not cancels and not foreign:
        return Plan(settles=state.settlement.markets)
    if not state.queued:
        return Plan(cancels=cancels, foreign=foreign)
    return _with_places(state, markets, now_ns, Plan(cancels=cancels, foreign=foreign), most)


def _cancels(state: AccountState, most: int) -> tuple[tuple[CancelRef, ...], tuple[int, ...]]:
    """Every cancel names its order completely; one that is not bound yet waits for its id."""
    going = [a for a in state.attempts.values() if a.cancel_why and not a.cancel_tried]
    if state.orphans:
        going = [*(a for a in state.orphans.values() if a.cancel_why and not a.cancel_tried), *going]
    refs = [
        CancelRef(intent_id=a.intent_id, attempt=a.attempt, user_order_id=a.user_order_id, order_id=a.order_id)
        for a in going
        if a.order_id is not None
    ]
    cancels = tuple(refs[:most])
    foreign = [f.order_id for f in state.foreign.values() if f.to_cancel]
    return cancels, tuple(foreign[: most - len(cancels)])


def _with_places(state: AccountState, markets: Markets, now_ns: int, plan: Plan, most: int) -> Plan:
    places: list[Placement] = []
    refused: list[risk_gate.Refused] = []
    free_slots = _free_slots(state) + len(plan.cancels) + len(plan.foreign)
    ids = _free_user_order_ids(state)
    used_price: Price | None = None
    portfolio = Portfolio(state, markets.specs, markets.newest_e6)
    for queued in nearest_first(state.queued.values(), markets.newest_e6):
        if len(places) >= min(most, free_slots):
            break
        if (turned_away := _turned_away(state, queued)) is not None:
            refused.append(turned_away)
            continue
        spec, price = markets.specs.get(queued.market), markets.fresh(queued.market, now_ns)
        if spec is None or _is_held_up(state, queued, price):
            continue
        used_price = price or used_price
        verdict = _review(queued, price, portfolio, spec)
        if isinstance(verdict, risk_gate.Refused):
            refused.append(verdict)
            continue
        if verdict.order.immediate_or_cancel and places:
            break  # what takes at once is a transaction of its own
        portfolio.place(queued.want, spec)
        places.append(_placement(verdict, spec, next(ids), state.next_attempt + len(places), now_ns))
        if verdict.order.immediate_or_cancel:
            break
    return replace(plan, places=tuple(places), refused=tuple(refused), price=used_price)


def _free_slots(state: AccountState) -> int:
    return SLOTS - len(state.attempts) - len(state.foreign) - len(state.orphans)


def _turned_away(state: AccountState, queued: QueuedWant) -> risk_gate.Refused | None:
    """A halt is answered at once, so that nothing waits behind it; closing a position is always allowed."""
    if not state.halted or queued.want.reduce_only:
        return None
    return risk_gate.Refused(order=queued.want, code="ACCOUNT_HALTED", detail=state.halted)


def _is_held_up(state: AccountState, queued: QueuedWant, price: Price | None) -> bool:
    """An intent has at most one open attempt: a new one waits until the old one is proven closed.

    New risk also waits for a fresh price, for certainty about the account and for the guards. What sleeps on the venue
    until a trigger needs no price.
    """
    want = queued.want
    if want.intent_id in state.attempts:
        return True
    if state.orphans and any(a.intent_id == want.intent_id for a in state.orphans.values()):
        return True
    if want.reduce_only:
        return price is None and not want.trigger_e6
    return price is None or not state.may_place_in(queued.market)


def _review(
    queued: QueuedWant, price: Price | None, portfolio: Portfolio, spec: MarketSpec
) -> risk_gate.Approved | risk_gate.Refused:
    """Check the order at placement: the price may have moved since it was wanted."""
    order = queued.want
    if price is not None and order.post_only != "none" and _crosses(queued, price):
        detail = f"{order.side} at {order.price_e6} against {price.oracle_e6} (price 1e-6)"
        return risk_gate.Refused(order=order, code="POST_ONLY_CROSS", detail=detail)
    verdict = portfolio.review(order, spec)
    if isinstance(verdict, risk_gate.Refused) or price is None or not _takes(order):
        return verdict
    return risk_gate.Approved(order=replace(order, price_e6=_capped_e6(order, price, spec)))


def _takes(order: WantedOrder) -> bool:
    """Whether it may fill against the market at once. A stop takes when it fires, at a price nobody knows yet."""
    return order.post_only == "none" and not order.trigger_e6


def _capped_e6(order: WantedOrder, price: Price, spec: MarketSpec) -> int:
    """The worst price a taker order may fill at: what was wanted, but never beyond the cap."""
    if order.side == "buy":
        worst_e6 = round_down_to((price.ask_e6 or price.oracle_e6) * (BPS + TAKER_CAP_BPS) // BPS, spec.tick_e6)
        return min(order.price_e6 or worst_e6, worst_e6)
    worst_e6 = -round_down_to(-((price.bid_e6 or price.oracle_e6) * (BPS - TAKER_CAP_BPS) // BPS), spec.tick_e6)
    return max(order.price_e6, worst_e6)


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
    """Ids in turn after the last used one, so that an id rests as long as possible before it is used again.

    An id is free once its order is proven closed beyond undoing: the venue refuses a whole batch for one id in use.
    """
    used = {a.user_order_id for a in state.attempts.values()}
    used |= {retired.attempt.user_order_id for retired in state.retired.values()}
    used |= {order.user_order_id for order in state.foreign.values()}
    yield from (candidate for candidate in _ids_after(state.last_user_order_id) if candidate not in used)
    # With very many closings between two finalized snapshots, those give way first: their end is undone hardly ever.
    open_ids = {a.user_order_id for a in (*state.attempts.values(), *state.orphans.values())}
    rest = (candidate for candidate in _ids_after(state.last_user_order_id) if candidate in used)
    yield from (candidate for candidate in rest if candidate not in open_ids)


def _ids_after(last: int) -> Iterator[int]:
    return ((last + step) % USER_ORDER_IDS + 1 for step in range(USER_ORDER_IDS))
