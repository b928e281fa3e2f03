"""What execution makes of the account itself: order slots for grids, orders past their life."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.orders.decide import LAPSED, AccountDecision
from gridkeeper_core.orders.lifecycle import Attempt
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.orders.state import SLOTS, AccountState
from gridkeeper_core.units import E4, NS_PER_S, decimal_text

LAPSE_GRACE_NS = 2 * NS_PER_S
"""Chain time runs in whole seconds; an order is cancelled as lapsed only when it surely cannot fill any more."""


def booted(d: AccountDecision, rules: AccountRules | None) -> None:
    """A life of execution begins: nothing is placed before venue and record were compared."""
    d.add(e.AccountRecovering(why="boot"))
    if rules is not None and rules.limits != d.state.limits:
        d.add(rules.limits)


def reserve(d: AccountDecision, grid_id: str, proposed: e.GridProposed) -> None:
    """Grant a proposed grid its order slots, or say why not."""
    config = proposed.config
    spec = d.markets.specs.get(config.market)
    slots = config.order_slots
    refusal = _refusal(d.state, config, slots, spec)
    if refusal is not None or spec is None:
        code, detail = refusal or ("MARKET_UNKNOWN", config.market)
        d.add(e.GridRefused(grid_id=grid_id, code=code, detail=detail))
        return
    position = d.state.positions.get(spec.index)
    d.add(
        e.SlotsReserved(
            grid_id=grid_id,
            slots=slots,
            spec=spec,
            position_e9=position.base_e9 if position is not None else 0,
            collateral_e6=d.state.deposit_e6,
            quote_entry_e6=position.quote_entry_e6 if position is not None else 0,
            leverage_e4=config.leverage_e4,
        )
    )


def grow(d: AccountDecision, grid_id: str, proposed: e.EditProposed) -> None:
    """Give a running grid the slots that its new settings need, or say why not."""
    state = d.state
    free = state.free_slots(grid_id)
    if not state.is_certain:
        d.add(e.SlotsDenied(grid_id=grid_id, code="ACCOUNT_NOT_LIVE", detail=state.alias))
    elif proposed.slots > free:
        detail = f"{free} of {SLOTS} free for it, {proposed.slots} needed"
        d.add(e.SlotsDenied(grid_id=grid_id, code="NO_FREE_SLOTS", detail=detail))
    else:
        held = state.reservations[grid_id]
        d.add(e.SlotsChanged(grid_id=grid_id, slots=proposed.slots, leverage_e4=held.leverage_e4))


def shrink(d: AccountDecision, grid_id: str, needed: e.SlotsNeeded) -> None:
    """A running grid gives slots back that it has no orders for."""
    held = d.state.reservations[grid_id]
    if needed.slots < held.slots:
        d.add(e.SlotsChanged(grid_id=grid_id, slots=needed.slots, leverage_e4=held.leverage_e4))


def edited(d: AccountDecision, grid_id: str, fact: e.GridEdited) -> None:
    """From now on the market is measured against the leverage of the new settings."""
    held = d.state.reservations[grid_id]
    if fact.config.leverage_e4 != held.leverage_e4:
        d.add(e.SlotsChanged(grid_id=grid_id, slots=held.slots, leverage_e4=fact.config.leverage_e4))


def _refusal(state: AccountState, config: GridConfig, slots: int, spec: MarketSpec | None) -> tuple[str, str] | None:
    if not state.is_certain:
        return ("ACCOUNT_NOT_LIVE", state.alias)
    if state.halted:
        return ("ACCOUNT_HALTED", state.halted)
    for code, market in state.guards:
        if market in ("", config.market):
            return (_CODES_OF_GUARDS.get(code, "ACCOUNT_GUARDED"), f"{code}: {state.guards[code, market]}")
    if spec is None:
        return ("MARKET_UNKNOWN", config.market)
    if not spec.is_open:
        return ("MARKET_CLOSED", f"{spec.symbol} is {spec.status}")
    if config.leverage_e4 * spec.margin_ratio_initial_e4 > E4 * E4:
        return ("LEVERAGE_TOO_HIGH", f"the market allows {decimal_text(E4 * E4 // spec.margin_ratio_initial_e4, E4)}")
    if any(r.market == config.market for r in state.reservations.values()):
        return ("MARKET_BUSY", config.market)
    if slots > (free := state.free_slots()):
        return ("NO_FREE_SLOTS", f"{free} of {SLOTS} free, {slots} needed")
    return None


_CODES_OF_GUARDS = {"SOL_LOW": "SOL_LOW", "DELEGATE_MISSING": "DELEGATE_MISSING", "MARKET_CLOSED": "MARKET_CLOSED"}


def lapse_ns(attempt: Attempt) -> int | None:
    """When an attempt has to be looked at because its life is over."""
    if not attempt.max_ts or attempt.cancel_why:
        return None
    return attempt.max_ts * NS_PER_S + LAPSE_GRACE_NS


def lapse(d: AccountDecision) -> None:
    """Orders past their life cannot fill any more; they are cancelled to free their slots."""
    over = [a for a in d.state.attempts.values() if (at := lapse_ns(a)) is not None and at <= d.now_ns]
    for market in sorted({a.market for a in over}):
        gone = tuple(e.UnwantedOrder(intent_id=a.intent_id, why=LAPSED) for a in over if a.market == market)
        d.add(e.OrdersQueued(market=market, unwanted=gone, wanted=(), reference_e6=0, price_seq=0))
