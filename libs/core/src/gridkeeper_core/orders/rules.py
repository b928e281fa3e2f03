"""What an owner allows execution to do with one account, and what it is to watch there."""

from __future__ import annotations

import msgspec

from gridkeeper_core.events import LimitsSet


class AccountRules(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one account (quote 1e-6). The `limits` are recorded when they change.

    Profit above `settle_above_e6` is settled by itself; None: never. A chain that is only a model has no wallet worth
    watching and no clock but ours: `watches_sol` and `watches_clock` are for real ones.
    """

    limits: LimitsSet = LimitsSet()
    settle_above_e6: int | None = None
    watches_sol: bool = False
    watches_clock: bool = False
