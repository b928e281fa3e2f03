"""Folds the facts of an account's own streams into its state."""

from __future__ import annotations

from gridkeeper_core.orders.fold_orders import OrderFact, fold_order
from gridkeeper_core.orders.fold_standing import StandingFact, fold_standing
from gridkeeper_core.orders.fold_transactions import MoneyFact, TransactionFact, fold_money, fold_transaction
from gridkeeper_core.orders.state import AccountState

AccountFact = OrderFact | MoneyFact | TransactionFact | StandingFact


def evolve(state: AccountState, fact: AccountFact, ts_ns: int) -> AccountState:
    """The state after one more fact of the account. Raises IllegalStepError where an order cannot take the step."""
    if isinstance(fact, OrderFact):
        return fold_order(state, fact)
    if isinstance(fact, TransactionFact):
        return fold_transaction(state, fact, ts_ns)
    if isinstance(fact, MoneyFact):
        return fold_money(state, fact, ts_ns)
    return fold_standing(state, fact, ts_ns)
