"""What the rules of a grid remember between decisions, folded from its facts: risk, pump guard, day, flag."""

from __future__ import annotations

from math import isqrt
from typing import Literal

import msgspec
from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.grid.config import GridConfig
from gridkeeper_core.prices.price import Price
from gridkeeper_core.units import E4, E6, NS_PER_S

Flag = Literal["shadow", "canary", "live"]

MINUTE_NS = 60 * NS_PER_S
FOLLOWERS_MOVE_E4 = 150
NOTES_PER_MOVE = 3
"""A price is noted when it moved by a third of the allowed move: so fine is the pump guard's eye."""
SPREAD_OVER = 60
"""Minutes over which the usual move of a minute is averaged."""
FAILED = ("failed", "expired")
"""Ways a placement can end that point at a fault, not at the market."""


class Note(msgspec.Struct, frozen=True):
    """A recorded price (1e-6) and its time."""

    ts_ns: int
    price_e6: int


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """`tier` and `cool_until_ns` of the risk limits; failures in a row; fills of the burst window; the day's start.

    `notes` are the prices in force during the last minute, oldest first; `variance_e12` is that of a minute's move
    (share of the price, 1e-6, squared). `reduce_to_e9` is set while the position is being reduced. `unplaced_e9` was
    traded outside of cells since their content was last built from the position. `sold_e6` is what sells brought above
    the lower level of their cells, fees of all fills off. `left_paused`: the price left the range during a pause, so
    what the range's policy does at that moment is still to be done.
    """

    tier: Literal["", "yellow", "orange", "red"] = ""
    cool_until_ns: int = 0
    failures: int = 0
    failed_ns: int = 0
    burst_ns: int = 0
    burst: int = 0
    day: int = -1
    day_base_e6: int = 0
    notes: tuple[Note, ...] = ()
    variance_e12: int = 0
    pump_until_ns: int = 0
    reduce_to_e9: int | None = None
    left_paused: bool = False
    unplaced_e9: int = 0
    sold_e6: int = 0
    compounded_e6: int = 0
    relaid_ns: int = 0
    flag: Flag = "live"
    flag_until_ns: int = 0
    size_share_e4: int = E4

    @property
    def sigma_e6(self) -> int:
        """What a minute usually moves the price, as a share of it (1e-6)."""
        return isqrt(self.variance_e12)


def seen(memory: Memory, price: Price, config: GridConfig) -> Memory:
    """After a recorded price: it is noted when it moved far enough since the last note."""
    allowed_e4 = move_allowed_e4(config)
    if allowed_e4 is None:
        return memory
    last = memory.notes[-1] if memory.notes else None
    if last is None:
        return replace(memory, notes=(Note(price.ts_ns, price.oracle_e6),))
    if not is_noted(last, price.oracle_e6, allowed_e4):
        return memory
    elapsed_ns = max(price.ts_ns - last.ts_ns, 1)
    move_e6 = (price.oracle_e6 - last.price_e6) * E6 // last.price_e6
    span_ns = SPREAD_OVER * MINUTE_NS
    variance = (memory.variance_e12 * span_ns + move_e6 * move_e6 * MINUTE_NS) // (span_ns + elapsed_ns)
    notes = (*in_force(memory.notes, price.ts_ns), Note(price.ts_ns, price.oracle_e6))
    return replace(memory, notes=notes, variance_e12=variance)


def move_allowed_e4(config: GridConfig) -> int | None:
    """The move within a minute that the pump guard allows at least (1e-4); None where it is off.

    It is for grids that follow the price: they would follow it to the end of a spike. One that stays lives on moves.
    """
    if not config.risk_enabled:
        return None
    if config.pump_move_e4 is not None:
        return config.pump_move_e4
    limits = (config.trail_up_limit_e6, config.trail_down_limit_e6)
    follows = limits != (None, None) or "recenter" in (config.range_below, config.range_above)
    return FOLLOWERS_MOVE_E4 if follows else None


def is_noted(last: Note, price_e6: int, allowed_e4: int) -> bool:
    """Whether a price is far enough from the last note to be one itself."""
    return abs(price_e6 - last.price_e6) * E4 * NOTES_PER_MOVE >= last.price_e6 * allowed_e4


def in_force(notes: tuple[Note, ...], now_ns: int) -> tuple[Note, ...]:
    """The notes of the last minute and the one before them, whose price held when the minute began."""
    first = next((i for i, note in enumerate(notes) if note.ts_ns > now_ns - MINUTE_NS), len(notes))
    return notes[max(first - 1, 0) :]


def gone(memory: Memory, fact: e.OrderGone, ts_ns: int) -> Memory:
    """After an order ended: orders of one transaction that fail together are one failure."""
    if fact.why not in FAILED or memory.failed_ns == ts_ns:
        return memory
    return replace(memory, failures=memory.failures + 1, failed_ns=ts_ns)


def filled(memory: Memory, fact: e.CellChanged, lower_e6: int, config: GridConfig, ts_ns: int) -> Memory:
    """After a fill of a cell whose lower level is `lower_e6`."""
    window_ns = ts_ns - ts_ns % config.burst_window_ns
    earned_e6 = fact.quote_e6 - lower_e6 * fact.filled_e9 // 10**9 if fact.side == "sell" else 0
    return replace(
        memory,
        failures=0,
        burst_ns=window_ns,
        burst=(memory.burst if memory.burst_ns == window_ns else 0) + (fact.filled_e9 > 0),
        sold_e6=memory.sold_e6 + earned_e6 - fact.fee_e6,
    )


def tripped(memory: Memory, fact: e.RiskTripped, cool_down_ns: int, ts_ns: int) -> Memory:
    """After a limit was reached; only the red tier has to cool down."""
    if fact.tier != "red":
        return replace(memory, tier=fact.tier)
    return replace(memory, tier="red", cool_until_ns=ts_ns + cool_down_ns)


def calmed(memory: Memory) -> Memory:
    """After the drawdown became small again by itself: the day's loss, failures and bursts count on."""
    return replace(memory, tier="", cool_until_ns=0)


def reset(memory: Memory) -> Memory:
    """After a person declared all limits to be in order."""
    return replace(memory, tier="", cool_until_ns=0, failures=0, burst=0, day=-1)
