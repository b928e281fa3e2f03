"""Draws the pictures of a report as SVG that takes its ink from the page, so that it is legible in light and dark."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import matplotlib
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from gridkeeper_cli.report_curves import Curves, Floats, LevelRow, Marks

_INK = "#010203"
"""Stands for the page's own text colour, which is put in its place when the picture is done."""
BUY, SELL, TOTAL, GRID, STOCK, FUNDING, FEES = (
    "#1a9e76", "#d1495b", "#3b82c4", "#1a9e76", "#c98a1b", "#8e6bbf", "#8a8f98"
)  # fmt: skip
_SIZE = (10.0, 3.4)
_STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _INK,
    "grid.alpha": 0.12,
    "legend.frameon": False,
    "svg.hashsalt": "gridkeeper",
}
_LEVELS_DRAWN = 130


def price_picture(curves: Curves, marks: Marks, levels_e6: Sequence[int]) -> str:
    """The price, the grid's levels behind it, and where it bought and sold."""

    def draw(axes: Axes) -> None:
        times = _dates(curves.time_s)
        step = -(-len(levels_e6) // _LEVELS_DRAWN)
        for level in levels_e6[::step]:
            axes.axhline(level / 1e6, color=_INK, alpha=0.09, linewidth=0.6)
        axes.fill_between(times, curves.low, curves.high, color=TOTAL, alpha=0.25, linewidth=0)
        axes.plot(times, curves.price, color=TOTAL, linewidth=0.9, label="price")
        size = 10 if len(marks.buys[0]) + len(marks.sells[0]) < 400 else 3
        axes.scatter(_dates(marks.buys[0]), marks.buys[1], s=size, color=BUY, label="bought", zorder=3, linewidths=0)
        axes.scatter(_dates(marks.sells[0]), marks.sells[1], s=size, color=SELL, label="sold", zorder=3, linewidths=0)
        room = (curves.high.max() - curves.low.min()) * 0.06 or 1
        axes.set_ylim(curves.low.min() - room, curves.high.max() + room)
        _legend(axes, 3)

    return _picture(draw, "Price and fills", height=4.6)


def held_picture(curves: Curves) -> str:
    """What the grid held."""

    def draw(axes: Axes) -> None:
        times = _dates(curves.time_s)
        axes.fill_between(times, curves.held, step="post", color=STOCK, alpha=0.3, linewidth=0)
        axes.step(times, curves.held, where="post", color=STOCK, linewidth=0.9)
        axes.axhline(0, color=_INK, linewidth=0.7)
        axes.set_ylabel("base")

    return _picture(draw, "Position")


def equity_picture(curves: Curves) -> str:
    """Total PnL and what it is made of."""

    def draw(axes: Axes) -> None:
        times = _dates(curves.time_s)
        for values, color, name in (
            (curves.grid, GRID, "grid profit"),
            (curves.stock, STOCK, "inventory"),
            (curves.received, FUNDING, "funding"),
            (-curves.paid, FEES, "fees and rebates"),
        ):
            axes.plot(times, values, color=color, linewidth=1.0, label=name)
        axes.plot(times, curves.total, color=TOTAL, linewidth=1.8, label="total PnL")
        axes.axhline(0, color=_INK, linewidth=0.7)
        axes.set_ylabel("quote")
        _legend(axes, 5)

    return _picture(draw, "Total PnL and its parts", height=4.2)


def drawdown_picture(curves: Curves) -> str:
    """How far below its highest value total PnL was."""

    def draw(axes: Axes) -> None:
        axes.fill_between(_dates(curves.time_s), -curves.below_peak, color=SELL, alpha=0.35, linewidth=0)
        axes.plot(_dates(curves.time_s), -curves.below_peak, color=SELL, linewidth=0.8)
        axes.set_ylabel("quote")

    return _picture(draw, "Below the peak", height=2.4)


def levels_picture(levels: Sequence[LevelRow]) -> str:
    """The profit of the turns above each level."""

    def draw(axes: Axes) -> None:
        prices = [row.price_e6 / 1e6 for row in levels]
        width = min((abs(a - b) for a, b in itertools.pairwise(prices)), default=1.0)
        axes.bar(prices, [row.profit_e6 / 1e6 for row in levels], width=width * 0.8, color=GRID)
        axes.set_xlabel("price")
        axes.set_ylabel("quote")

    return _picture(draw, "Profit by level", height=2.8, dated=False)


def front_picture(points: Sequence[tuple[float, float]], front: Sequence[tuple[float, float]]) -> str:
    """Return against drawdown (percent of capital) of all variants, and those that no other beats."""

    def draw(axes: Axes) -> None:
        axes.scatter([p[0] for p in points], [p[1] for p in points], s=26, color=FEES, alpha=0.7, label="variant")
        ordered = sorted(front)
        axes.plot([p[0] for p in ordered], [p[1] for p in ordered], "o-", color=GRID, label="not beaten", linewidth=1)
        axes.axhline(0, color=_INK, linewidth=0.7)
        axes.set_xlabel("deepest drawdown, % of capital")
        axes.set_ylabel("return, % of capital")
        _legend(axes, 2)

    return _picture(draw, "Return against drawdown", height=4.6, dated=False)


def _picture(draw: Callable[[Axes], None], name: str, *, height: float = _SIZE[1], dated: bool = True) -> str:
    with matplotlib.rc_context(_STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(_SIZE[0], height), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        if dated:
            locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
            axes.margins(x=0.01)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{name}" class="plot" ', 1)


def _dates(time_s: Floats) -> Floats:
    dates: Floats = time_s / 86_400 + date2num(datetime(1970, 1, 1, tzinfo=UTC))  # type: ignore[no-untyped-call]
    return dates


def _legend(axes: Axes, columns: int) -> None:
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, fontsize=10, markerscale=2)
