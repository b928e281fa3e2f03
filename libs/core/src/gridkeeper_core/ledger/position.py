"""The grid's own position: the chain's four integers for what this grid alone has bought, sold, paid and received."""

from __future__ import annotations

import msgspec

from gridkeeper_core.units import E9, div_trunc


class LedgerPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position in the chain's integers, changed only by the functions of `venue.chain_position`.

    `quote_asset_e6` includes fees and funding, `quote_entry_e6` does not (the cost basis, negative for a long
    position), `quote_break_even_e6` is the entry with fees and funding.
    """

    base_e9: int = 0
    quote_asset_e6: int = 0
    quote_entry_e6: int = 0
    quote_break_even_e6: int = 0


def value_e6(base_e9: int, price_e6: int) -> int:
    """Signed base at a price, in quote 1e-6, rounded towards zero as the chain does."""
    return div_trunc(base_e9 * price_e6, E9)


def held_at_price(base_e9: int, price_e6: int) -> LedgerPosition:
    """A position as if it had been entered at this price without a fee."""
    cost_e6 = value_e6(base_e9, price_e6)
    return LedgerPosition(
        base_e9=base_e9, quote_asset_e6=-cost_e6, quote_entry_e6=-cost_e6, quote_break_even_e6=-cost_e6
    )


def average_entry_e6(position: LedgerPosition) -> int | None:
    """The weighted average entry price (1e-6), rounded towards zero; None while flat."""
    return _price_e6(position.quote_entry_e6, position.base_e9)


def break_even_e6(position: LedgerPosition) -> int | None:
    """The price (1e-6) at which closing would earn nothing after fees and funding so far; None while flat."""
    return _price_e6(position.quote_break_even_e6, position.base_e9)


def _price_e6(quote_e6: int, base_e9: int) -> int | None:
    return div_trunc(-quote_e6 * E9, base_e9) if base_e9 else None
