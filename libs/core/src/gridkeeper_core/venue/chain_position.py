"""Changes a perp position by fills, fees and settlement exactly as the Drift program does, integer by integer.

Signs are the account's: a buy adds base (1e-9) and takes quote (1e-6). Divisions round towards zero, as on the chain.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from gridkeeper_core.units import div_trunc


class Position(Protocol):
    """The four amounts a position consists of; any msgspec struct with these fields will do (`PositionState`)."""

    @property
    def base_e9(self) -> int: ...
    @property
    def quote_asset_e6(self) -> int: ...
    @property
    def quote_entry_e6(self) -> int: ...
    @property
    def quote_break_even_e6(self) -> int: ...


P = TypeVar("P", bound=Position)


def apply_fill(position: P, base_delta_e9: int, quote_delta_e6: int) -> tuple[P, int]:
    """The position after a fill, and the PnL (before fees) the fill realised.

    A buy has positive base and negative quote. A change without base moves only `quote_asset_e6` and is realised whole.
    """
    base, entry, even = position.base_e9, position.quote_entry_e6, position.quote_break_even_e6
    realized = 0
    if base_delta_e9 == 0:
        realized = quote_delta_e6
    elif base == 0 or (base > 0) == (base_delta_e9 > 0):
        entry += quote_delta_e6
        even += quote_delta_e6
    elif abs(base_delta_e9) <= abs(base):
        entry -= div_trunc(entry * abs(base_delta_e9), abs(base))
        even -= div_trunc(even * abs(base_delta_e9), abs(base))
        realized = position.quote_entry_e6 - entry + quote_delta_e6
    else:
        # The part of the fill that closes the old position is realised; the rest opens the other side.
        entry = even = quote_delta_e6 - div_trunc(quote_delta_e6 * abs(base), abs(base_delta_e9))
        realized = position.quote_entry_e6 + quote_delta_e6 - entry
    changed = _replace(
        position,
        base_e9=base + base_delta_e9,
        quote_asset_e6=position.quote_asset_e6 + quote_delta_e6,
        quote_entry_e6=entry,
        quote_break_even_e6=even,
    )
    return changed, realized


def apply_fee(position: P, fee_e6: int) -> P:
    """The position after paying `fee_e6` (negative: a rebate was received); never touches the entry amount."""
    return apply_quote(position, -fee_e6)


def apply_quote(position: P, quote_e6: int) -> P:
    """The position after a fee, rebate or funding payment of `quote_e6`; positive is received.

    A flat position has no break-even to move, so that what the fill that closed it cost is in `quote_asset_e6` alone
    (controller/position.rs `update_quote_break_even_amount`).
    """
    even_e6 = position.quote_break_even_e6 + (quote_e6 if position.base_e9 else 0)
    return _replace(position, quote_asset_e6=position.quote_asset_e6 + quote_e6, quote_break_even_e6=even_e6)


def apply_settlement(position: P, quote_e6: int) -> P:
    """The position after `quote_e6` of its PnL moved into the deposit (negative: out of it)."""
    return _replace(position, quote_asset_e6=position.quote_asset_e6 - quote_e6)


def unrealized_pnl_e6(position: Position, oracle_e6: int) -> int:
    """What the position is worth at the oracle price, everything unsettled in it included (quote 1e-6)."""
    return div_trunc(position.base_e9 * oracle_e6, 10**9) + position.quote_asset_e6


def _replace(position: P, **changes: int) -> P:
    # msgspec types its `replace` by a private struct type that a protocol cannot name.
    return msgspec.structs.replace(position, **changes)  # type: ignore[type-var]
