"""Standing checks of markets, signer, wallet and clock: a change is a fact; what is dangerous pauses while it lasts."""

from __future__ import annotations

from typing import Literal

from gridkeeper_core import events as e
from gridkeeper_core.inputs import AccountRead, MarketRead
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.orders.decide import AccountDecision
from gridkeeper_core.orders.portfolio import leverage_breach
from gridkeeper_core.orders.rules import AccountRules
from gridkeeper_core.orders.state import AccountState
from gridkeeper_core.units import NS_PER_S

SOL_WARN_LAMPORTS = 100_000_000
SOL_STOP_LAMPORTS = 20_000_000
"""0.02 SOL: what is left is for cancels and for closing, 4,000 signatures of it."""
RUNWAY_WARN_NS = 24 * 3600 * NS_PER_S
SKEW_WARN_NS = 2 * NS_PER_S
SKEW_PAUSE_NS = 10 * NS_PER_S
BLOCK_TIME_UNIT_NS = NS_PER_S
"""Block time is told in whole seconds: less than that is no skew."""
ORACLE_STALE_SLOTS = 120
"""The program's own bound for margin (oracle guard rails)."""
ORACLE_UNCERTAIN_PERCENT = 2

FILL_PAUSED = 4
"""The bit of a market's paused operations that stops fills."""


def account_guards(d: AccountDecision, item: AccountRead, rules: AccountRules) -> None:
    """What a reading of the account says about it."""
    account = item.account
    _set(d, "DELEGATE_MISSING", "", "" if account.signer_may_trade else "the signer may not trade for this account")
    _set(d, "LIQUIDATION", "", "the venue is liquidating this account" if account.being_liquidated else "")
    if rules.watches_sol:
        _sol(d, item)
    if rules.watches_clock and item.block_time_s:
        _clock(d, item)


def market_guards(d: AccountDecision, item: MarketRead) -> None:
    """What a reading of a market says about it, where a grid of the account trades there."""
    symbol = item.spec.symbol
    if not any(r.market == symbol for r in d.state.reservations.values()):
        return
    _set(d, "MARKET_CLOSED", symbol, _why_closed(item.spec))
    _set(d, "MARKET_CHANGED", symbol, _what_changed(d, item.spec))
    _set(d, "LEVERAGE", symbol, leverage_breach(d.state.reservations, item.spec))
    if item.oracle_e6:
        stale = item.oracle_age_slots > ORACLE_STALE_SLOTS
        _set(d, "ORACLE_STALE", symbol, f"its oracle is {item.oracle_age_slots} slots old" if stale else "")
        wide = item.oracle_confidence_e6 * 100 > item.oracle_e6 * ORACLE_UNCERTAIN_PERCENT
        detail = f"its oracle is {item.oracle_e6} +/- {item.oracle_confidence_e6} (price 1e-6)"
        _set(d, "ORACLE_UNCERTAIN", symbol, detail if wide else "")


def release(d: AccountDecision, market: str) -> None:
    """A market that no grid of the account trades any more is watched no longer."""
    if any(r.market == market for r in d.state.reservations.values()):
        return
    for code, guarded in [*d.state.guards, *d.state.warnings]:
        if guarded == market:
            d.add(e.GuardCleared(code=code, market=market, detail="no grid trades there any more"))


def runway_ns(state: AccountState, lamports: int, now_ns: int) -> int | None:
    """How long a wallet's balance lasts at the pace of this record so far; None while that says nothing yet."""
    since_ns = now_ns - state.first_spend_ns
    if not state.first_spend_ns or since_ns < 3600 * NS_PER_S or not state.lamports_spent:
        return None
    return (lamports - SOL_STOP_LAMPORTS) * since_ns // state.lamports_spent


def _why_closed(spec: MarketSpec) -> str:
    if not spec.is_open:
        return f"its status is {spec.status}"
    return f"its fills are paused (bits {spec.paused_operations})" if spec.paused_operations & FILL_PAUSED else ""


def _what_changed(d: AccountDecision, spec: MarketSpec) -> str:
    """What the venue's admin changed so that the orders of a grid do not fit the market any more."""
    for grid_id, reservation in sorted(d.state.reservations.items()):
        granted = reservation.spec
        if reservation.market != spec.symbol or granted is None:
            continue
        if spec.index != granted.index:
            return f"{spec.symbol} is market {spec.index}, was {granted.index} when {grid_id} began"
        if granted.tick_e6 % spec.tick_e6 or granted.step_e9 % spec.step_e9:
            return f"tick and step are {spec.tick_e6} and {spec.step_e9}, which do not fit those {grid_id} began with"
        if spec.minimum_e9 > granted.minimum_e9:
            return f"the minimum is {spec.minimum_e9}, was {granted.minimum_e9} when {grid_id} began"
    return ""


def _sol(d: AccountDecision, item: AccountRead) -> None:
    lamports = item.account.lamports
    level, before = _sol_level(d, lamports), d.state.sol_level
    if level == before:
        return
    if level == "enough":
        d.add(e.SolEnough(account=d.state.alias, lamports=lamports))
    else:
        d.add(e.SolLow(account=d.state.alias, lamports=lamports, level=level))
    detail = f"{lamports} lamports are left, placing needs {SOL_STOP_LAMPORTS}"
    _set(d, "SOL_LOW", "", detail if level == "stop_placing" else "")


def _sol_level(d: AccountDecision, lamports: int) -> Literal["enough", "warn", "stop_placing"]:
    if lamports < SOL_STOP_LAMPORTS:
        return "stop_placing"
    left_ns = runway_ns(d.state, lamports, d.now_ns)
    is_short = left_ns is not None and left_ns < RUNWAY_WARN_NS
    return "warn" if lamports < SOL_WARN_LAMPORTS or is_short else "enough"


def _clock(d: AccountDecision, item: AccountRead) -> None:
    skew_ns = abs(item.now_ns - item.block_time_s * NS_PER_S) - BLOCK_TIME_UNIT_NS
    detail = f"our clock and the chain's differ by {skew_ns // NS_PER_S} s"
    _set(d, "CLOCK_SKEW", "", detail if skew_ns > SKEW_PAUSE_NS else "")
    is_warning = SKEW_WARN_NS < skew_ns <= SKEW_PAUSE_NS
    _set(d, "CLOCK_DRIFT", "", detail if is_warning else "", pauses=False)


def _set(d: AccountDecision, code: str, market: str, detail: str, *, pauses: bool = True) -> None:
    """Trip or clear a guard where that is news; a detail that only changes its numbers is none."""
    is_tripped = (code, market) in (d.state.guards if pauses else d.state.warnings)
    if detail and not is_tripped:
        d.add(e.GuardTripped(code=code, market=market, detail=detail, pauses=pauses))
    elif is_tripped and not detail:
        d.add(e.GuardCleared(code=code, market=market, detail="as it should be again"))
