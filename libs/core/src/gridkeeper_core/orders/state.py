"""What execution knows of one account: a frozen value, folded from its `account:` and `tx:` streams."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.events import CancelRef, PositionState, PostOnly, Side, WantedOrder

SLOTS = 32
"""Open orders a Drift sub-account can hold (MAX_OPEN_ORDERS in the program's constants)."""
USER_ORDER_IDS = 255
"""`user_order_id` is a u8 and 0 means none."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One placement of an intent, from the decision to the proof that it is over.

    Without `order_id` its transaction has not been seen to land. `cancel_why` is set once the order is to go.
    """

    intent_id: str
    attempt: int
    user_order_id: int
    market: str
    market_index: int
    cell: int
    side: Side
    price_e6: int
    size_e9: int
    filled_e9: int
    post_only: PostOnly
    reduce_only: bool
    max_ts: int
    signature: str
    order_id: int | None = None
    cancel_why: str = ""

    @property
    def left_e9(self) -> int:
        """What is not filled yet."""
        return self.size_e9 - self.filled_e9


class QueuedWant(msgspec.Struct, frozen=True, kw_only=True):
    """A wanted order that waits for its turn."""

    want: WantedOrder
    market: str
    reference_e6: int
    price_seq: int


class InFlight(msgspec.Struct, frozen=True, kw_only=True):
    """The one transaction whose outcome is open. Its bytes are sent until it landed or can never land."""

    signature: str
    bytes_base64: str
    last_valid_block_height: int
    places: tuple[str, ...]
    cancels: tuple[CancelRef, ...]


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """Order slots that a grid may use."""

    slots: int
    market: str


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """One account. `attempts` holds open attempts by intent; `seen` the venue's records since the cursor, with slot.

    What happened up to `baseline_slot` is in the first snapshot.
    """

    alias: str
    phase: Literal["recovering", "live"] = "recovering"
    differs: bool = False
    halted: str = ""
    attempts: dict[str, Attempt] = {}
    queued: dict[str, QueuedWant] = {}
    in_flight: InFlight | None = None
    reservations: dict[str, Reservation] = {}
    positions: dict[int, PositionState] = {}
    deposit_e6: int = 0
    seen: dict[tuple[str, int], int] = {}
    foreign: frozenset[int] = frozenset()
    has_baseline: bool = False
    baseline_slot: int = 0
    cursor: str = ""
    cursor_slot: int = 0
    snapshot_ns: int = 0
    next_attempt: int = 1
    last_user_order_id: int = 0
    found_fills: int = 0
    found_closed: int = 0
    lamports_spent: int = 0

    @property
    def may_place(self) -> bool:
        """Whether risk-increasing orders may be sent at all."""
        return self.phase == "live" and not self.differs and not self.halted

    @property
    def has_work(self) -> bool:
        """Whether something waits to be placed or cancelled and no transaction is under way."""
        return self.in_flight is None and (bool(self.queued) or any(a.cancel_why for a in self.attempts.values()))


def fill_key(market_index: int, fill_record_id: int) -> tuple[str, int]:
    """The key under which a fill is known; unique for ever on the venue."""
    return (f"fill:{market_index}", fill_record_id)


def flat_position(market: str, market_index: int) -> PositionState:
    """A position before its first fill."""
    return PositionState(
        market=market,
        market_index=market_index,
        base_e9=0,
        quote_asset_e6=0,
        quote_entry_e6=0,
        quote_break_even_e6=0,
        oracle_e6=0,
    )
