"""The root of all facts and the words they share."""

from __future__ import annotations

from typing import Literal

import msgspec

Side = Literal["buy", "sell"]
PostOnly = Literal["must", "try", "none"]
OrderType = Literal["limit", "market", "trigger_market", "trigger_limit"]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """The root of all facts; carries nothing."""
