"""Funding as Drift pays it: how far the cumulative rate moved since the position last saw it, times its base."""

from __future__ import annotations

import msgspec

from gridkeeper_core.units import div_trunc
from gridkeeper_core.venue.chain_position import apply_quote
from gridkeeper_core.venue.state import Market, PerpPosition

_RATE_TIMES_BASE_PER_QUOTE = 10**12


def payment_e6(rate_change_e9: int, base_e9: int) -> int:
    """What a position receives (negative: pays) for a rate change (1e-9 quote per base); longs pay a positive rate."""
    return -div_trunc(rate_change_e9 * base_e9, _RATE_TIMES_BASE_PER_QUOTE)


def unsettled_e6(market: Market, position: PerpPosition) -> int:
    """What the position would receive if its funding were settled now."""
    return payment_e6(_rate_e9(market, position) - position.last_funding_rate_e9, position.base_e9)


def settle(market: Market, position: PerpPosition) -> tuple[PerpPosition, int]:
    """The position after its funding was settled, and the payment it received."""
    received = unsettled_e6(market, position)
    paid = apply_quote(position, received) if received else position
    return at_current_rate(market, paid), received


def at_current_rate(market: Market, position: PerpPosition) -> PerpPosition:
    """The position marked as having settled up to the market's present rate of its own side (0 where it is flat)."""
    rate = _rate_e9(market, position) if position.base_e9 else 0
    if rate == position.last_funding_rate_e9:
        return position
    return msgspec.structs.replace(position, last_funding_rate_e9=rate)


def _rate_e9(market: Market, position: PerpPosition) -> int:
    return market.funding_long_e9 if position.base_e9 > 0 else market.funding_short_e9
