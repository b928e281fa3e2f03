"""The arithmetic of a preview: what a turn earns, what it costs, what the worst inventory is, what may be expected."""

from __future__ import annotations

import msgspec

from gridkeeper_core.grid.levels import gap_at
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import E4, E6, E9, div_ceil, quote_ceil_e6, quote_floor_e6

E5 = 10**5
SIGNATURE_LAMPORTS = 5_000
"""Solana's fee per signature; ours carry one."""
TRANSACTIONS_PER_TURN = 2
"""After the buy its sell is placed, after the sell its buy. Batches need fewer, rolls and renewals more."""
COST_LEAST_E6 = 100
"""One basis point: costs below it are not worth comparing a spacing with."""
SPACING_PER_COST = 10
"""Suggested: a spacing of ten times the cost or more."""


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What a transaction costs. `sol_price_e6` None: not known, then transactions are left out of the account."""

    transaction_lamports: int = SIGNATURE_LAMPORTS
    sol_price_e6: int | None = None

    @property
    def per_turn_e6(self) -> int | None:
        """Transaction cost of one turn (quote 1e-6, rounded up)."""
        if self.sol_price_e6 is None:
            return None
        return div_ceil(TRANSACTIONS_PER_TURN * self.transaction_lamports * self.sol_price_e6, E9)


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


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What the grid holds at one end of its range when every order up to there was filled once.

    `base_e9` is signed; nothing held has no average entry. `cost_e6` is the quote paid (long) or received (short),
    `loss_e6` what it is worth less at that end. `liquidation_e6` is None where no price of that direction liquidates.
    """

    price_e6: int
    base_e9: int
    cost_e6: int
    average_entry_e6: int | None
    loss_e6: int
    liquidation_e6: int | None


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What turns bring on a walk without drift, per `K*sigma^2/(2R)*(1-c/s)`, and that the total is minus the costs.

    `cells_quote_e6` is K, what all cells hold when all are bought; `range_ratio_e6` is R, the sum of all spacings;
    `spacing_ratio_e6` is s and `cost_ratio_e6` is c, both the mean over all turns weighted by their quote. Per day
    and only where a sigma was given: harvest after costs, and the costs (negative: rebates).
    """

    cells_quote_e6: int
    range_ratio_e6: int
    spacing_ratio_e6: int
    cost_ratio_e6: int
    suggested_ratio_e6: int
    sigma_day_e6: int | None
    harvest_day_e6: int | None
    costs_day_e6: int | None


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


def inventory_at_lower(
    levels_e6: tuple[int, ...], sizes_e9: tuple[int, ...], price_e6: int, capital_e6: int, spec: MarketSpec
) -> Inventory:
    """All buys below the gap filled, and the price at the lowest level."""
    gap = gap_at(levels_e6, price_e6)
    base = sum(sizes_e9[:gap])
    cost = sum(quote_ceil_e6(levels_e6[k], sizes_e9[k]) for k in range(gap))
    return Inventory(
        price_e6=levels_e6[0],
        base_e9=base,
        cost_e6=cost,
        average_entry_e6=cost * E9 // base if base else None,
        loss_e6=cost - quote_floor_e6(levels_e6[0], base),
        liquidation_e6=long_liquidation_e6(base, cost, capital_e6, spec.margin_ratio_maintenance_e4),
    )


def inventory_at_upper(
    levels_e6: tuple[int, ...], sizes_e9: tuple[int, ...], price_e6: int, capital_e6: int, spec: MarketSpec
) -> Inventory:
    """All sells above the gap filled, and the price at the highest level."""
    gap = gap_at(levels_e6, price_e6)
    base = sum(sizes_e9[gap:])
    received = sum(quote_floor_e6(levels_e6[k + 1], sizes_e9[k]) for k in range(gap, len(sizes_e9)))
    return Inventory(
        price_e6=levels_e6[-1],
        base_e9=-base,
        cost_e6=received,
        average_entry_e6=received * E9 // base if base else None,
        loss_e6=quote_ceil_e6(levels_e6[-1], base) - received,
        liquidation_e6=short_liquidation_e6(base, received, capital_e6, spec.margin_ratio_maintenance_e4),
    )


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


def expectation(turns: tuple[Turn, ...], sigma_day_e6: int | None) -> Expectation:
    """What turns bring in the long run if prices have no drift; see `Expectation`."""
    quote = sum(turn.buy_quote_e6 for turn in turns)
    gross = sum(turn.sell_quote_e6 - turn.buy_quote_e6 for turn in turns)
    cost = sum(turn.fees_e6 + turn.transactions_e6 for turn in turns)
    width = sum(turn.spacing_ratio_e6 for turn in turns)
    cost_ratio = div_ceil(cost * E6, quote)
    harvest = costs = None
    if sigma_day_e6 is not None and gross > 0 and width > 0:
        # K*sigma^2/(2R): quote times (1e-6)^2 over 1e-6, hence one E6 below.
        before_e6 = quote * sigma_day_e6**2 // (2 * width * E6)
        costs = div_ceil(before_e6 * cost, gross)
        harvest = before_e6 - costs
    return Expectation(
        cells_quote_e6=quote,
        range_ratio_e6=width,
        spacing_ratio_e6=gross * E6 // quote,
        cost_ratio_e6=cost_ratio,
        suggested_ratio_e6=SPACING_PER_COST * max(cost_ratio, COST_LEAST_E6),
        sigma_day_e6=sigma_day_e6,
        harvest_day_e6=harvest,
        costs_day_e6=costs,
    )
