"""The root of all facts and the words they share."""

from __future__ import annotations

import msgspec

from gridkeeper_core.venue.words import OrderType, PostOnly, Side

__all__ = ["Fact", "OrderType", "PostOnly", "Side"]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """The root of all facts; carries nothing."""
