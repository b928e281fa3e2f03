"""Says before anything is risked what a grid would be: levels, what a turn earns, where it would be liquidated."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.events import Side
from gridkeeper_core.grid.config import Direction, GridConfig
from gridkeeper_core.grid.expectation import Expectation, expectation, renewal_cost_day_e6
from gridkeeper_core.grid.levels import build_levels, build_sizes, capital_e6, gap_at, worst_notional_e6
from gridkeeper_core.grid.preview_checks import Refusal, Weighed, check_leverage, refusals
from gridkeeper_core.grid.preview_liquidation import RestOfAccount
from gridkeeper_core.grid.preview_money import (
    Costs,
    Entry,
    Held,
    Inventory,
    Turn,
    break_even_e6,
    entry_of,
    inventory_at_lower,
    inventory_at_upper,
    turn_of,
)
from gridkeeper_core.grid.preview_stops import StopLine, stop_lines, stop_refusals
from gridkeeper_core.grid.window import per_side
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.units import E4, E9, div_ceil
from gridkeeper_core.venue.margin import OPEN_ORDER_MARGIN_E6


class PreviewLevel(msgspec.Struct, frozen=True, kw_only=True):
    """A level at the start. The gap has no order: side "", cell -1, size 0. `is_live`: rests on the venue at once.

    `turn_profit_e6` is what one turn of the order's cell earns after fees and transaction cost.
    """

    index: int
    price_e6: int
    side: Side | Literal[""]
    cell: int
    size_e9: int
    is_live: bool
    turn_profit_e6: int


class LiveWindow(msgspec.Struct, frozen=True, kw_only=True):
    """The orders that rest at the start, and the initial margin the venue asks for them (quote 1e-6)."""

    buys: int
    sells: int
    margin_e6: int


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a grid would be. Ratios `…_ratio_e6` are 1e-6 of notional; money is quote 1e-6.

    `transaction_cost_e6` is per turn, None where the price of SOL is not known. `break_even_ratio_e6` is the spacing
    at which the costliest turn earns nothing (negative: the rebate pays for more than it costs). `refusals` are the
    reasons not to open it. `entry` is what a long or short grid trades before its levels go live.
    """

    grid_id: str
    market: str
    account: str
    direction: Direction
    spec: MarketSpec
    price_e6: int
    gap: int
    levels: tuple[PreviewLevel, ...]
    turns: tuple[Turn, ...]
    capital_e6: int
    is_capital_derived: bool
    worst_notional_e6: int
    loss_allowed_e6: int
    transaction_cost_e6: int | None
    break_even_ratio_e6: int
    at_lower: Inventory
    at_upper: Inventory
    window: LiveWindow
    entry: Entry | None
    paid_hour_e9: int | None
    stops: tuple[StopLine, ...]
    start_trigger_e6: int | None
    expectation: Expectation
    refusals: tuple[Refusal, ...]

    @property
    def least_turn(self) -> Turn:
        """The turn that earns least."""
        return min(self.turns, key=lambda turn: (turn.profit_e6, turn.cell))

    @property
    def most_turn(self) -> Turn:
        """The turn that earns most."""
        return max(self.turns, key=lambda turn: (turn.profit_e6, -turn.cell))


def preview(
    config: GridConfig,
    spec: MarketSpec,
    price_e6: int,
    *,
    costs: Costs | None = None,
    sigma_day_e6: int | None = None,
    rest: RestOfAccount | None = None,
) -> Preview:
    """What the grid would be if it opened at `price_e6`.

    `sigma_day_e6` is the price's relative standard deviation per day (1e-6), if somebody dares to name one; `rest` what
    the account has besides (None: nothing but the grid's capital).
    Raises GridkeeperError where no grid can be built: LEVELS_TOO_FEW, LEVELS_TOO_MANY, LEVELS_NOT_ASCENDING,
    SPACING_TOO_SMALL, SIZE_UNDER_MINIMUM, LEVERAGE_TOO_HIGH.
    """
    check_leverage(config, spec)
    levels = build_levels(config, spec)
    sizes = build_sizes(config, spec, levels)
    costs = costs or Costs()
    held = Held(
        direction=config.direction,
        levels_e6=levels,
        sizes_e9=sizes,
        price_e6=price_e6,
        capital_e6=capital_e6(config, levels, sizes, price_e6),
        spec=spec,
        rest=rest,
        costs=costs,
    )
    return _preview(config, held, sigma_day_e6)


def _preview(config: GridConfig, held: Held, sigma_day_e6: int | None) -> Preview:
    levels, sizes, price_e6, spec, costs = held.levels_e6, held.sizes_e9, held.price_e6, held.spec, held.costs
    turns = tuple(turn_of(k, levels[k], levels[k + 1], sizes[k], spec, costs) for k in range(len(sizes)))
    live = _live_orders(config, levels, sizes, price_e6)
    weighed = Weighed(
        levels_e6=levels,
        turns=turns,
        at_lower=inventory_at_lower(held),
        at_upper=inventory_at_upper(held),
        price_e6=price_e6,
        capital_e6=held.capital_e6,
        margin_e6=_window(live, held).margin_e6,
        break_even_ratio_e6=break_even_e6(turns, spec, costs),
        spec=spec,
    )
    return Preview(
        grid_id=config.grid_id,
        market=config.market,
        account=config.account,
        direction=config.direction,
        spec=spec,
        price_e6=price_e6,
        gap=held.gap,
        levels=_level_table(levels, sizes, price_e6, turns, live),
        turns=turns,
        capital_e6=held.capital_e6,
        is_capital_derived=config.capital_e6 is None,
        worst_notional_e6=worst_notional_e6(levels, sizes, price_e6, config.direction),
        loss_allowed_e6=held.capital_e6 * config.max_drawdown_e4 // E4 if config.risk_enabled else 0,
        transaction_cost_e6=costs.per_turn_e6,
        break_even_ratio_e6=weighed.break_even_ratio_e6,
        at_lower=weighed.at_lower,
        at_upper=weighed.at_upper,
        window=_window(live, held),
        entry=entry_of(held),
        paid_hour_e9=costs.paid_hour_e9,
        stops=stop_lines(config, held),
        start_trigger_e6=config.start_trigger_e6,
        expectation=_expectation(config, turns, costs, sigma_day_e6),
        refusals=(*refusals(weighed), *stop_refusals(config, weighed.at_lower, weighed.at_upper)),
    )


def _expectation(config: GridConfig, turns: tuple[Turn, ...], costs: Costs, sigma_day_e6: int | None) -> Expectation:
    each_e6 = costs.per_transaction_e6
    renewals = None if each_e6 is None else renewal_cost_day_e6(config.live_orders, config.order_life_ns, each_e6)
    # Where cells the price went over are taken instead of waited for, a turn pays half of the spread.
    spread_e6 = div_ceil(costs.spread_ratio_e6, 2) if config.missed == "take" else 0
    return expectation(turns, sigma_day_e6, spread_ratio_e6=spread_e6, renewals_day_e6=renewals)


_LiveOrders = dict[Side, list[int]]
"""Side -> cells whose order rests at the start, nearest to the price first."""


def _live_orders(config: GridConfig, levels: tuple[int, ...], sizes: tuple[int, ...], price_e6: int) -> _LiveOrders:
    gap = gap_at(levels, price_e6)
    buy_count, sell_count = per_side(config.live_orders)
    buys = [cell for cell in range(gap - 1, -1, -1) if levels[cell] < price_e6]
    sells = [cell for cell in range(gap, len(sizes)) if levels[cell + 1] > price_e6]
    return {"buy": buys[:buy_count], "sell": sells[:sell_count]}


def _level_table(
    levels: tuple[int, ...], sizes: tuple[int, ...], price_e6: int, turns: tuple[Turn, ...], live: _LiveOrders
) -> tuple[PreviewLevel, ...]:
    gap = gap_at(levels, price_e6)
    rows: list[PreviewLevel] = []
    for index, level_e6 in enumerate(levels):
        side: Side = "buy" if index < gap else "sell"
        cell = index if index < gap else index - 1
        is_gap = index == gap
        rows.append(
            PreviewLevel(
                index=index,
                price_e6=level_e6,
                side="" if is_gap else side,
                cell=-1 if is_gap else cell,
                size_e9=0 if is_gap else sizes[cell],
                is_live=not is_gap and cell in live[side],
                turn_profit_e6=0 if is_gap else turns[cell].profit_e6,
            )
        )
    return tuple(rows)


def _window(live: _LiveOrders, held: Held) -> LiveWindow:
    """The venue's rule: the worse of all buys or all sells filled at the oracle price, and a cent per open order."""
    buys_e9, sells_e9 = (sum(held.sizes_e9[cell] for cell in live[side]) for side in ("buy", "sell"))
    entry = entry_of(held)
    base_e9 = entry.base_e9 if entry is not None else 0
    order_count = len(live["buy"]) + len(live["sell"])
    largest_e9 = max(abs(base_e9 + buys_e9), abs(base_e9 - sells_e9))
    worst_e6 = div_ceil(largest_e9 * held.price_e6 * held.spec.margin_ratio_initial_e4, E9 * E4)
    return LiveWindow(
        buys=len(live["buy"]), sells=len(live["sell"]), margin_e6=worst_e6 + OPEN_ORDER_MARGIN_E6 * order_count
    )
