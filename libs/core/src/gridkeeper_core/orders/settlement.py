"""Settling PnL into the deposit: one at a time for an account, whoever asks for it, and best effort."""

from __future__ import annotations

from typing import Literal

from gridkeeper_core import events as e
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.orders.decide import AccountDecision
from gridkeeper_core.orders.state import AccountState

SETTLE_AGAIN_NS = 600 * 10**9
"""What was settled, or refused, is not tried again at once: a failure such as 6260 is normal and lasts."""


def unsettled_e6(state: AccountState) -> dict[int, int]:
    """What settling could move into the deposit, by market (quote 1e-6, above zero)."""
    found = {i: p.quote_asset_e6 - (p.quote_entry_e6 if p.base_e9 else 0) for i, p in state.positions.items()}
    return {i: amount for i, amount in found.items() if amount > 0}


def want(d: AccountDecision, why: Literal["above", "margin"]) -> None:
    """Settle by ourselves, where there is anything and it was not tried just now."""
    markets = tuple(unsettled_e6(d.state))
    is_recent = bool(d.state.settled_ns) and d.now_ns - d.state.settled_ns < SETTLE_AGAIN_NS
    if markets and d.state.settlement is None and not is_recent:
        d.add(e.SettlementWanted(why=why, markets=markets))


def ended(d: AccountDecision, error_code: int | None, error: str) -> None:
    settlement = d.state.settlement
    if settlement is None:
        return
    d.add(
        e.SettlementEnded(
            markets=settlement.markets, quote_e6=settlement.settled_e6, error_code=error_code, error=error
        )
    )


def by_command(d: AccountDecision, market: str, author: str, reason: str) -> None:
    """A person wants it settled; with one under way already, this caller gets the same result.

    Raises GridkeeperError MARKET_UNKNOWN, or GRID_STATE where there is nothing that could be settled.
    """
    if market and market not in d.markets.specs:
        raise GridkeeperError("MARKET_UNKNOWN", field="market", value=market)
    # The venue refuses the whole transaction for one market where it keeps no position any more.
    kept = {index for index, p in d.state.positions.items() if p.base_e9 or p.quote_asset_e6}
    markets = tuple(sorted(kept & {d.markets.specs[market].index} if market else kept))
    if d.state.settlement is not None:
        markets = d.state.settlement.markets
    if not markets:
        raise GridkeeperError("NOTHING_TO_SETTLE", field="account", value=d.state.alias)
    d.add(e.SettlementWanted(why="command", markets=markets, author=author, reason=reason, asked_market=market))


def above(d: AccountDecision, settle_above_e6: int | None) -> None:
    """What is unsettled is profit the account cannot trade with: too much of it is settled."""
    if settle_above_e6 is not None and sum(unsettled_e6(d.state).values()) > settle_above_e6:
        want(d, "above")
