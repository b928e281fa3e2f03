"""What execution makes of the account itself: reconciliation, order slots for grids, orders past their life."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.orders.decide import LAPSED, AccountDecision
from gridkeeper_core.orders.reconcile import differences, foreign_orders
from gridkeeper_core.orders.state import SLOTS, AccountState, Attempt
from gridkeeper_core.units import NS_PER_S
from gridkeeper_core.venue import records as r

SNAPSHOT_EVERY_NS = 3600 * NS_PER_S
LAPSE_GRACE_NS = 2 * NS_PER_S
"""Chain time runs in whole seconds; an order is cancelled as lapsed only when it surely cannot fill any more."""


def account_read(d: AccountDecision, account: r.VenueAccount, cursor: str, cursor_slot: int) -> None:
    """Reconcile: the first reading is the baseline; later ones must agree to the unit before the account is live."""
    if d.state.in_flight is not None:
        return
    is_first = not d.state.has_baseline
    if is_first:
        d.add(_snapshot(account, cursor, cursor_slot))
    for order in foreign_orders(d.state, account):
        d.add(
            e.ForeignOrderSeen(
                order_id=order.order_id,
                market_index=order.market_index,
                side=order.side,
                price_e6=order.price_e6,
                size_e9=order.size_e9,
                slot=account.slot,
            )
        )
    found = differences(d.state, account)
    if found:
        if not d.state.differs:
            d.add(e.VenueDiffers(slot=account.slot, differences=found))
        return
    if d.state.phase == "recovering" or d.state.differs:
        if not is_first:
            d.add(_snapshot(account, cursor, cursor_slot))
        d.add(
            e.AccountLive(
                slot=account.slot,
                open_orders=len(account.orders),
                fills_found=d.state.found_fills,
                orders_closed=d.state.found_closed,
                foreign_orders=len(d.state.foreign),
            )
        )
    elif d.now_ns - d.state.snapshot_ns >= SNAPSHOT_EVERY_NS:
        d.add(_snapshot(account, cursor, cursor_slot))


def _snapshot(account: r.VenueAccount, cursor: str, cursor_slot: int) -> e.AccountSnapshot:
    return e.AccountSnapshot(
        slot=account.slot,
        cursor_slot=cursor_slot,
        deposit_e6=account.deposit_e6,
        positions=account.positions,
        open_orders=len(account.orders),
        cursor=cursor,
        lamports=account.lamports,
    )


def reserve(d: AccountDecision, grid_id: str, proposed: e.GridProposed) -> None:
    """Grant a proposed grid its order slots, or say why not."""
    config = proposed.config
    spec = d.markets.specs.get(config.market)
    refusal = _refusal(d.state, config.market, config.live_orders + config.reserve, spec is not None)
    if refusal is not None or spec is None:
        code, detail = refusal or ("MARKET_UNKNOWN", config.market)
        d.add(e.GridRefused(grid_id=grid_id, code=code, detail=detail))
        return
    position = d.state.positions.get(spec.index)
    d.add(
        e.SlotsReserved(
            grid_id=grid_id,
            slots=config.live_orders + config.reserve,
            spec=spec,
            position_e9=position.base_e9 if position is not None else 0,
            collateral_e6=d.state.deposit_e6,
        )
    )


def _refusal(state: AccountState, market: str, slots: int, is_known: bool) -> tuple[str, str] | None:  # noqa: FBT001
    if state.phase != "live" or state.differs:
        return ("ACCOUNT_NOT_LIVE", state.alias)
    if state.halted:
        return ("ACCOUNT_HALTED", state.halted)
    if not is_known:
        return ("MARKET_UNKNOWN", market)
    if any(r.market == market for r in state.reservations.values()):
        return ("MARKET_BUSY", market)
    taken = sum(r.slots for r in state.reservations.values()) + len(state.foreign)
    if taken + slots > SLOTS:
        return ("NO_FREE_SLOTS", f"{SLOTS - taken} of {SLOTS} free, {slots} needed")
    return None


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
