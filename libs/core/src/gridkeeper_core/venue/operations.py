"""What the venue's admin can pause, as the bits the program keeps: for the whole exchange, and for one market."""

from __future__ import annotations

from enum import IntFlag

from gridkeeper_core.venue.errors import VenueCode, VenueError


class Exchange(IntFlag):
    """Bits of `State.exchange_status`; all of them together stop placing and cancelling as well."""

    DEPOSIT = 1
    WITHDRAW = 2
    AMM = 4
    FILL = 8
    LIQUIDATION = 16
    FUNDING = 32
    SETTLE_PNL = 64
    AMM_IMMEDIATE_FILL = 128
    EVERYTHING = 255


class MarketOperation(IntFlag):
    """Bits of `PerpMarket.paused_operations`."""

    UPDATE_FUNDING = 1
    AMM_FILL = 2
    FILL = 4
    SETTLE_PNL = 8
    SETTLE_PNL_WITH_POSITION = 16
    LIQUIDATION = 32
    AMM_IMMEDIATE_FILL = 64
    SETTLE_REVENUE_POOL = 128


def is_paused(exchange_status: int, operation: Exchange) -> bool:
    """Whether the whole exchange has stopped it."""
    return exchange_status != 0 and exchange_status & operation == operation


def require(exchange_status: int, operation: Exchange) -> None:
    """Raises VenueError 6024 where the exchange has stopped it."""
    if is_paused(exchange_status, operation):
        raise VenueError(VenueCode.EXCHANGE_PAUSED, str(operation.name))
