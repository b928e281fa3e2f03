"""What an edit would do to a grid, found by doing it to a copy: levels, orders cancelled and placed, margin."""

from __future__ import annotations

import msgspec

from gridkeeper_core import events as e
from gridkeeper_core.grid import decide, edit, relay
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.state import GridState, LiveOrder
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E4, E9, div_ceil


class EditPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A grid before and after. `placed` are the orders of the edit and those that follow once its cancels landed.

    Margins are the initial margin of the worst case of position and live orders, at the price (quote 1e-6).
    """

    before: GridState
    after: GridState
    cancelled: tuple[LiveOrder, ...]
    placed: tuple[e.WantedOrder, ...]
    margin_before_e6: int
    margin_after_e6: int


def plan_edit(state: GridState, newest: Price | None, config: GridConfig, now_ns: int) -> EditPlan:
    """The plan; nothing is changed by it. Raises what `edit.edit` raises."""
    d = Decision(state, newest, now_ns)
    if config != state.config:
        relay.record(d, config, edit.laid_anew(d, config), why="edit", reason="")
    decide.settle(d)
    _cancelled(d)
    decide.settle(d)
    wants = [fact for fact in d.facts if isinstance(fact, e.OrdersWanted)]
    gone = {unwanted.intent_id for fact in wants for unwanted in fact.unwanted}
    price_e6 = newest.oracle_e6 if newest is not None else 0
    return EditPlan(
        before=state,
        after=d.state,
        cancelled=tuple(order for order in _by_price(state) if order.intent_id in gone),
        placed=tuple(sorted((want for fact in wants for want in fact.wanted), key=lambda want: want.price_e6)),
        margin_before_e6=_margin_e6(state, price_e6),
        margin_after_e6=_margin_e6(d.state, price_e6),
    )


def _cancelled(d: Decision) -> None:
    """The copy goes on as if the venue had cancelled what was to go."""
    leaving = [order.intent_id for order in d.state.orders.values() if order.unwanted]
    for intent_id in leaving:
        d.add(e.OrderGone(intent_id=intent_id, why="cancelled", not_before_ns=0, tries=0, reference_e6=0))


def _by_price(state: GridState) -> list[LiveOrder]:
    return sorted(state.orders.values(), key=lambda order: (order.price_e6, order.side))


def _margin_e6(state: GridState, price_e6: int) -> int:
    assert state.spec is not None
    live = [order for order in state.orders.values() if not order.unwanted and order.kind in ("buy", "sell")]
    long_e9 = state.position_e9 + sum(order.left_e9 for order in live if order.side == "buy")
    short_e9 = -state.position_e9 + sum(order.left_e9 for order in live if order.side == "sell")
    worst_e9 = max(long_e9, short_e9, 0)
    return div_ceil(worst_e9 * price_e6 * state.spec.margin_ratio_initial_e4, E9 * E4)
