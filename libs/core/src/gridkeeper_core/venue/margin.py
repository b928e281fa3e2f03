"""Margin by Drift's rules: the worse of all bids or all asks filled at the oracle price, and a cent per open order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from gridkeeper_core.events import Side
from gridkeeper_core.units import E9
from gridkeeper_core.venue.chain_position import unrealized_pnl_e6
from gridkeeper_core.venue.funding import unsettled_e6
from gridkeeper_core.venue.records import NO_TRIGGER
from gridkeeper_core.venue.state import Account, Market, Order, PerpPosition

OPEN_ORDER_MARGIN_E6 = 10_000
_RATIO = 10_000
MarginKind = Literal["initial", "fill", "maintenance"]
"""What an order, a fill and what is held already must meet; the middle one lies between the others."""


def requirement_e6(account: Account, markets: Mapping[int, Market], kind: MarginKind) -> int:
    """The collateral the account must have for its positions and open orders."""
    open_orders = account.open_orders
    total = OPEN_ORDER_MARGIN_E6 * len(open_orders)
    for index in account.positions.keys() | {order.market_index for order in open_orders}:
        market = markets[index]
        worst = worst_case_base_e9(account.position(index).base_e9, *open_bids_asks_e9(open_orders, index))
        total += abs(worst) * market.oracle_e6 // E9 * _ratio_e4(market, kind) // _RATIO
    return total


def collateral_e6(account: Account, markets: Mapping[int, Market]) -> int:
    """Deposit and unrealised PnL of every position at its oracle price, unsettled funding included."""
    pnl = sum(
        unrealized_pnl_e6(position, markets[index].oracle_e6) + unsettled_e6(markets[index], position)
        for index, position in account.positions.items()
    )
    return account.deposit_e6 + pnl


def free_collateral_e6(account: Account, markets: Mapping[int, Market], kind: MarginKind = "initial") -> int:
    """What is left of the collateral; negative where it does not suffice."""
    return collateral_e6(account, markets) - requirement_e6(account, markets, kind)


def notional_e6(position: PerpPosition, market: Market) -> int:
    """What a position is worth at the oracle price, never negative."""
    return abs(position.base_e9) * market.oracle_e6 // E9


def open_bids_asks_e9(open_orders: Iterable[Order], market_index: int) -> tuple[int, int]:
    """The unfilled base of a market's buys, and of its sells as a negative number; reduce-only orders do not count."""
    bids = asks = 0
    for order in open_orders:
        if order.market_index != market_index or order.status != "open" or order.reduce_only:
            continue
        if order.trigger_e6 == NO_TRIGGER or order.triggered:
            # Not by its properties: this is asked of every order again and again.
            if order.side == "buy":
                bids += order.size_e9 - order.filled_e9
            else:
                asks -= order.size_e9 - order.filled_e9
    return bids, asks


def worst_case_base_e9(base_e9: int, bids_e9: int, asks_e9: int) -> int:
    """The larger position (in size) of the two that all bids or all asks would lead to."""
    with_bids, with_asks = base_e9 + bids_e9, base_e9 + asks_e9
    return with_bids if abs(with_bids) >= abs(with_asks) else with_asks


def is_with_position(side: Side, base_e9: int) -> bool:
    """Whether any order on this side makes the position larger, whatever else is open."""
    return base_e9 >= 0 if side == "buy" else base_e9 <= 0


def increases_risk(side: Side, size_e9: int, base_e9: int, bids_e9: int, asks_e9: int) -> bool:
    """Whether an order of this size on top of those open may make the position larger (`asks_e9` is not positive)."""
    if is_with_position(side, base_e9):
        return True
    return bids_e9 + size_e9 > -base_e9 if side == "buy" else size_e9 - asks_e9 > base_e9


def _ratio_e4(market: Market, kind: MarginKind) -> int:
    initial_e4, maintenance_e4 = market.spec.margin_ratio_initial_e4, market.spec.margin_ratio_maintenance_e4
    match kind:
        case "initial":
            return initial_e4
        case "fill":
            return (initial_e4 + maintenance_e4) // 2
        case "maintenance":
            return maintenance_e4
