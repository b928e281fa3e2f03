"""The words and integers of the venue that recorded facts share with its narrow port."""

from __future__ import annotations

from typing import Literal

import msgspec

Side = Literal["buy", "sell"]
PostOnly = Literal["must", "try", "none"]
OrderType = Literal["limit", "market", "trigger_market", "trigger_limit"]
SolKind = Literal["fee", "rent_paid", "rent_returned", "transfer_in", "transfer_out", "airdrop", "program"]
"""What moved the SOL of a wallet besides fees; "program": whatever else the programs of a transaction did."""


class PositionState(msgspec.Struct, frozen=True, kw_only=True):
    """A perp position in the venue's own integers (signed, base 1e-9, quote 1e-6)."""

    market: str
    market_index: int
    base_e9: int
    quote_asset_e6: int
    quote_entry_e6: int
    quote_break_even_e6: int
    oracle_e6: int
    unsettled_funding_e6: int = 0
