"""What a grid may be expected to bring: turns on a walk without drift, and a total of minus the costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gridkeeper_core.units import E6, NS_PER_S, div_ceil

COST_LEAST_E6 = 100
"""One basis point: costs below it are not worth comparing a spacing with."""
SPACING_PER_COST = 10
"""Suggested: a spacing of ten times the cost or more."""
ORDERS_PER_TRANSACTION = 16
"""How many orders one transaction renews."""
_DAY_NS = 86_400 * NS_PER_S


class TurnMoney(Protocol):
    """What is needed of one turn of a cell (quote 1e-6; `spacing_ratio_e6` is 1e-6 of the lower price)."""

    @property
    def buy_quote_e6(self) -> int:
        """What the buy costs."""

    @property
    def sell_quote_e6(self) -> int:
        """What the sell brings."""

    @property
    def fees_e6(self) -> int:
        """Fees of both, negative for rebates."""

    @property
    def transactions_e6(self) -> int:
        """What its transactions cost."""

    @property
    def spacing_ratio_e6(self) -> int:
        """How far its two prices are apart."""


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What turns bring on a walk without drift, per `K*sigma^2/(2R)*(1-c/s)`, and that the total is minus the costs.

    `cells_quote_e6` is K, what all cells hold when all are bought; `range_ratio_e6` is R, the sum of all spacings;
    `spacing_ratio_e6` is s and `cost_ratio_e6` is c, both the mean over all turns weighted by their quote; the spread
    in it is what a taker gives away, zero where all orders are makers. Per day and only where a sigma was given:
    harvest after costs, costs of the turns (negative: rebates). Renewing resting orders costs `renewals_day_e6` a day
    however many turns there are (None: the price of SOL is not known).
    """

    cells_quote_e6: int
    range_ratio_e6: int
    spacing_ratio_e6: int
    cost_ratio_e6: int
    spread_ratio_e6: int
    suggested_ratio_e6: int
    sigma_day_e6: int | None
    harvest_day_e6: int | None
    costs_day_e6: int | None
    renewals_day_e6: int | None

    @property
    def total_day_e6(self) -> int | None:
        """The expected total per day: minus the costs of turns and renewals."""
        return None if self.costs_day_e6 is None else -self.costs_day_e6 - (self.renewals_day_e6 or 0)

    @property
    def is_spacing_wide_enough(self) -> bool:
        """Whether the spacing is ten times the costs or more."""
        return self.spacing_ratio_e6 >= self.suggested_ratio_e6


def expectation(
    turns: Sequence[TurnMoney],
    sigma_day_e6: int | None,
    *,
    spread_ratio_e6: int = 0,
    renewals_day_e6: int | None = None,
) -> Expectation:
    """What turns bring in the long run if prices have no drift.

    `spread_ratio_e6` is what each turn gives away by taking: half the venue's spread for every side that takes.
    """
    quote = sum(turn.buy_quote_e6 for turn in turns)
    gross = sum(turn.sell_quote_e6 - turn.buy_quote_e6 for turn in turns)
    spread = div_ceil(quote * spread_ratio_e6, E6)
    cost = sum(turn.fees_e6 + turn.transactions_e6 for turn in turns) + spread
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
        spread_ratio_e6=spread_ratio_e6,
        suggested_ratio_e6=suggested_spacing_e6(cost_ratio),
        sigma_day_e6=sigma_day_e6,
        harvest_day_e6=harvest,
        costs_day_e6=costs,
        renewals_day_e6=renewals_day_e6,
    )


def suggested_spacing_e6(cost_ratio_e6: int) -> int:
    """The least spacing worth trading at such costs: `10 * max(c, 1 bp)` (1e-6)."""
    return SPACING_PER_COST * max(cost_ratio_e6, COST_LEAST_E6)


def renewal_cost_day_e6(live_orders: int, order_life_ns: int, transaction_e6: int) -> int:
    """What a day of renewing a full window at half of `order_life` costs (quote 1e-6); 0 where orders have no life."""
    if order_life_ns == 0:
        return 0
    rounds = div_ceil(2 * _DAY_NS, order_life_ns)
    return rounds * div_ceil(live_orders, ORDERS_PER_TRANSACTION) * transaction_e6
