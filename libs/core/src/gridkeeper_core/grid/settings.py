"""Every setting of a grid file, said once: the parser reads by this table and the settings page is written from it."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["id", "market", "choice", "price", "prices", "size", "count", "ratio", "quote", "duration", "flag"]

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
        meaning="How it starts: neutral holds nothing. long and short come with a later release and are refused now.",
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
        meaning="Orders that rest on the venue at a time, half on each side of the price.",
    ),
    Setting(
        path="window.reserve", field="reserve", kind="count", default="4", unit="count", least="0", most="30",
        meaning="Order slots of the sub-account that stay free. live_orders + reserve is at most 32.",
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
        path="risk.enabled", field="risk_enabled", kind="flag", default="true", unit="",
        choices=("true", "false"),
        meaning="Whether the grid stops itself at `max_drawdown`.",
    ),
    Setting(
        path="risk.max_drawdown", field="max_drawdown_e4", kind="ratio", default="0.15", unit="of capital",
        least="0", most="1", above_zero=True,
        meaning="The loss at which the grid cancels its orders and waits for a person.",
    ),
    Setting(
        path="risk.price_age_max", field="price_age_max_ns", kind="duration", default="30s", unit="duration",
        least="1s", most="1h",
        meaning="A price older than this is stale: nothing new is placed until a fresh one comes.",
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
