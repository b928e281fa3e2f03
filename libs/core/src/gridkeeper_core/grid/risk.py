"""The grid's own risk limits: tiers on the drawdown from its peak, the day's loss, failures, bursts of fills."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.decision import Decision
from gridkeeper_core.grid.pnl import HIGHEST_E6, loss_allowed_e6, prices_between, total_pnl_e6
from gridkeeper_core.grid.state import RISK, GridState
from gridkeeper_core.grid.window import Change
from gridkeeper_core.units import E4, NS_PER_S, duration_text

Tier = Literal["yellow", "orange", "red"]

TIERS: tuple[tuple[Tier, int], ...] = (("red", 100), ("orange", 75), ("yellow", 50))
"""Percent of the allowed drawdown at which each tier begins, the gravest first."""
CLEAR_PERCENT = 40
"""Below this share of the allowed drawdown yellow and orange are over: a step under yellow, so it does not flap."""
PEAK_STEPS = 20
"""A new peak is recorded once it is higher by this part of the allowed drawdown."""
DAY_NS = 86_400 * NS_PER_S
_RANKS: dict[str, int] = {"": 0, "yellow": 1, "orange": 2, "red": 3}


def check(d: Decision, price_e6: int) -> None:
    """Compare the grid with its limits at a price, and record what changed."""
    if not d.state.config.risk_enabled or RISK in d.state.pauses:
        return
    pnl_e6 = total_pnl_e6(d.state, price_e6)
    _day(d, pnl_e6)
    _drawdown(d, pnl_e6)
    _day_loss(d, pnl_e6)
    _counts(d)


def check_cooled(state: GridState, now_ns: int) -> None:
    """Raises GridkeeperError COOLING_DOWN, with the time left, while a tripped grid has to wait."""
    left_ns = state.memory.cool_until_ns - now_ns
    if RISK in state.pauses and left_ns > 0:
        left_s = -(-left_ns // NS_PER_S)
        raise GridkeeperError(
            "COOLING_DOWN",
            field="grid.state",
            value=f"{duration_text(left_s * NS_PER_S)} left of {duration_text(state.config.cool_down_ns)}",
            expected="risk.cool_down over",
        )


def band(state: GridState) -> tuple[int, int]:
    """Prices strictly inside change nothing here, unless something else happens."""
    if not state.config.risk_enabled or RISK in state.pauses:
        return 0, HIGHEST_E6
    low_e6, high_e6 = None, None
    allowed_e6 = loss_allowed_e6(state)
    if allowed_e6 > 0:
        rank = _RANKS[state.memory.tier]
        percent = min(share for tier, share in TIERS if _RANKS[tier] > rank)
        low_e6 = state.risk_base_e6 - allowed_e6 * percent // 100
        high_e6 = state.risk_base_e6 + _peak_step_e6(allowed_e6)
        if state.memory.tier:
            high_e6 = state.risk_base_e6 - allowed_e6 * CLEAR_PERCENT // 100
    if state.config.daily_loss_e4 is not None:
        floor_e6 = state.memory.day_base_e6 - _day_allowed_e6(state)
        low_e6 = floor_e6 if low_e6 is None else max(low_e6, floor_e6)
    return (0, HIGHEST_E6) if low_e6 is None else prices_between(state, low_e6, high_e6)


def next_day_ns(state: GridState) -> int:
    """When the day that losses are counted over ends (0 = they are not)."""
    if not state.config.risk_enabled or state.config.daily_loss_e4 is None or RISK in state.pauses:
        return 0
    return (state.memory.day + 1) * DAY_NS


def is_reduce_only(state: GridState) -> bool:
    """Whether only orders that make the position smaller are wanted."""
    return state.memory.tier == "orange"


def only_reducing(state: GridState, change: Change, left_e9: int) -> Change:
    """A change without orders that add to the position, and with those that rest on their way out.

    Those that stay take no more than `left_e9` from it.
    """
    side = "sell" if state.position_e9 > 0 else "buy"
    leaving = {gone.intent_id for gone in change.unwanted}
    resting = [o for o in state.orders.values() if o.kind in ("buy", "sell") and not o.unwanted]
    unwanted, wanted = list(change.unwanted), []
    for order in sorted(resting, key=lambda o: o.price_e6, reverse=side == "buy"):
        if order.intent_id in leaving:
            continue
        if order.side != side or order.left_e9 > left_e9:
            unwanted.append(e.UnwantedOrder(intent_id=order.intent_id, why="risk"))
        else:
            left_e9 -= order.left_e9
    for want in change.wanted:
        if want.kind not in ("buy", "sell"):
            wanted.append(want)  # a stop, which only reduces by itself
        elif want.side == side and want.size_e9 <= left_e9:
            wanted.append(replace(want, reduce_only=True))
            left_e9 -= want.size_e9
    return replace(change, unwanted=tuple(unwanted), wanted=tuple(wanted))


def _day(d: Decision, pnl_e6: int) -> None:
    day = d.now_ns // DAY_NS
    if d.state.config.daily_loss_e4 is not None and d.state.memory.day != day:
        d.add(e.DayBegan(day=day, base_e6=pnl_e6))


def _drawdown(d: Decision, pnl_e6: int) -> None:
    allowed_e6 = loss_allowed_e6(d.state)
    if allowed_e6 <= 0:
        return
    if pnl_e6 >= d.state.risk_base_e6 + _peak_step_e6(allowed_e6):
        d.add(e.PeakRaised(peak_e6=pnl_e6))
    drawdown_e6 = d.state.risk_base_e6 - pnl_e6
    tier, percent = next(((t, p) for t, p in TIERS if drawdown_e6 >= allowed_e6 * p // 100), ("", 0))
    if _RANKS[tier] > _RANKS[d.state.memory.tier]:
        _trip(d, tier, "max_drawdown_e6", drawdown_e6, allowed_e6 * percent // 100)  # type: ignore[arg-type]
    elif d.state.memory.tier and drawdown_e6 <= allowed_e6 * CLEAR_PERCENT // 100:
        d.add(e.RiskReset(base_e6=d.state.risk_base_e6, author="gridkeeper", reason="the drawdown is small again"))


def _peak_step_e6(allowed_e6: int) -> int:
    return max(allowed_e6 // PEAK_STEPS, 1)


def _day_loss(d: Decision, pnl_e6: int) -> None:
    if d.state.config.daily_loss_e4 is None or RISK in d.state.pauses:
        return
    loss_e6, allowed_e6 = d.state.memory.day_base_e6 - pnl_e6, _day_allowed_e6(d.state)
    if loss_e6 >= allowed_e6 > 0:
        _trip(d, "red", "daily_loss_e6", loss_e6, allowed_e6)


def _day_allowed_e6(state: GridState) -> int:
    return state.capital_e6 * (state.config.daily_loss_e4 or 0) // E4


def _counts(d: Decision) -> None:
    memory, config = d.state.memory, d.state.config
    if RISK in d.state.pauses:
        return
    if memory.failures >= config.failures_max > 0:
        _trip(d, "red", "failures", memory.failures, config.failures_max)
    elif memory.burst >= config.burst_fills > 0:
        _trip(d, "red", "burst_fills", memory.burst, config.burst_fills)


def _trip(d: Decision, tier: Tier, limit: str, value: int, allowed: int) -> None:
    d.add(e.RiskTripped(tier=tier, limit=limit, value=value, allowed=allowed))
    if tier != "red":
        return
    d.pause(RISK, "gridkeeper", f"{limit} is reached", keep_orders=False)
    # Failures and bursts point at a fault of the machinery: more orders would be the wrong answer to them.
    if d.state.config.on_red == "flatten" and limit.endswith("_e6") and d.state.position_e9:
        d.add(e.ReducingStarted(target_e9=0, why="risk"))
