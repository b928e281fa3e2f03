"""Every setting of a grid file, said once: the parser reads by this table and the settings page is written from it."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal[
    "id", "market", "choice", "price", "prices", "size", "count", "ratio", "quote", "sol", "duration", "flag"
]  # fmt: skip

REQUIRED: None = None
"""`default` of a setting that has to be given."""
DERIVED = ""
"""`default` of a setting that follows from others when it is left out."""

PRICE_MAX = "1000000000"
QUOTE_MAX = "1000000000"
BASE_MAX = "1000000000"
OPEN_ORDERS_MAX = 32
"""Open orders the venue allows per sub-account: `live_orders` and `reserve` share them."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting. `field` is its name in `GridConfig`; `least` and `most` are inclusive and written as in the file.

    `above_zero` excludes zero where `least` is `0`. `code` is the error of a value out of its range.
    """

    path: str
    field: str
    kind: Kind
    default: str | None
    unit: str
    meaning: str
    least: str = ""
    most: str = ""
    above_zero: bool = False
    choices: tuple[str, ...] = ()
    code: str = "BAD_VALUE"

    @property
    def range_text(self) -> str:
        """What is allowed, in words."""
        if self.choices:
            return " or ".join(self.choices)
        if self.least and self.most:
            low = f"above {self.least}" if self.above_zero else f"at least {self.least}"
            return f"{low}, at most {self.most}"
        return ""


SETTINGS: tuple[Setting, ...] = (
    Setting(
        path="grid.id", field="grid_id", kind="id", default=REQUIRED, unit="a-z, 0-9, -",
        meaning="The grid's name, for ever; no other grid may have had it.",
    ),
    Setting(
        path="grid.market", field="market", kind="market", default=REQUIRED, unit="symbol",
        meaning="The perpetual market, as the venue spells it, such as SOL-PERP.",
    ),
    Setting(
        path="grid.account", field="account", kind="id", default="main", unit="a-z, 0-9, -",
        meaning="The account it trades on, as named in `gridkeeper.toml`.",
    ),
    Setting(
        path="grid.direction", field="direction", kind="choice", default="neutral", unit="",
        choices=("neutral", "long", "short"),
        meaning="Neutral starts flat, long first buys what its upper cells sell, short sells what its lower ones buy.",
    ),
    Setting(
        path="grid.adopt", field="adopt", kind="flag", default="false", unit="",
        choices=("true", "false"),
        meaning="Begin with the position the account has in the market, at the venue's own entry price; else refused.",
    ),
    Setting(
        path="grid.entry", field="entry", kind="choice", default="maker", unit="",
        choices=("maker", "taker"),
        meaning="How long and short get their position: an order that rests at the best price, or one that takes.",
    ),
    Setting(
        path="grid.entry_timeout", field="entry_timeout_ns", kind="duration", default="10m", unit="duration",
        least="1s", most="7d",
        meaning="After this the levels go live with what was got, their sizes scaled to it.",
    ),
    Setting(
        path="grid.trigger", field="start_trigger_e6", kind="price", default=DERIVED, unit="quote per base",
        least="0", most=PRICE_MAX, above_zero=True,
        meaning="The grid opens when the price reaches this. Left out: at once.",
    ),
    Setting(
        path="grid.lower", field="lower_e6", kind="price", default=REQUIRED, unit="quote per base",
        least="0", most=PRICE_MAX, above_zero=True,
        meaning="The lowest level. May be left out where `levels` is given.",
    ),
    Setting(
        path="grid.upper", field="upper_e6", kind="price", default=REQUIRED, unit="quote per base",
        least="0", most=PRICE_MAX, above_zero=True,
        meaning="The highest level. May be left out where `levels` is given.",
    ),
    Setting(
        path="grid.intervals", field="intervals", kind="count", default=REQUIRED, unit="count", least="1", most="999",
        meaning="How many cells lie between them; one level more. May be left out where `levels` is given.",
    ),
    Setting(
        path="grid.spacing", field="spacing", kind="choice", default="geometric", unit="",
        choices=("arithmetic", "geometric"),
        meaning="Equal differences or equal ratios between neighbouring levels.",
    ),
    Setting(
        path="grid.levels", field="custom_levels_e6", kind="prices", default=DERIVED, unit="quote per base",
        least="0", most=PRICE_MAX, above_zero=True,
        meaning="All levels by hand, rising, instead of `spacing`: 2 to 1000 prices.",
    ),
    Setting(
        path="grid.size", field="size", kind="size", default=REQUIRED, unit="base or quote",
        least="0", most=BASE_MAX, above_zero=True, code="SIZE_NOT_POSITIVE",
        meaning='What one order trades: `{ base = "0.1" }`, or `{ quote = "25" }` for equal amounts of quote.',
    ),
    Setting(
        path="grid.leverage", field="leverage_e4", kind="ratio", default="3", unit="times",
        least="0", most="100", above_zero=True, code="LEVERAGE_NOT_POSITIVE",
        meaning="Worst-case position over capital, where `capital` is left out.",
    ),
    Setting(
        path="grid.capital", field="capital_e6", kind="quote", default=DERIVED, unit="quote",
        least="0", most=QUOTE_MAX, above_zero=True,
        meaning="What is put behind the grid. Left out: worst-case notional / leverage.",
    ),
    Setting(
        path="window.live_orders", field="live_orders", kind="count", default="28", unit="count", least="2", most="32",
        meaning="Orders that rest on the venue at a time, half on each side of the price. With stops at most 27.",
    ),
    Setting(
        path="window.reserve", field="reserve", kind="count", default="4", unit="count", least="0", most="30",
        meaning="Order slots of the sub-account that stay free, with stops at least 5. With live_orders at most 32.",
    ),
    Setting(
        path="window.hysteresis", field="hysteresis", kind="count", default="2", unit="levels", least="0", most="16",
        meaning="How far the price moves before the live window follows.",
    ),
    Setting(
        path="window.roll_interval", field="roll_interval_ns", kind="duration", default="5s", unit="duration",
        least="0", most="1h",
        meaning="The least time between two moves of the window, unless a side is empty.",
    ),
    Setting(
        path="window.resize_after", field="resize_after_ns", kind="duration", default="5s", unit="duration",
        least="0", most="1h",
        meaning="How often at most an order is resized while the order that feeds it still fills.",
    ),
    Setting(
        path="orders.order_life", field="order_life_ns", kind="duration", default="4h", unit="duration",
        least="0", most="30d",
        meaning="When a resting order expires by itself, should the bot be gone; renewed at half of it. 0 = never.",
    ),
    Setting(
        path="orders.missed", field="missed", kind="choice", default="wait", unit="",
        choices=("wait", "take"),
        meaning="What a cell does that the price went over without a fill: wait for its return, or take at the market.",
    ),
    Setting(
        path="orders.slippage", field="slippage_e4", kind="ratio", default="0.005", unit="of the price",
        least="0", most="0.005", above_zero=True,
        meaning="How much worse than the price an order may fill that takes: entries, missed cells, closing.",
    ),
    Setting(
        path="orders.sol_budget", field="sol_budget_lamports", kind="sol", default="0.1", unit="SOL per day",
        least="0", most="1000",
        meaning="What renewals and rolls may cost per day (UTC); beyond it they wait for the next. 0 = no limit.",
    ),
    Setting(
        path="orders.transaction_cost", field="transaction_lamports", kind="sol", default="0.00001", unit="SOL",
        least="0", most="1", above_zero=True,
        meaning="What one transaction is taken to cost when it is counted against `sol_budget`.",
    ),
    Setting(
        path="stops.low", field="stop_low_e6", kind="price", default=DERIVED, unit="quote per base",
        least="0", most=PRICE_MAX, above_zero=True,
        meaning="At this price or below the whole position is closed, by an order that rests on the venue.",
    ),
    Setting(
        path="stops.high", field="stop_high_e6", kind="price", default=DERIVED, unit="quote per base",
        least="0", most=PRICE_MAX, above_zero=True,
        meaning="At this price or above the whole position is closed, by an order that rests on the venue.",
    ),
    Setting(
        path="stops.take_profit", field="take_profit_e6", kind="price", default=DERIVED, unit="quote per base",
        least="0", most=PRICE_MAX, above_zero=True,
        meaning="When the price reaches this the position is closed and the grid stops.",
    ),
    Setting(
        path="stops.take_profit_pnl", field="take_profit_pnl_e4", kind="ratio", default=DERIVED, unit="of capital",
        least="0", most="100", above_zero=True,
        meaning="When total PnL reaches this share of capital the position is closed and the grid stops.",
    ),
    Setting(
        path="risk.enabled", field="risk_enabled", kind="flag", default="true", unit="",
        choices=("true", "false"),
        meaning="Whether the grid stops itself at `max_drawdown`.",
    ),
    Setting(
        path="risk.max_drawdown", field="max_drawdown_e4", kind="ratio", default="0.15", unit="of capital",
        least="0", most="1", above_zero=True,
        meaning="The loss from its peak at which the grid stops itself; it warns at half, only reduces from 75 %.",
    ),
    Setting(
        path="risk.price_age_max", field="price_age_max_ns", kind="duration", default="30s", unit="duration",
        least="1s", most="1h",
        meaning="A price older than this is stale: nothing new is placed until a fresh one comes.",
    ),
    Setting(
        path="risk.on_red", field="on_red", kind="choice", default="hold", unit="",
        choices=("hold", "flatten"),
        meaning="What happens at `max_drawdown` besides cancelling: the position is held, or closed.",
    ),
    Setting(
        path="risk.cool_down", field="cool_down_ns", kind="duration", default="10m", unit="duration",
        least="0", most="7d",
        meaning="How long after the grid stopped itself a person may resume it at the earliest.",
    ),
    Setting(
        path="risk.daily_loss", field="daily_loss_e4", kind="ratio", default=DERIVED, unit="of capital",
        least="0", most="1", above_zero=True,
        meaning="The loss within one day (UTC) at which the grid stops itself. Left out: none.",
    ),
    Setting(
        path="risk.failures", field="failures_max", kind="count", default="10", unit="count", least="0", most="1000",
        meaning="So many failed or expired placements in a row, no fill between, stop the grid. 0 = never.",
    ),
    Setting(
        path="risk.burst_fills", field="burst_fills", kind="count", default="0", unit="count", least="0", most="100000",
        meaning="So many fills within `burst_window` stop the grid. 0 = never.",
    ),
    Setting(
        path="risk.burst_window", field="burst_window_ns", kind="duration", default="10s", unit="duration",
        least="1s", most="1h",
        meaning="What `burst_fills` is counted over; windows follow each other without a gap.",
    ),
    Setting(
        path="risk.confidence_max", field="confidence_max_e4", kind="ratio", default="0.02", unit="of the price",
        least="0", most="1", above_zero=True,
        meaning="An oracle less certain than this pauses placing until it is certain again.",
    ),
    Setting(
        path="risk.divergence_max", field="divergence_max_e4", kind="ratio", default="0.05", unit="of the price",
        least="0", most="1", above_zero=True,
        meaning="The market's middle farther than this from the oracle pauses placing until they meet again.",
    ),
    Setting(
        path="risk.pump_move", field="pump_move_e4", kind="ratio", default=DERIVED, unit="of the price",
        least="0", most="1", above_zero=True,
        meaning="A move within a minute beyond this and four times the usual one pauses the grid. "
        "Left out: 0.015 for one that trails or recenters, else never.",
    ),
    Setting(
        path="risk.pump_pause", field="pump_pause_ns", kind="duration", default="5m", unit="duration",
        least="1s", most="1d",
        meaning="How long the grid waits after such a move.",
    ),
    Setting(
        path="range.below", field="range_below", kind="choice", default="hold", unit="",
        choices=("hold", "trail", "recenter", "reduce", "close"),
        meaning="What happens when the price falls out of the range: wait, follow, rebuild around it, reduce, or stop.",
    ),
    Setting(
        path="range.above", field="range_above", kind="choice", default="hold", unit="",
        choices=("hold", "trail", "recenter", "reduce", "close"),
        meaning="What happens when the price rises out of the range.",
    ),
    Setting(
        path="range.reduce_share", field="reduce_share_e4", kind="ratio", default="0.5", unit="of the position",
        least="0", most="1", above_zero=True,
        meaning="How much of the position `reduce` gives up each time the range is left.",
    ),
    Setting(
        path="range.recenter_after", field="recenter_after_ns", kind="duration", default="10m", unit="duration",
        least="1s", most="30d",
        meaning="The least time between two rebuildings by `recenter`, and after an edit.",
    ),
    Setting(
        path="trailing.up_limit", field="trail_up_limit_e6", kind="price", default=DERIVED, unit="quote per base",
        least="0", most=PRICE_MAX, above_zero=True,
        meaning="How far up the grid follows the price, one interval at a time; needed where `above` is trail.",
    ),
    Setting(
        path="trailing.down_limit", field="trail_down_limit_e6", kind="price", default=DERIVED, unit="quote per base",
        least="0", most=PRICE_MAX, above_zero=True,
        meaning="How far down the grid follows the price; needed where `below` is trail.",
    ),
    Setting(
        path="trailing.fixed_floor", field="fixed_floor", kind="flag", default="false", unit="",
        choices=("true", "false"),
        meaning="Trailing up leaves the floor where it is and adds cells above: an infinity grid, with equal quote.",
    ),
    Setting(
        path="compound.every", field="compound_every_e4", kind="ratio", default=DERIVED, unit="of capital",
        least="0", most="1", above_zero=True,
        meaning="Sizes grow each time grid profit has grown by this share of capital. Left out: they stay.",
    ),
    Setting(
        path="flags.canary_share", field="canary_share_e4", kind="ratio", default="0.05", unit="of each size",
        least="0", most="1", above_zero=True,
        meaning="How large orders are while the grid is flagged canary.",
    ),
    Setting(
        path="flags.canary_for", field="canary_for_ns", kind="duration", default="1d", unit="duration",
        least="1s", most="30d",
        meaning="After this time a canary grid trades its whole sizes again.",
    ),
)  # fmt: skip
"""All settings of a grid file, in the order of the page and of a file."""

EXAMPLE = """\
[grid]
id = "sol-range"
market = "SOL-PERP"
account = "main"
lower = "120"
upper = "180"
intervals = 100
spacing = "geometric"
size = { base = "0.1" }
leverage = "3"

[window]
live_orders = 28
reserve = 4

[orders]
order_life = "4h"

[risk]
max_drawdown = "0.15"
"""
"""A grid file that is sound."""
