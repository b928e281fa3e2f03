"""Folds the facts of an account's own streams into its state."""

from __future__ import annotations

from gridkeeper_core import events as e
from gridkeeper_core.orders.fold_orders import OrderFact, fold_order
from gridkeeper_core.orders.fold_standing import StandingFact, fold_standing
from gridkeeper_core.orders.fold_transactions import MoneyFact, TransactionFact, fold_money, fold_transaction
from gridkeeper_core.orders.state import AccountState

AccountFact = OrderFact | MoneyFact | TransactionFact | StandingFact


def evolve(state: AccountState, fact: AccountFact, ts_ns: int) -> AccountState:
    """The state after one more fact of the account. Raises IllegalStepError where an order cannot take the step."""
    match fact:
        case (
            e.OrdersQueued()
            | e.OrderAccepted()
            | e.OrderRefused()
            | e.OrderResting()
            | e.OrderFilled()
            | e.OrderTriggered()
            | e.FillProven()
            | e.FillReverted()
            | e.OrderClosed()
            | e.OrderOrphaned()
            | e.OrphanGone()
        ):
            return fold_order(state, fact)
        case (
            e.FundingPaid()
            | e.PnlSettled()
            | e.Transferred()
            | e.InterestPaid()
            | e.KeeperFeeCharged()
            | e.Liquidated()
            | e.ForeignFilled()
            | e.SettlementWanted()
            | e.SettlementEnded()
            | e.RecordReverted()
        ):
            return fold_money(state, fact, ts_ns)
        case (
            e.TransactionSigned()
            | e.TransactionLanded()
            | e.TransactionFailed()
            | e.TransactionExpired()
            | e.TransactionReverted()
        ):
            return fold_transaction(state, fact, ts_ns)
        case _:
            return fold_standing(state, fact, ts_ns)
