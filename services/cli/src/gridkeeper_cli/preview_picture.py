"""Draws a preview: the ladder of orders beside what the grid is worth when the price goes straight to each level."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gridkeeper_cli.grid_file import Previewed
from gridkeeper_cli.render import counted
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.grid.preview import Preview, PreviewLevel
from gridkeeper_core.market import round_down_to
from gridkeeper_core.units import E4, E6, E9, decimal_text, e6_text, e9_text

_INK, _FAINT, _PAPER = "#1f2933", "#9aa5b1", "#ffffff"
_BUY, _SELL, _WAITING = "#0f7b6c", "#c2571a", "#cbd2d9"
_PRICE, _STOP, _LIQUIDATION, _EVEN = "#1f2933", "#b8860b", "#b00020", "#5b5fc7"
_INCHES = (12.0, 7.2)
_DOTS_PER_INCH = 130
_PLACE = {"left": 0.075, "right": 0.8, "top": 0.86, "bottom": 0.125}
_BARS_MAX = 160
"""Beyond so many levels a bar would be thinner than a line: they are drawn as one shape."""
_BAR_MOST = 0.025
"""No bar is thicker than this share of the picture's height."""
_LABEL_APART = 0.036
"""Least distance of two labels, as a share of the picture's height."""
_FAR = 0.9
"""What lies farther outside of the range than this share of its width is named at the edge, not drawn."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A price with a name."""

    price_e6: int
    name: str
    colour: str
    style: str


def draw(previewed: Previewed, path: Path) -> None:
    """Write the picture, PNG or SVG by the name. Raises GridkeeperError BAD_FILE where it cannot be written."""
    # The same preview gives the same bytes: no time of day, no random ids.
    with mpl.rc_context({"svg.hashsalt": "gridkeeper", "svg.fonttype": "none", "text.color": _INK}):
        figure = _figure(previewed.preview)
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
        try:
            figure.savefig(path, dpi=_DOTS_PER_INCH, metadata=metadata, facecolor=_PAPER)
        except OSError as error:
            raise GridkeeperError("BAD_FILE", field="--plot", value=path, detail=str(error)) from error


def marks(p: Preview) -> tuple[Mark, ...]:
    """The prices worth a line of their own, the highest first."""
    found = [Mark(price_e6=p.price_e6, name="price", colour=_PRICE, style="-")]
    for held, name in ((p.at_lower, "long"), (p.at_upper, "short")):
        if held.liquidation_e6 is not None:
            liquidation = f"{name} liquidated"
            found.append(Mark(price_e6=held.liquidation_e6, name=liquidation, colour=_LIQUIDATION, style="-"))
        if held.average_entry_e6 is not None:
            even = f"full {name} breaks even"
            found.append(Mark(price_e6=held.average_entry_e6, name=even, colour=_EVEN, style=":"))
    found += [Mark(price_e6=line.price_e6, name=line.kind, colour=_STOP, style="--") for line in p.stops]
    if p.start_trigger_e6 is not None:
        found.append(Mark(price_e6=p.start_trigger_e6, name="starts at", colour=_PRICE, style="--"))
    return tuple(sorted(found, key=lambda mark: -mark.price_e6))


def spread_out(wanted: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Places near the wanted ones (highest first) that are at least `apart` from each other, inside of low..high."""
    placed: list[float] = []
    for want in wanted:
        ceiling = placed[-1] - apart if placed else high
        placed.append(min(want, ceiling))
    floor = low
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = max(placed[index], floor)
        floor = placed[index] + apart
    return placed


def _figure(p: Preview) -> Figure:
    figure = Figure(figsize=_INCHES)
    ladder, worth = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.04, **_PLACE})
    low, high = _limits(p)
    ladder.set_ylim(low, high)
    _draw_ladder(ladder, p)
    _draw_worth(worth, p)
    for axes in (ladder, worth):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.tick_params(colors=_INK, length=3)
    worth.tick_params(labelleft=False)
    ladder.set_ylabel(f"{p.market}, quote per base")
    _draw_marks((ladder, worth), p, low, high)
    _title(figure, p)
    return figure


def _limits(p: Preview) -> tuple[float, float]:
    lowest, highest = p.levels[0].price_e6, p.levels[-1].price_e6
    width = highest - lowest
    shown = [lowest, highest]
    shown += [m.price_e6 for m in marks(p) if lowest - _FAR * width <= m.price_e6 <= highest + _FAR * width]
    margin = (max(shown) - min(shown)) * 0.06
    return (min(shown) - margin) / E6, (max(shown) + margin) / E6


def _draw_ladder(axes: Axes, p: Preview) -> None:
    """One bar per order, as long as its size; live ones in the colour of their side."""
    for name, colour, rows in (
        ("waits outside of the live window", _WAITING, [r for r in p.levels if r.side and not r.is_live]),
        (f"live buys ({p.window.buys})", _BUY, [r for r in p.levels if r.side == "buy" and r.is_live]),
        (f"live sells ({p.window.sells})", _SELL, [r for r in p.levels if r.side == "sell" and r.is_live]),
    ):
        if rows:
            _draw_bars(axes, p, rows, colour, name)
    live = [r.price_e6 / E6 for r in p.levels if r.is_live]
    if live:
        axes.axhspan(min(live), max(live), color=_FAINT, alpha=0.12, linewidth=0)
    axes.set_xlim(left=0)
    axes.margins(x=0.02)
    axes.set_xlabel("size of each order, base")
    axes.set_title("Orders (shaded: the live window)", loc="left", fontsize=11, color=_INK)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.085), ncols=3, frameon=False, fontsize=8.5)


def _draw_bars(axes: Axes, p: Preview, rows: Sequence[PreviewLevel], colour: str, name: str) -> None:
    prices = [row.price_e6 / E6 for row in rows]
    sizes = [row.size_e9 / E9 for row in rows]
    if len(p.levels) > _BARS_MAX:
        axes.hlines(prices, 0, sizes, color=colour, linewidth=0.8, label=name)
        return
    gaps = [above.price_e6 - below.price_e6 for below, above in zip(p.levels, p.levels[1:], strict=False)]
    axes.barh(
        prices,
        sizes,
        height=min(0.6 * min(gaps) / E6, _BAR_MOST * (_limits(p)[1] - _limits(p)[0])),
        color=colour,
        label=name,
    )


def _draw_worth(axes: Axes, p: Preview) -> None:
    """The grid's result without a single turn: the price goes to a level and never back."""
    prices, totals = worth_on_a_straight_way(p, *_limits(p))
    axes.axvline(0, color=_FAINT, linewidth=0.8)
    axes.plot(totals, prices, color=_INK, linewidth=1.8)
    axes.fill_betweenx(prices, totals, 0, where=[t < 0 for t in totals], color=_LIQUIDATION, alpha=0.10, linewidth=0)
    axes.fill_betweenx(prices, totals, 0, where=[t > 0 for t in totals], color=_BUY, alpha=0.12, linewidth=0)
    if p.loss_allowed_e6 and min(totals) <= -p.loss_allowed_e6 / E6 * 0.5:
        limit = -p.loss_allowed_e6 / E6
        axes.axvline(limit, color=_STOP, linewidth=1.2, linestyle="--")
        name = f" stops itself at -{e6_text(p.loss_allowed_e6)} "
        place: dict[str, Any] = {
            "xycoords": ("data", "axes fraction"),
            "va": "bottom",
            "ha": "center",
            "fontsize": 8.5,
            "zorder": 4,
        }
        box = {"facecolor": _PAPER, "edgecolor": "none", "pad": 1.0}
        axes.annotate(name, (limit, 0.012), color=_STOP, bbox=box, **place)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("result, quote, before fees")
    axes.set_title("If the price goes straight there, without a turn", loc="left", fontsize=11, color=_INK)


def worth_on_a_straight_way(p: Preview, low: float, high: float) -> tuple[list[float], list[float]]:
    """Prices from low to high and the result at each (quote): coordinates of the picture."""
    entry = p.entry
    start_base = entry.base_e9 if entry is not None else 0
    start_cash = 0 if entry is None else -entry.quote_e6 if entry.base_e9 > 0 else entry.quote_e6
    below = [r for r in reversed(p.levels) if r.side == "buy" and r.price_e6 <= p.price_e6]
    above = [r for r in p.levels if r.side == "sell" and r.price_e6 >= p.price_e6]
    points = [(p.price_e6 / E6, (start_cash + start_base * p.price_e6 // E9) / E6)]
    for rows, sign, end in ((below, 1, low), (above, -1, high)):
        base, cash = start_base, start_cash
        for row in rows:
            base += sign * row.size_e9
            cash -= sign * row.size_e9 * row.price_e6 // E9
            points.append((row.price_e6 / E6, (cash + base * row.price_e6 // E9) / E6))
        # Beyond the last level nothing is traded any more.
        points.append((end, cash / E6 + base / E9 * end))
    points.sort()
    return [price for price, _ in points], [total for _, total in points]


def _draw_marks(both: tuple[Axes, Axes], p: Preview, low: float, high: float) -> None:
    """Lines over both halves with their names beside them; what lies far outside is named at the edge."""
    found = marks(p)
    axes = both[1]
    places = [(min(max(m.price_e6 / E6, low), high) - low) / (high - low) for m in found]
    apart = _LABEL_APART / (_PLACE["top"] - _PLACE["bottom"])
    for mark, place, label in zip(found, places, spread_out(places, apart, 0.0, 1.0), strict=True):
        price = mark.price_e6 / E6
        is_shown = low <= price <= high
        for half in both if is_shown else ():
            half.axhline(price, color=mark.colour, linewidth=1.3, linestyle=mark.style, zorder=3)
        away = "" if is_shown else " ↑" if price > high else " ↓"
        axes.annotate(
            f"{mark.name} {e6_text(_to_tick(mark.price_e6, p))}{away}", xy=(1.0, place), xycoords="axes fraction",
            xytext=(1.05, label), textcoords="axes fraction", va="center", fontsize=9, color=mark.colour,
            annotation_clip=False, arrowprops={"arrowstyle": "-", "color": mark.colour, "linewidth": 0.7},
        )  # fmt: skip


def _title(figure: Figure, p: Preview) -> None:
    lowest, highest = p.levels[0], p.levels[-1]
    least, most = (decimal_text(ratio, E4) for ratio in _spacings(p))
    spacing = f"{least} %" if least == most else f"{least} to {most} %"
    direction = "" if p.direction == "neutral" else f"{p.direction}, "
    figure.text(0.075, 0.955, f"{p.grid_id}: {direction}{counted(len(p.turns), 'interval')} on {p.market}", fontsize=15)
    told = [
        f"{e6_text(lowest.price_e6)} to {e6_text(highest.price_e6)}",
        f"capital {e6_text(round_down_to(p.capital_e6, E4))}",
        f"spacing {spacing}, breaks even at {decimal_text(p.break_even_ratio_e6, E4)} %",
        f"up to {e9_text(max(p.at_lower.base_e9, 0))} long and {e9_text(max(-p.at_upper.base_e9, 0))} short",
    ]
    figure.text(0.075, 0.915, " · ".join(told), fontsize=10)


def _to_tick(price_e6: int, p: Preview) -> int:
    """Enough digits to read: the exact price is in the text."""
    return round_down_to(price_e6, max(p.spec.tick_e6, 1_000))


def _spacings(p: Preview) -> tuple[int, int]:
    ratios = [turn.spacing_ratio_e6 for turn in p.turns]
    return min(ratios), max(ratios)
