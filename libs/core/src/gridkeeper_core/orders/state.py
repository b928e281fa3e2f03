"""What execution knows of one account: a frozen value, folded from its `account:` and `tx:` streams."""

from __future__ import annotations

from typing import Literal

import msgspec

from gridkeeper_core.events import (
    CancelRef,
    Difference,
    FillProven,
    InterestPaid,
    LimitsSet,
    PositionState,
    WantedOrder,
)
from gridkeeper_core.market import MarketSpec
from gridkeeper_core.orders.lifecycle import Attempt
from gridkeeper_core.orders.seen import Seen

SLOTS = 32
"""Open orders a Drift sub-account can hold (MAX_OPEN_ORDERS in the program's constants)."""
USER_ORDER_IDS = 255
"""`user_order_id` is a u8 and 0 means none."""
FILLED_BEFORE = "FILLED_BEFORE"
"""Why an intent is not placed, or not left open, that an earlier attempt filled."""


class QueuedWant(msgspec.Struct, frozen=True, kw_only=True):
    """A wanted order that waits for its turn."""

    want: WantedOrder
    market: str
    reference_e6: int
    price_seq: int


class InFlight(msgspec.Struct, frozen=True, kw_only=True):
    """The one transaction whose outcome is open. Its bytes are sent until it landed or can never land.

    Once it landed, `slot` says where, and `is_cut` that its log may lack what it placed.
    """

    signature: str
    bytes_base64: str
    last_valid_block_height: int
    places: tuple[str, ...]
    cancels: tuple[CancelRef, ...]
    foreign: tuple[int, ...] = ()
    purpose: str = "roll"
    slot: int = 0
    is_cut: bool = False


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """Order slots that a grid may use, and the market as it was when they were granted."""

    slots: int
    market: str
    spec: MarketSpec | None = None
    leverage_e4: int = 0


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """What was found to differ once, at a slot."""

    slot: int
    differences: tuple[Difference, ...]


class ForeignOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An open order that no intent explains; `to_cancel` once a person said so."""

    order_id: int
    market_index: int
    user_order_id: int = 0
    to_cancel: bool = False


class Retired(msgspec.Struct, frozen=True, kw_only=True):
    """A closed attempt whose end could still be undone, because the transaction of its end is not final.

    Without `signature` it was read at `slot` that it is over, whatever ended it. `is_late`: it was filled after it was
    recorded as over, and its grid may not have heard of that when it wanted the intent anew.
    """

    attempt: Attempt
    signature: str
    slot: int
    is_late: bool = False

    def seen_over(self, slot: int, signature: str = "") -> Retired:
        """The same, known to be over at a later slot as well."""
        return self if slot <= self.slot else msgspec.structs.replace(self, slot=slot, signature=signature)


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """The one settlement that is wanted or under way."""

    markets: tuple[int, ...]
    settled_e6: int = 0


_UNSIGNED = (FillProven, InterestPaid)


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """One account. `attempts` holds open attempts by intent; `seen` the venue's records since the cursor, by their key.

    `positions` and `deposit_e6` are `final_positions` and `final_deposit_e6` plus what is `seen`, so that a record that
    finality leaves out can be taken back. What happened up to `baseline_slot` is in the first snapshot (or in what a
    person adopted), what happened up to `proven_slot` is booked even where its records were lost. `retired`, by
    attempt, and `landed`, by signature, are what could still be undone; `reverted` is what was, and may land again.
    `was_undone` says that something was since the last snapshot.
    """

    alias: str
    phase: Literal["recovering", "live"] = "recovering"
    differs: bool = False
    halted: str = ""
    attempts: dict[str, Attempt] = {}
    queued: dict[str, QueuedWant] = {}
    in_flight: InFlight | None = None
    reverted: tuple[InFlight, ...] = ()
    landed: tuple[InFlight, ...] = ()
    retired: dict[int, Retired] = {}
    orphans: dict[int, Attempt] = {}
    was_undone: bool = False
    reservations: dict[str, Reservation] = {}
    limits: LimitsSet = LimitsSet()
    positions: dict[int, PositionState] = {}
    deposit_e6: int = 0
    final_positions: dict[int, PositionState] = {}
    final_deposit_e6: int = 0
    seen: Seen = Seen()
    foreign: dict[int, ForeignOrder] = {}
    doubt: Doubt | None = None
    found: tuple[Difference, ...] = ()
    adoption: tuple[str, str] | None = None
    settlement: Settlement | None = None
    settled_ns: int = 0
    guards: dict[tuple[str, str], str] = {}
    warnings: dict[tuple[str, str], str] = {}
    sol_level: Literal["enough", "warn", "stop_placing"] = "enough"
    has_baseline: bool = False
    baseline_slot: int = 0
    proven_slot: int = 0
    interest_ns: int = 0
    cursor: str = ""
    cursor_slot: int = 0
    snapshot_ns: int = 0
    next_attempt: int = 1
    last_user_order_id: int = 0
    found_fills: int = 0
    found_closed: int = 0
    lamports_spent: int = 0
    first_spend_ns: int = 0

    @property
    def flights(self) -> tuple[InFlight, ...]:
        """Every transaction whose outcome is open: nothing is signed meanwhile."""
        return self.reverted if self.in_flight is None else (self.in_flight, *self.reverted)

    def not_final(self) -> dict[str, int]:
        """Transactions taken note of that the chain could still drop, with their slots."""
        moves = {move.signature: move.slot for move in self.seen.values() if not isinstance(move, _UNSIGNED)}
        landed = {flight.signature: flight.slot for flight in self.landed}
        ends = {over.signature: over.slot for over in self.retired.values() if over.signature}
        return {s: slot for s, slot in (moves | landed | ends).items() if slot > self.cursor_slot}

    @property
    def is_in_doubt(self) -> bool:
        """Whether only another reading of the account can tell how things stand."""
        unclear = any(a.cancel_tried for a in (*self.attempts.values(), *self.orphans.values()))
        flying = {flight.signature for flight in self.flights}
        unbound = any(a.order_id is None and a.signature not in flying for a in self.attempts.values())
        return self.doubt is not None or self.differs or self.adoption is not None or unclear or unbound

    @property
    def is_certain(self) -> bool:
        """Whether record and venue were compared since the boot, and agreed when they were last."""
        return self.phase == "live" and not self.differs and self.doubt is None

    @property
    def may_place(self) -> bool:
        """Whether risk-increasing orders may be sent at all."""
        is_guarded = bool(self.guards) and any(market == "" for _, market in self.guards)
        return self.is_certain and not self.halted and not is_guarded

    def may_place_in(self, market: str) -> bool:
        """Whether risk-increasing orders may be sent in a market."""
        return self.may_place and not (self.guards and any(guarded == market for _, guarded in self.guards))

    def free_slots(self, grid_id: str = "") -> int:
        """Order slots that nobody has; those of a grid that is named count as free."""
        reserved = sum(r.slots for grid, r in self.reservations.items() if grid != grid_id)
        return SLOTS - reserved - len(self.foreign)

    @property
    def has_work(self) -> bool:
        """Whether something waits to be placed or cancelled and no transaction is under way."""
        if self.in_flight is not None or self.reverted:
            return False
        if self.queued or self.settlement or any(not a.cancel_tried for a in self.orphans.values()):
            return True
        # Asked at every price: a loop costs half as much as `any` of a generator.
        for attempt in self.attempts.values():
            if attempt.cancel_why and not attempt.cancel_tried:
                return True
        return any(f.to_cancel for f in self.foreign.values())


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
