"""What the venue's admin, or a failing oracle, may change of a market while the sandbox runs."""

from __future__ import annotations

from typing import Any

import msgspec

from gridkeeper_core.market import MarketSpec, MarketStatus
from gridkeeper_core.venue.state import Market, MarketRules


class MarketChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """New values, each in the unit of the field of the same name; None leaves one as it is.

    A frozen oracle keeps its price and grows stale, whatever rows come.
    """

    status: MarketStatus | None = None
    paused_operations: int | None = None
    tick_e6: int | None = None
    step_e9: int | None = None
    minimum_e9: int | None = None
    margin_ratio_initial_e4: int | None = None
    margin_ratio_maintenance_e4: int | None = None
    maker_fee_e5: int | None = None
    taker_fee_e5: int | None = None
    spread_bps: int | None = None
    slippage_bps: int | None = None
    price_band_e4: int | None = None
    stale_after_slots: int | None = None
    funding_rate_e9: int | None = None
    pnl_pool_e6: int | None = None
    is_frozen: bool | None = None
    confidence_e6: int | None = None


def changed(market: Market, change: MarketChange) -> Market:
    """The market with the new values."""
    wanted = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
    spec = msgspec.structs.replace(market.spec, **_of(MarketSpec, wanted))
    own = _of(Market, wanted)
    rules = msgspec.structs.replace(market.rules, spec=spec, **_of(MarketRules, wanted, but=own))
    return msgspec.structs.replace(market, rules=rules, **own)


def _of(kind: type[msgspec.Struct], wanted: dict[str, Any], *, but: dict[str, Any] | None = None) -> dict[str, Any]:
    return {name: wanted[name] for name in kind.__struct_fields__ if name in wanted and name not in (but or {})}
