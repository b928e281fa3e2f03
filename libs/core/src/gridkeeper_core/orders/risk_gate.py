"""The last gate before the venue: what the account could come to hold must be covered by its own collateral."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gridkeeper_core.events import Side, WantedOrder
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.orders.state import AccountState
from gridkeeper_core.units import E4, E9, div_ceil, div_trunc, quote_ceil_e6


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """An order that may be placed. Only this type is turned into a placement."""

    order: WantedOrder


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """An order that may not be placed, with a reason code and what it was measured against."""

    order: WantedOrder
    code: str
    detail: str


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """Worst cases of one market (base 1e-9; all buys or all sells filled) and the equity behind them (quote 1e-6)."""

    long_e9: int
    short_e9: int
    equity_e6: int
    price_e6: int

    def with_order(self, side: Side, size_e9: int) -> Exposure:
        """The exposure if this order rests as well."""
        long_e9 = self.long_e9 + (size_e9 if side == "buy" else 0)
        short_e9 = self.short_e9 + (size_e9 if side == "sell" else 0)
        return Exposure(long_e9=long_e9, short_e9=short_e9, equity_e6=self.equity_e6, price_e6=self.price_e6)

    @property
    def notional_e6(self) -> int:
        """What the larger of both worst cases is worth (rounded up)."""
        return quote_ceil_e6(self.price_e6, max(self.long_e9, self.short_e9, 0))

    def margin_e6(self, spec: MarketSpec) -> int:
        """The initial margin of the larger worst case at the market's present ratio."""
        return div_ceil(self.notional_e6 * spec.margin_ratio_initial_e4, E4)


def exposure_of(state: AccountState, market_index: int, price_e6_of: Callable[[int], int]) -> Exposure:
    """What the account's position and open orders in a market could come to, at the prices of its markets (1e-6)."""
    position = state.positions.get(market_index)
    base_e9 = position.base_e9 if position is not None else 0
    buys_e9 = sells_e9 = 0
    for attempt in state.attempts.values():
        if attempt.market_index == market_index and not attempt.reduce_only:
            left_e9 = attempt.size_e9 - attempt.filled_e9
            if attempt.side == "buy":
                buys_e9 += left_e9
            else:
                sells_e9 += left_e9
    return Exposure(
        long_e9=base_e9 + buys_e9,
        short_e9=-base_e9 + sells_e9,
        equity_e6=equity_e6(state, price_e6_of),
        price_e6=price_e6_of(market_index),
    )


def equity_e6(state: AccountState, price_e6_of: Callable[[int], int]) -> int:
    """Deposit and unsettled PnL of all positions (quote 1e-6), each at the price of its market (1e-6)."""
    total_e6 = state.deposit_e6
    for index, position in state.positions.items():
        total_e6 += position.quote_asset_e6 + div_trunc(position.base_e9 * price_e6_of(index), E9)
    return total_e6


def review(
    order: WantedOrder, exposure: Exposure, spec: MarketSpec, margin_elsewhere_e6: int = 0
) -> Approved | Refused:
    """Approve an order whose worst case is covered at the market's initial margin ratio; reduce-only always passes.

    `margin_elsewhere_e6` is what the account's other markets bind.
    """
    if order.reduce_only:
        return Approved(order=order)
    if order.size_e9 < spec.minimum_e9:
        return Refused(order=order, code="MIN_SIZE", detail=f"size {order.size_e9} under {spec.minimum_e9}")
    worst_e9 = (exposure.long_e9 if order.side == "buy" else exposure.short_e9) + order.size_e9
    if worst_e9 <= 0:
        return Approved(order=order)
    needed_e6 = div_ceil(quote_ceil_e6(exposure.price_e6, worst_e9) * spec.margin_ratio_initial_e4, E4)
    if needed_e6 + margin_elsewhere_e6 > exposure.equity_e6:
        detail = f"needs {needed_e6}, equity {exposure.equity_e6} less {margin_elsewhere_e6} elsewhere (quote 1e-6)"
        return Refused(order=order, code="MARGIN", detail=detail)
    return Approved(order=order)
