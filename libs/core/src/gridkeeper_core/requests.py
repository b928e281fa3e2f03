"""What the command and the services say to each other by request and reply; amounts stay integers on this wire."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.inputs import CommandBody


class CommandRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A command to one stream. The same `key` again repeats the first answer."""

    key: Annotated[str, msgspec.Meta(min_length=1)]
    author: Annotated[str, msgspec.Meta(min_length=1)]
    reason: str
    body: CommandBody


class CommandReply(msgspec.Struct, frozen=True, kw_only=True):
    """What the command led to, after its commit: the target's stream and version, and the facts' topics."""

    stream: str
    version: int
    topics: tuple[str, ...]


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order the grid has on the venue or on its way there."""

    intent_id: str
    side: str
    cell: int
    price_e6: int
    size_e9: int
    filled_e9: int
    unwanted: str
    kind: str = ""


class LevelView(msgspec.Struct, frozen=True, kw_only=True):
    """A level and why its order is live or not: `code` ORDER (live), GAP (none is wanted) or a reason code.

    `until_ns` is when the reason ends by time alone (0: unknown); `detail` adds the numbers.
    """

    level: int
    price_e6: int
    side: str
    cell: int
    size_e9: int
    code: str
    meaning: str
    intent_id: str
    until_ns: int
    detail: str


class PauseView(msgspec.Struct, frozen=True, kw_only=True):
    """Why a grid does not trade, in whose words; a rejected grid has the reason of its rejection here."""

    code: str
    meaning: str
    told: str


class GridView(msgspec.Struct, frozen=True, kw_only=True):
    """A grid as strategy sees it. `wanted_orders` is how many should be live, `gap` the level without an order."""

    id: str
    market: str
    account: str
    state: str
    reasons: tuple[str, ...]
    price_e6: int | None
    price_ns: int | None
    gap: int | None
    position_e9: int
    fills: int
    turns: int
    cash_e6: int
    fees_e6: int
    live_orders: int
    wanted_orders: int
    lower_e6: int
    upper_e6: int
    range_left: str


class GridDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One grid with its levels, cells and orders, and the text of its file."""

    view: GridView
    levels_e6: tuple[int, ...]
    sizes_e9: tuple[int, ...]
    held_e9: tuple[int, ...]
    cycles: tuple[int, ...]
    orders: tuple[OrderView, ...]
    source: str
    reasons: tuple[LevelView, ...] = ()
    pauses: tuple[PauseView, ...] = ()
    flag: str = "live"
    flag_until_ns: int = 0


class EditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of a grid with other settings; nothing is changed."""

    id: str
    config: GridConfig


class EditView(msgspec.Struct, frozen=True, kw_only=True):
    """A grid before and after other settings: levels (1e-6), cells, orders cancelled and placed, margin (quote 1e-6).

    `is_instant` says that no order is touched. Order slots are those of the account that the grid has, and needs.
    """

    levels_before_e6: tuple[int, ...]
    levels_after_e6: tuple[int, ...]
    sizes_before_e9: tuple[int, ...]
    sizes_after_e9: tuple[int, ...]
    held_before_e9: int
    held_after_e9: int
    cancelled: tuple[OrderView, ...]
    placed: tuple[OrderView, ...]
    margin_before_e6: int
    margin_after_e6: int
    is_instant: bool
    slots_before: int = 0
    slots_after: int = 0


class FundingView(msgspec.Struct, frozen=True, kw_only=True):
    """A market's funding as the venue set it at `at_ns`: what longs pay shorts per hour (1e-9 of notional)."""

    market: str
    paid_hour_e9: int
    at_ns: int


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """A position as execution's record has it."""

    market: str
    base_e9: int
    quote_entry_e6: int
    quote_asset_e6: int
    quote_break_even_e6: int


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account as execution sees it.

    `guards` and `warnings` say what a standing check found, `differences` what venue and record say differently, and
    `foreign_orders` are the ids of open orders that no intent explains.
    """

    alias: str
    phase: str
    differs: bool
    halted: str
    open_orders: int
    free_slots: int
    in_flight: str
    deposit_e6: int
    positions: tuple[PositionView, ...]
    grids: tuple[str, ...]
    lamports_spent: int
    guards: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    foreign_orders: tuple[int, ...] = ()


class Heads(msgspec.Struct, frozen=True, kw_only=True):
    """One instant of a service: the digest of every state, and every stream's version and last hash."""

    service: str
    head_id: int
    digests: dict[str, str]
    streams: dict[str, tuple[int, str]]


class GridQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which grid; empty = all."""

    id: str = ""


class Polled(msgspec.Struct, frozen=True, kw_only=True):
    """How many transactions a walk over the chain met."""

    transactions: int


class ChannelState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a channel has got: messages that wait, the id of the last delivered, why the newest try failed."""

    channel: str
    waiting: int
    delivered: str
    trouble: str
