"""The arithmetic of a preview: what a turn earns, what it costs, what is held at the ends of the range."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.grid.config import Direction
from gridkeeper_core.grid.levels import gap_at
from gridkeeper_core.grid.preview_liquidation import (
    RestOfAccount,
    long_liquidation_e6,
    searched_liquidation_e6,
    short_liquidation_e6,
)
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import E6, E9, div_ceil, div_trunc, quote_ceil_e6, quote_floor_e6

E5 = 10**5
SIGNATURE_LAMPORTS = 5_000
"""Solana's fee per signature; ours carry one."""
TRANSACTIONS_PER_TURN = 2
"""After the buy its sell is placed, after the sell its buy. Batches need fewer, rolls and renewals more."""
HOURS_PER_DAY = 24
LiquidationMethod = Literal["closed form", "search"]


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What trading costs besides the fees.

    `sol_price_e6` None: not known, then transactions are left out of the account. `spread_ratio_e6` is the venue's own
    spread (1e-6 of the price), paid by halves where orders take. `paid_hour_e9` is what longs pay shorts per hour
    (1e-9 of notional, negative: receive), None: not known.
    """

    transaction_lamports: int = SIGNATURE_LAMPORTS
    sol_price_e6: int | None = None
    spread_ratio_e6: int = 0
    paid_hour_e9: int | None = None

    @property
    def per_turn_e6(self) -> int | None:
        """Transaction cost of one turn (quote 1e-6, rounded up)."""
        if self.sol_price_e6 is None:
            return None
        return div_ceil(TRANSACTIONS_PER_TURN * self.transaction_lamports * self.sol_price_e6, E9)

    @property
    def per_transaction_e6(self) -> int | None:
        """What one transaction costs (quote 1e-6, rounded up)."""
        if self.sol_price_e6 is None:
            return None
        return div_ceil(self.transaction_lamports * self.sol_price_e6, E9)

    def funding_day_e6(self, base_e9: int, price_e6: int) -> int | None:
        """What a position (signed) receives a day at the present rate (negative: pays); None: the rate is not known."""
        if self.paid_hour_e9 is None:
            return None
        return -div_trunc(HOURS_PER_DAY * self.paid_hour_e9 * base_e9 * price_e6, E9 * E9)


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a cell: bought at its lower level, sold at its upper one, both as maker.

    `profit_e6 == sell_quote_e6 - buy_quote_e6 - fees_e6 - transactions_e6`. Fees are negative where the venue pays a
    rebate. The ratios are of `buy_quote_e6`, 1e-6, rounded down.
    """

    cell: int
    size_e9: int
    buy_quote_e6: int
    sell_quote_e6: int
    fees_e6: int
    transactions_e6: int
    profit_e6: int
    profit_ratio_e6: int
    spacing_ratio_e6: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What a grid buys before its levels go live (sells: negative `base_e9`), at the price; the fee is if it takes."""

    base_e9: int
    quote_e6: int
    taker_fee_e6: int


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What the grid holds at one end of its range when every order up to there was filled once.

    `base_e9` is signed; nothing held has no average entry. `cost_e6` is the quote paid (long) or received (short), the
    entry included, `loss_e6` what all of it is worth less at that end (negative: more). `liquidation_e6` is None where
    no price of that direction liquidates; `method` says how it was found.
    """

    price_e6: int
    base_e9: int
    cost_e6: int
    average_entry_e6: int | None
    loss_e6: int
    liquidation_e6: int | None
    method: LiquidationMethod = "closed form"
    funding_day_e6: int | None = None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What inventory is measured with: the cells, where the grid starts, what carries it."""

    direction: Direction
    levels_e6: tuple[int, ...]
    sizes_e9: tuple[int, ...]
    price_e6: int
    capital_e6: int
    spec: MarketSpec
    rest: RestOfAccount | None = None
    costs: Costs = Costs()

    @property
    def gap(self) -> int:
        """The level that starts without an order."""
        return gap_at(self.levels_e6, self.price_e6)


def turn_of(cell: int, lower_e6: int, upper_e6: int, size_e9: int, spec: MarketSpec, costs: Costs) -> Turn:
    """One turn of a cell; every rounding is to the grid's disadvantage."""
    bought, sold = quote_ceil_e6(lower_e6, size_e9), quote_floor_e6(upper_e6, size_e9)
    fees = maker_fee_e6(bought, spec) + maker_fee_e6(sold, spec)
    transactions = costs.per_turn_e6 or 0
    profit = sold - bought - fees - transactions
    return Turn(
        cell=cell,
        size_e9=size_e9,
        buy_quote_e6=bought,
        sell_quote_e6=sold,
        fees_e6=fees,
        transactions_e6=transactions,
        profit_e6=profit,
        profit_ratio_e6=profit * E6 // bought,
        spacing_ratio_e6=(upper_e6 - lower_e6) * E6 // lower_e6,
    )


def maker_fee_e6(quote_e6: int, spec: MarketSpec) -> int:
    """The maker's fee on a fill; a fee is rounded up and a rebate down, as the venue does."""
    return div_ceil(quote_e6 * spec.maker_fee_e5, E5)


def break_even_e6(turns: tuple[Turn, ...], spec: MarketSpec, costs: Costs) -> int:
    """The relative spacing (1e-6, rounded up) at which the smallest turn earns nothing.

    From `n(1+s)(1-f) = n(1+f) + t` for notional n, fee rate f and transaction cost t: `s = (2f + t/n) / (1-f)`.
    """
    smallest = min(turn.buy_quote_e6 for turn in turns)
    numerator = 2 * spec.maker_fee_e5 * smallest + (costs.per_turn_e6 or 0) * E5
    return div_ceil(numerator * E6, smallest * (E5 - spec.maker_fee_e5))


def entry_of(held: Held) -> Entry | None:
    """What the grid has to trade first: a long buys its held cells, a short sells its empty ones; neutral nothing."""
    gap = held.gap
    sizes = {"neutral": (), "long": held.sizes_e9[gap:], "short": held.sizes_e9[:gap]}[held.direction]
    base = sum(sizes)
    if base == 0:
        return None
    quote = quote_ceil_e6(held.price_e6, base) if held.direction == "long" else quote_floor_e6(held.price_e6, base)
    fee = div_ceil(quote * held.spec.taker_fee_e5, E5)
    return Entry(base_e9=base if held.direction == "long" else -base, quote_e6=quote, taker_fee_e6=fee)


def inventory_at_lower(held: Held) -> Inventory:
    """All buys below the gap filled, and the price at the lowest level."""
    base, cash = _started(held)
    for k in range(held.gap):
        base += held.sizes_e9[k]
        cash -= quote_ceil_e6(held.levels_e6[k], held.sizes_e9[k])
    return _inventory(held, held.levels_e6[0], base, cash)


def inventory_at_upper(held: Held) -> Inventory:
    """All sells above the gap filled, and the price at the highest level."""
    base, cash = _started(held)
    for k in range(held.gap, len(held.sizes_e9)):
        base -= held.sizes_e9[k]
        cash += quote_floor_e6(held.levels_e6[k + 1], held.sizes_e9[k])
    return _inventory(held, held.levels_e6[-1], base, cash)


def _started(held: Held) -> tuple[int, int]:
    """Base and quote right after the entry."""
    entry = entry_of(held)
    if entry is None:
        return 0, 0
    return entry.base_e9, -entry.quote_e6 if entry.base_e9 > 0 else entry.quote_e6


def _inventory(held: Held, price_e6: int, base_e9: int, cash_e6: int) -> Inventory:
    value = quote_floor_e6(price_e6, base_e9) if base_e9 >= 0 else -quote_ceil_e6(price_e6, -base_e9)
    liquidation, method = _liquidation(held, base_e9, cash_e6)
    return Inventory(
        price_e6=price_e6,
        base_e9=base_e9,
        cost_e6=abs(cash_e6) if base_e9 else 0,
        average_entry_e6=abs(cash_e6) * E9 // abs(base_e9) if base_e9 else None,
        loss_e6=-(cash_e6 + value),
        liquidation_e6=liquidation,
        method=method,
        funding_day_e6=held.costs.funding_day_e6(base_e9, price_e6),
    )


def _liquidation(held: Held, base_e9: int, cash_e6: int) -> tuple[int | None, LiquidationMethod]:
    if held.rest is not None and not held.rest.is_empty:
        found = searched_liquidation_e6(base_e9, cash_e6, held.spec, held.rest) if base_e9 else None
        return found, "search"
    maintenance_e4 = held.spec.margin_ratio_maintenance_e4
    if base_e9 > 0:
        return long_liquidation_e6(base_e9, -cash_e6, held.capital_e6, maintenance_e4), "closed form"
    return short_liquidation_e6(-base_e9, cash_e6, held.capital_e6, maintenance_e4), "closed form"
