"""What a grid may spend on transactions in a day, counted by what it asked for."""

from __future__ import annotations

from typing import Any

from gridkeeper_core import events as e
from gridkeeper_core.grid.state import GridState
from gridkeeper_core.units import NS_PER_S

NS_PER_DAY = 86_400 * NS_PER_S


def spent(state: GridState, fact: e.OrdersWanted, ts_ns: int) -> dict[str, Any]:
    """What the state's counters become after an order change: only rolls and renewals count."""
    if fact.shadow or not _is_counted(fact):
        return {}
    day = ts_ns // NS_PER_DAY
    before = state.budget_lamports if day == state.budget_day else 0
    return {"budget_day": day, "budget_lamports": before + state.config.transaction_lamports}


def is_out(state: GridState, now_ns: int) -> bool:
    """Whether one more roll or renewal would go beyond today's budget."""
    allowed = state.config.sol_budget_lamports
    if allowed == 0:
        return False
    before = state.budget_lamports if now_ns // NS_PER_DAY == state.budget_day else 0
    return before + state.config.transaction_lamports > allowed


def refused(state: GridState, now_ns: int) -> e.BudgetSpent | None:
    """The fact that something was held back by the budget; None when today's is known already."""
    day = now_ns // NS_PER_DAY
    if state.budget_out_day == day:
        return None
    spent_lamports = state.budget_lamports if day == state.budget_day else 0
    return e.BudgetSpent(day=day, spent_lamports=spent_lamports, allowed_lamports=state.config.sol_budget_lamports)


def next_day_ns(now_ns: int) -> int:
    """When the budget is whole again."""
    return (now_ns // NS_PER_DAY + 1) * NS_PER_DAY


def _is_counted(fact: e.OrdersWanted) -> bool:
    return fact.rolled or any(gone.why == "renew" for gone in fact.unwanted)
