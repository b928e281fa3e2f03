"""Draws the live view: a screen of 80 by 30 on a terminal, else one line every ten seconds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gridkeeper_cli.live_data import FillLine, ServiceLine, Snapshot, Watcher
from gridkeeper_core.requests import GridDetail, GridView, OrderView
from gridkeeper_core.units import NS_PER_S, e6_text, e9_text

UNKNOWN = "…"
LOOK_EVERY_S = 1.0
LINE_EVERY_S = 10.0
LEVELS_SHOWN = 11
_CENT_E6 = 10_000
_GOOD, _BAD, _WAITING = "green", "red", "yellow"


async def show_live(watcher: Watcher, console: Console) -> None:
    """Draw until cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(watcher.follow_fills())
        with Live(console=console, auto_refresh=False, transient=False) as live:
            while True:
                live.update(screen(await watcher.look()), refresh=True)
                await asyncio.sleep(LOOK_EVERY_S)


async def show_lines(watcher: Watcher, console: Console) -> None:
    """Print a line every ten seconds until cancelled."""
    while True:
        await asyncio.sleep(LINE_EVERY_S)
        console.print(line(await watcher.look()), soft_wrap=True)


def line(seen: Snapshot) -> str:
    """Everything that matters in one line."""
    troubled = [service.name for service in seen.services if service.state != "running" or service.unready]
    grid, result = _grid(seen), seen.books.result if seen.books else None
    parts = [
        f"price {_price(seen)}",
        f"grid {grid.id} {_state(grid)}" if grid else f"grid {UNKNOWN}",
        f"orders {_orders(grid)}",
        f"fills {grid.fills if grid else UNKNOWN}",
        f"position {e9_text(grid.position_e9) if grid else UNKNOWN}",
        f"grid profit {money(result.grid_profit_e6) if result else UNKNOWN}",
        f"total {money(result.total_pnl_e6) if result else UNKNOWN}",
        f"not ready: {', '.join(troubled)}" if troubled else "all services ready",
    ]
    return f"{_now()}  " + " | ".join(parts)


def screen(seen: Snapshot) -> RenderableType:
    """The whole screen: 80 columns, at most 30 lines."""
    place = seen.place
    feeds = ", ".join(f"{market} {_short(source)}" for market, source in place.feeds.items())
    head = Text(f"Gridkeeper {place.version} · {place.profile} · {feeds} · {_now()}", style="bold", no_wrap=True)
    trouble = next((f"{s.name}: {s.unready}" for s in seen.services if s.unready), "")
    foot = Group(
        Text(trouble, style=_WAITING, no_wrap=True, overflow="ellipsis"),
        Text(f"Data  {place.data_dir}", no_wrap=True, overflow="ellipsis", style="dim"),
        Text("Stop  Ctrl-C: everything is kept, the next start carries on", style="dim"),
    )
    return Group(head, _services(seen.services), Text(), _totals(seen), Text(), _ladder_and_fills(seen), foot)


def money(quote_e6: int) -> str:
    """A quote amount to the cent, signed; for reading only."""
    cents = (abs(quote_e6) + _CENT_E6 // 2) // _CENT_E6
    sign = "-" if quote_e6 < 0 and cents else "+"
    return f"{sign}{cents // 100:,}.{cents % 100:02d}"


def rungs(detail: GridDetail) -> list[int]:
    """The indexes of the levels to show, highest first: those around the gap."""
    count = len(detail.levels_e6)
    if not count:
        return []
    middle = detail.view.gap if detail.view.gap is not None else count // 2
    first = max(0, min(middle - LEVELS_SHOWN // 2, count - LEVELS_SHOWN))
    return list(range(first, min(count, first + LEVELS_SHOWN)))[::-1]


def _services(services: tuple[ServiceLine, ...]) -> Text:
    text = Text()
    for service in services:
        style = _BAD if service.state == "failed" else _WAITING
        if service.state == "running" and not service.unready:
            style = _GOOD
        text.append("●", style=style)
        restarts = f"↻{service.restarts}" if service.restarts else ""
        text.append(f"{service.name}{restarts} ")
    return text


def _totals(seen: Snapshot) -> Table:
    grid, result = _grid(seen), seen.books.result if seen.books else None
    account = seen.account
    table = Table.grid(padding=(0, 3))
    table.add_row("Price", _price(seen), "Grid", f"{grid.id} {_state(grid)}" if grid else _no_grid(seen))
    table.add_row(
        "Position",
        e9_text(grid.position_e9) if grid else UNKNOWN,
        "Orders live",
        _orders(grid),
    )
    table.add_row(
        "Grid profit",
        money(result.grid_profit_e6) if result else UNKNOWN,
        "Fills, turns",
        f"{result.fills}, {result.turns}" if result else UNKNOWN,
    )
    table.add_row(
        "Total PnL",
        money(result.total_pnl_e6) if result else UNKNOWN,
        "Account",
        f"{account.alias} {account.phase}{' DIFFERS' if account.differs else ''}" if account else UNKNOWN,
    )
    return table


def _ladder_and_fills(seen: Snapshot) -> Table:
    table = Table.grid(padding=(0, 4))
    table.add_row(_ladder(seen.detail), _fills(seen.fills))
    return table


def _ladder(detail: GridDetail | None) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    for heading in ("Level", "Price", "Side", "Size", "Status", "Held"):
        table.add_column(heading, justify="left" if heading in {"Side", "Status"} else "right")
    if detail is None or not detail.levels_e6:
        table.add_row(*[UNKNOWN] * 6)
        return table
    orders = {order.price_e6: order for order in detail.orders}
    for level in rungs(detail):
        price_e6 = detail.levels_e6[level]
        order = orders.get(price_e6)
        side = Text(order.side, style=_GOOD if order.side == "buy" else _BAD) if order else Text("")
        is_gap = level == detail.view.gap
        held_e9 = detail.held_e9[level] if level < len(detail.held_e9) else 0
        size = e9_text(order.size_e9) if order else ""
        table.add_row(
            str(level),
            e6_text(price_e6),
            side,
            size,
            _status(order, is_gap=is_gap),
            e9_text(held_e9) if held_e9 else "",
        )
    return table


def _status(order: OrderView | None, *, is_gap: bool) -> str:
    if order is None:
        return "gap" if is_gap else ""
    if order.unwanted:
        return "leaving"
    return f"{e9_text(order.filled_e9)} filled" if order.filled_e9 else "live"


def _fills(fills: tuple[FillLine, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    for heading in ("Last fills", "", "Size", "Price"):
        table.add_column(heading, justify="right" if heading in {"Size", "Price"} else "left")
    for fill in reversed(fills):
        side = Text(fill.side, style=_GOOD if fill.side == "buy" else _BAD)
        table.add_row(_clock(fill.ts_ns), side, e9_text(fill.base_e9), e6_text(fill.price_e6))
    return table


def _grid(seen: Snapshot) -> GridView | None:
    """From the list where the single grid is not known, so that a slow answer does not empty the line."""
    if seen.detail is not None:
        return seen.detail.view
    return seen.grids[0] if seen.grids else None


def _no_grid(seen: Snapshot) -> str:
    return UNKNOWN if seen.grids is None else "none yet"


def _state(grid: GridView) -> str:
    return f"{grid.state} ({', '.join(grid.reasons)})" if grid.reasons else grid.state


def _orders(grid: GridView | None) -> str:
    return f"{grid.live_orders} of {grid.wanted_orders}" if grid else UNKNOWN


def _price(seen: Snapshot) -> str:
    return e6_text(seen.price.oracle_e6) if seen.price else UNKNOWN


def _short(source: str) -> str:
    kind, colon, files = source.partition(":")
    return f"{kind} {files.rpartition('/')[2]}" if colon else kind


def _clock(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns // NS_PER_S, UTC).strftime("%H:%M:%S")


def _now() -> str:
    return datetime.now(UTC).strftime("%H:%M:%SZ")
