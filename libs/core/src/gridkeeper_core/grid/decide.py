"""What a grid does about an input: facts, and nothing else."""

from __future__ import annotations

from typing import Literal

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid import levels, window
from gridkeeper_core.grid.evolve import GridFact, evolve, find
from gridkeeper_core.grid.state import NO_CELL, RISK, STALE_PRICE, GridState
from gridkeeper_core.grid.triggers import loss_allowed_e6, reference_e6, stale_after_ns, total_pnl_e6
from gridkeeper_core.market import round_down_to
from gridkeeper_core.names import intent_id
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import BPS, NS_PER_S

SLIPPAGE_CAP_BPS = 50
RETRY_LONGEST_S = 60
TURNED_AWAY = ("not_placed", "failed", "expired", "venue")
"""Ways an order can end that call for waiting before the same order is wanted again."""


class Decision:
    """Collects the facts of one decision and folds each at once, so that the next rule sees its effect."""

    def __init__(self, state: GridState, newest: Price | None, now_ns: int) -> None:
        self.state = state
        self.newest = newest
        self.now_ns = now_ns
        self.facts: list[GridFact] = []

    def add(self, fact: GridFact) -> None:
        """Record a fact; before the first one, the price it was decided on, unless the log has it already."""
        newest, seen = self.newest, self.state.price
        if newest is not None and (seen is None or seen.source_seq != newest.source_seq):
            passed_over = newest.source_seq - seen.source_seq - 1 if seen is not None else 0
            self._fold(e.PriceSeen(price=newest, passed_over=passed_over))
        self._fold(fact)

    def _fold(self, fact: GridFact) -> None:
        self.facts.append(fact)
        self.state = evolve(self.state, fact, self.now_ns)


# ---------------------------------------------------------------- what happened


def reserved(d: Decision, fact: e.SlotsReserved) -> None:
    """Execution granted the slots: open the grid at the newest price, or refuse it with the reason."""
    if d.state.status != "proposed":
        return
    if d.newest is None:
        d.add(e.GridRejected(code="NO_PRICE", detail=f"no price of {d.state.config.market} was seen yet"))
        return
    try:
        opened = _opening(d.state, fact, d.newest.oracle_e6)
    except GridkeeperError as refusal:
        d.add(e.GridRejected(code=refusal.code, detail=str(refusal)))
        return
    d.add(opened)


def filled(d: Decision, fact: e.OrderFilled | e.FillProven) -> frozenset[int]:
    """A fill moves its cell. Returns the cells that changed."""
    price_e6 = fact.price_e6 if isinstance(fact, e.OrderFilled) else fact.quote_e6 * 10**9 // fact.base_e9
    key = find(d.state, fact.intent_id)
    if key is not None and d.state.orders[key].filled_e9 + fact.base_e9 > d.state.orders[key].size_e9:
        d.add(e.GridFaulted(at_cause=fact.intent_id, detail="a fill exceeds its order"))
        return window.NO_CELLS
    if fact.cell == NO_CELL:
        d.add(
            e.PositionReduced(
                intent_id=fact.intent_id,
                side=fact.side,
                filled_e9=fact.base_e9,
                price_e6=price_e6,
                quote_e6=fact.quote_e6,
                fee_e6=fact.fee_e6,
            )
        )
        return window.NO_CELLS
    held_e9 = d.state.held_e9[fact.cell] + (fact.base_e9 if fact.side == "buy" else -fact.base_e9)
    if not 0 <= held_e9 <= d.state.sizes_e9[fact.cell]:
        d.add(e.GridFaulted(at_cause=fact.intent_id, detail=f"cell {fact.cell} would hold {held_e9}"))
        return window.NO_CELLS
    turned = fact.side == "sell" and held_e9 == 0
    d.add(
        e.CellChanged(
            cell=fact.cell,
            held_e9=held_e9,
            cycle=d.state.cycles[fact.cell] + turned,
            side=fact.side,
            filled_e9=fact.base_e9,
            price_e6=price_e6,
            quote_e6=fact.quote_e6,
            fee_e6=fact.fee_e6,
            intent_id=fact.intent_id,
        )
    )
    return frozenset((fact.cell,))


def closed(d: Decision, fact: e.OrderClosed | e.OrderRefused) -> frozenset[int]:
    """An order is not open any more. Returns the cells whose order may be wanted again."""
    why = fact.reason if isinstance(fact, e.OrderClosed) else fact.code
    key = find(d.state, fact.intent_id)
    if key is None or why == "filled":
        return window.NO_CELLS
    cell = d.state.orders[key].cell
    waits = why in TURNED_AWAY if isinstance(fact, e.OrderClosed) else why != WITHDRAWN
    retry = d.state.retries.get(key)
    tries = (retry.tries if retry else 0) + 1 if waits else 0
    pause_s = min(2**tries, RETRY_LONGEST_S) if waits else 0
    not_before_ns = d.now_ns + pause_s * NS_PER_S if waits else 0
    at_e6 = reference_e6(d.state, d.newest) if d.newest is not None else 0
    d.add(e.OrderGone(intent_id=fact.intent_id, why=why, not_before_ns=not_before_ns, tries=tries, reference_e6=at_e6))
    return frozenset((cell,))


WITHDRAWN = "WITHDRAWN"
"""Execution's answer when an order was unwanted again before it was ever attempted."""


def pause(d: Decision, code: str, author: str, reason: str, *, keep_orders: bool) -> None:
    """Stop wanting orders for a reason; the same reason twice changes nothing."""
    if code not in d.state.pauses:
        d.add(e.GridPaused(code=code, author=author, reason=reason, keep_orders=keep_orders))


def resume(d: Decision, codes: tuple[str, ...], author: str, reason: str) -> None:
    """End the pauses for these reasons."""
    for code in codes:
        if code not in d.state.pauses:
            continue
        if code == RISK and d.newest is not None:
            base_e6 = total_pnl_e6(d.state, reference_e6(d.state, d.newest))
            d.add(e.RiskReset(base_e6=base_e6, author=author, reason=reason))
        d.add(e.GridResumed(code=code, author=author, reason=reason))


# ---------------------------------------------------------------- what follows from it


def settle(d: Decision, changed: frozenset[int] = window.NO_CELLS) -> window.Change:
    """The tail of every decision: price rules, then the order changes that are due. Returns the plan it acted on."""
    if d.state.status == "stopping":
        return _wind_down(d)
    if d.state.status != "open" or d.newest is None:
        return window.Change()
    _check_price_age(d, d.newest)
    if STALE_PRICE not in d.state.pauses:
        _check_range(d, d.newest.oracle_e6)
        _check_risk(d, reference_e6(d.state, d.newest))
    change = _due(d, d.newest, changed)
    _want(d, change, d.newest)
    return change


def _opening(state: GridState, fact: e.SlotsReserved, price_e6: int) -> e.GridOpened:
    levels_e6 = levels.build_levels(state.config, fact.spec)
    sizes_e9 = levels.build_sizes(state.config, fact.spec, levels_e6)
    return e.GridOpened(
        levels_e6=levels_e6,
        sizes_e9=sizes_e9,
        held_e9=levels.neutral_start(levels_e6, sizes_e9, price_e6),
        start_price_e6=price_e6,
        start_position_e9=0,
        spec=fact.spec,
    )


def _check_price_age(d: Decision, newest: Price) -> None:
    is_stale = d.now_ns > stale_after_ns(d.state, newest)
    if is_stale and STALE_PRICE not in d.state.pauses:
        pause(d, STALE_PRICE, "gridkeeper", "no price for too long", keep_orders=True)
    elif not is_stale and STALE_PRICE in d.state.pauses:
        resume(d, (STALE_PRICE,), "gridkeeper", "the price is fresh again")


def _check_range(d: Decision, price_e6: int) -> None:
    levels_e6 = d.state.levels_e6
    left = d.state.range_left
    if left and (price_e6 <= levels_e6[-2] if left == "high" else price_e6 >= levels_e6[1]):
        d.add(e.RangeReturned(where=left, price_e6=price_e6))
    if not d.state.range_left and not levels_e6[0] <= price_e6 <= levels_e6[-1]:
        where: Literal["low", "high"] = "low" if price_e6 < levels_e6[0] else "high"
        d.add(e.RangeLeft(where=where, price_e6=price_e6))


def _check_risk(d: Decision, price_e6: int) -> None:
    state = d.state
    if not state.config.risk_enabled or RISK in state.pauses:
        return
    loss_e6 = state.risk_base_e6 - total_pnl_e6(state, price_e6)
    allowed_e6 = loss_allowed_e6(state)
    if loss_e6 >= allowed_e6 > 0:
        d.add(e.RiskTripped(tier="red", limit="max_drawdown", value=loss_e6, allowed=allowed_e6))
        pause(d, RISK, "gridkeeper", "the loss limit is reached", keep_orders=False)


def _due(d: Decision, newest: Price, changed: frozenset[int]) -> window.Change:
    if not d.state.pauses:
        return window.plan(d.state, reference_e6(d.state, newest), d.now_ns, changed)
    if all(d.state.pauses.values()):
        return window.Change()
    return window.everything_unwanted(d.state, "pause")


def _want(d: Decision, change: window.Change, newest: Price) -> None:
    if not change.is_empty:
        d.add(window.fact_of(d.state, change, reference_e6(d.state, newest), newest.source_seq))


def _wind_down(d: Decision) -> window.Change:
    state, newest = d.state, d.newest
    change = window.everything_unwanted(state, "stop")
    if not change.is_empty:
        price_e6 = reference_e6(state, newest) if newest is not None else 0
        d.add(window.fact_of(state, change, price_e6, newest.source_seq if newest is not None else 0))
    if state.orders or _waits_to_flatten(d):
        return change
    flatten = _flatten(d) if state.close_wanted else None
    if flatten is not None and newest is not None:
        _want(d, window.Change(wanted=(flatten,)), newest)
    else:
        d.add(e.GridStopped(position_e9=state.position_e9, quote_e6=state.cash_e6, fills=state.fills))
    return change


def _waits_to_flatten(d: Decision) -> bool:
    """A closing order that was turned away is tried again only after its pause."""
    return any(d.now_ns < retry.not_before_ns for key, retry in d.state.retries.items() if key[0] == "flatten")


def _flatten(d: Decision) -> e.WantedOrder | None:
    """A reduce-only taker order for the whole position, at most 50 bp from the price; None when nothing is left."""
    state, newest = d.state, d.newest
    if state.spec is None or newest is None:
        return None
    size_e9 = round_down_to(abs(state.position_e9), state.spec.step_e9)
    if size_e9 == 0:
        return None
    price_e6 = reference_e6(state, newest)
    slip_e6 = price_e6 * SLIPPAGE_CAP_BPS // BPS
    limit_e6 = price_e6 - slip_e6 if state.position_e9 > 0 else price_e6 + slip_e6
    return e.WantedOrder(
        intent_id=intent_id(state.grid_id, "flatten", 0, state.flattens),
        kind="flatten",
        cell=NO_CELL,
        side="sell" if state.position_e9 > 0 else "buy",
        price_e6=round_down_to(limit_e6, state.spec.tick_e6),
        size_e9=size_e9,
        post_only="none",
        reduce_only=True,
    )
