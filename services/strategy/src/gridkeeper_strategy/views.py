"""What strategy answers about its grids."""

from __future__ import annotations

from itertools import islice

from gridkeeper_core.errors import CATALOGUE
from gridkeeper_core.events import Side
from gridkeeper_core.grid.edit_plan import EditPlan
from gridkeeper_core.grid.reasons import ENDINGS, grid_reasons, level_reasons, words_of
from gridkeeper_core.grid.state import GridState, LiveOrder, gap_of
from gridkeeper_core.grid.window import candidates, per_side
from gridkeeper_core.prices.price import Price
from gridkeeper_core.requests import EditView, GridDetail, GridView, LevelView, OrderView, PauseView


def grid_view(grid: GridState, price: Price | None) -> GridView:
    """One line of `grid list`."""
    return GridView(
        id=grid.grid_id,
        market=grid.config.market,
        account=grid.config.account,
        state=_state(grid),
        reasons=tuple(told.code for told in _pauses(grid)),
        price_e6=price.oracle_e6 if price is not None else None,
        price_ns=price.ts_ns if price is not None else None,
        gap=gap_of(grid) if grid.levels_e6 else None,
        position_e9=grid.position_e9,
        fills=grid.fills,
        turns=grid.turns,
        cash_e6=grid.cash_e6,
        fees_e6=grid.fees_e6,
        live_orders=sum(1 for order in grid.orders.values() if not order.unwanted and not order.shadow),
        wanted_orders=_wanted_orders(grid, price),
        lower_e6=grid.levels_e6[0] if grid.levels_e6 else grid.config.lower_e6,
        upper_e6=grid.levels_e6[-1] if grid.levels_e6 else grid.config.upper_e6,
        range_left=grid.range_left,
    )


def grid_detail(grid: GridState, price: Price | None, now_ns: int) -> GridDetail:
    """Everything `grid show` needs, at a moment."""
    orders = tuple(
        _order_view(order) for order in sorted(grid.orders.values(), key=lambda order: (order.price_e6, order.side))
    )
    return GridDetail(
        view=grid_view(grid, price),
        levels_e6=grid.levels_e6,
        sizes_e9=grid.sizes_e9,
        held_e9=tuple(grid.held_e9),
        cycles=tuple(grid.cycles),
        orders=orders,
        source=grid.source,
        reasons=level_views(grid, price, now_ns),
        pauses=_pauses(grid),
        flag=grid.memory.flag,
        flag_until_ns=grid.memory.flag_until_ns,
    )


def edit_view(plan: EditPlan) -> EditView:
    """What `grid edit` shows before it is applied."""
    return EditView(
        levels_before_e6=plan.before.levels_e6,
        levels_after_e6=plan.after.levels_e6,
        sizes_before_e9=plan.before.sizes_e9,
        sizes_after_e9=plan.after.sizes_e9,
        held_before_e9=plan.before.held_e9.total,
        held_after_e9=plan.after.held_e9.total,
        cancelled=tuple(_order_view(order) for order in plan.cancelled),
        placed=tuple(
            OrderView(
                intent_id=want.intent_id,
                side=want.side,
                cell=want.cell,
                price_e6=want.price_e6,
                size_e9=want.size_e9,
                filled_e9=0,
                unwanted="",
                kind=want.kind,
            )
            for want in plan.placed
        ),
        margin_before_e6=plan.margin_before_e6,
        margin_after_e6=plan.margin_after_e6,
        is_instant=not plan.cancelled and not plan.placed,
        slots_before=plan.before.slots,
        slots_after=plan.after.config.order_slots,
    )


def _order_view(order: LiveOrder) -> OrderView:
    return OrderView(
        intent_id=order.intent_id,
        side=order.side,
        cell=order.cell,
        price_e6=order.price_e6,
        size_e9=order.size_e9,
        filled_e9=order.filled_e9,
        unwanted=order.unwanted,
        kind=order.kind,
    )


def level_views(grid: GridState, price: Price | None, now_ns: int) -> tuple[LevelView, ...]:
    """Every level with its reason in plain words."""
    return tuple(
        LevelView(
            level=reason.level,
            price_e6=reason.price_e6,
            side=reason.side,
            cell=reason.cell,
            size_e9=reason.size_e9,
            code=reason.code,
            meaning=words_of(reason.code),
            intent_id=reason.intent_id,
            until_ns=reason.until_ns,
            detail=reason.detail,
        )
        for reason in level_reasons(grid, price, now_ns)
    )


def _pauses(grid: GridState) -> tuple[PauseView, ...]:
    if grid.status == "rejected":
        return tuple(
            PauseView(code=code, meaning=CATALOGUE.get(code, ("", ""))[0], told=told)
            for code, told in grid.told.items()
        )
    if grid.status == "stopped":
        code = grid.stop_code
        return (PauseView(code=code, meaning=ENDINGS.get(code, ""), told="gridkeeper"),) if code else ()
    return tuple(
        PauseView(code=code, meaning=words_of(code), told=grid.told.get(code, "")) for code in grid_reasons(grid)
    )


def _state(grid: GridState) -> str:
    return "paused" if grid.status == "open" and grid.pauses else grid.status


def _wanted_orders(grid: GridState, price: Price | None) -> int:
    """How many orders would be live if nothing had to wait: the nearest eligible ones of each side."""
    if not grid.is_trading or price is None:
        return 0
    sides: tuple[tuple[Side, int], ...] = (("buy", 0), ("sell", 1))
    counts = per_side(grid.config.live_orders)
    return sum(len(list(islice(candidates(grid, side, price.oracle_e6), counts[i]))) for side, i in sides)
