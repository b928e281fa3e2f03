"""Where the venue would liquidate a grid's worst inventory: by formula in an empty account, else by search."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import E4, E9, div_ceil
from gridkeeper_core.venue.margin import OPEN_ORDER_MARGIN_E6, free_collateral_e6
from gridkeeper_core.venue.state import Account, Market, MarketRules, PerpPosition

HIGHEST_MULTIPLE = 1_000
"""A short that survives a thousand times its own entry is said never to be liquidated."""


class OtherPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position the account holds besides the grid (signed; quote as the venue keeps it), at the market's price."""

    spec: MarketSpec
    base_e9: int
    quote_asset_e6: int
    oracle_e6: int


class RestOfAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has besides the grid: its deposit (quote 1e-6), positions and open orders."""

    deposit_e6: int
    positions: tuple[OtherPosition, ...] = ()
    open_orders: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the account holds nothing but its deposit."""
        return not self.open_orders and all(p.base_e9 == 0 and p.quote_asset_e6 == 0 for p in self.positions)


def long_liquidation_e6(base_e9: int, cost_e6: int, capital_e6: int, maintenance_e4: int) -> int | None:
    """`(Q*E - C) / (Q(1-m))`, rounded up; None where the capital pays for all of it."""
    if base_e9 == 0 or cost_e6 <= capital_e6:
        return None
    return div_ceil((cost_e6 - capital_e6) * E9 * E4, base_e9 * (E4 - maintenance_e4))


def short_liquidation_e6(base_e9: int, received_e6: int, capital_e6: int, maintenance_e4: int) -> int | None:
    """`(C + Q*E) / (Q(1+m))`, rounded down; `base_e9` is the size of the short."""
    if base_e9 == 0:
        return None
    return (capital_e6 + received_e6) * E9 * E4 // (base_e9 * (E4 + maintenance_e4))


def searched_liquidation_e6(base_e9: int, cash_e6: int, spec: MarketSpec, rest: RestOfAccount) -> int | None:
    """The price at which the venue's margin function liquidates inventory in this account; None where none does.

    `base_e9` is signed, `cash_e6` what its orders brought in (negative: paid). Other markets stay at their prices.
    For a long it is the lowest price that is still safe, for a short the highest.
    """
    account, markets = _account(base_e9, cash_e6, spec, rest)
    net_e9 = account.position(spec.index).base_e9
    if net_e9 == 0 or (net_e9 > 0) != (base_e9 > 0):
        return None

    def is_safe(price_e6: int) -> bool:
        there = msgspec.structs.replace(markets[spec.index], oracle_e6=price_e6)
        free_e6 = free_collateral_e6(account, {**markets, spec.index: there}, "maintenance")
        return free_e6 >= OPEN_ORDER_MARGIN_E6 * rest.open_orders

    start_e6 = max(abs(cash_e6) * E9 // abs(base_e9), spec.tick_e6)
    return _lowest_safe(is_safe, start_e6) if net_e9 > 0 else _highest_safe(is_safe, start_e6)


def _account(base_e9: int, cash_e6: int, spec: MarketSpec, rest: RestOfAccount) -> tuple[Account, dict[int, Market]]:
    markets = {p.spec.index: Market(rules=MarketRules(spec=p.spec), oracle_e6=p.oracle_e6) for p in rest.positions}
    markets[spec.index] = Market(rules=MarketRules(spec=spec), oracle_e6=0)
    positions = {
        p.spec.index: PerpPosition(market_index=p.spec.index, base_e9=p.base_e9, quote_asset_e6=p.quote_asset_e6)
        for p in rest.positions
    }
    held = positions.get(spec.index, PerpPosition(market_index=spec.index))
    positions[spec.index] = msgspec.structs.replace(
        held, base_e9=held.base_e9 + base_e9, quote_asset_e6=held.quote_asset_e6 + cash_e6
    )
    return Account(deposit_e6=rest.deposit_e6, positions=positions), markets


def _lowest_safe(is_safe: Callable[[int], bool], start_e6: int) -> int | None:
    if is_safe(1):
        return None
    unsafe, safe = 1, start_e6
    while not is_safe(safe):
        unsafe, safe = safe, safe * 2
        if safe > start_e6 * HIGHEST_MULTIPLE:
            return unsafe
    while safe - unsafe > 1:
        middle = (safe + unsafe) // 2
        unsafe, safe = (unsafe, middle) if is_safe(middle) else (middle, safe)
    return safe


def _highest_safe(is_safe: Callable[[int], bool], start_e6: int) -> int | None:
    if not is_safe(1):
        return 1
    safe, unsafe = 1, start_e6
    while is_safe(unsafe):
        safe, unsafe = unsafe, unsafe * 2
        if unsafe > start_e6 * HIGHEST_MULTIPLE:
            return None
    while unsafe - safe > 1:
        middle = (safe + unsafe) // 2
        safe, unsafe = (middle, unsafe) if is_safe(middle) else (safe, middle)
    return safe
