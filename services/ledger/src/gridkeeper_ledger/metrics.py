"""The series only the ledger has: what each grid earned, of which parts, and whether the books are proven."""

from __future__ import annotations

from prometheus_client import Gauge

from gridkeeper_core.ledger.state import LedgerState
from gridkeeper_core.ledger.views import grid_view

PNL = Gauge(
    "gridkeeper_pnl_quote",
    "Result of a grid in quote: grid_profit, realized, unrealized, fees (negative: paid), funding, total.",
    ["grid", "part"],
)
RESIDUAL = Gauge(
    "gridkeeper_books_residual_quote", "Equity by the venue less equity from events, at the last proof.", ["account"]
)
PROVEN_SLOT = Gauge("gridkeeper_books_proven_slot", "Slot of the last equity proof.", ["account"])
SOL_RESIDUAL = Gauge(
    "gridkeeper_books_residual_sol", "SOL of a wallet by the chain less what its transactions add up to.", ["wallet"]
)
_E6 = 1e6
_LAMPORTS_PER_SOL = 1e9


def measure(state: LedgerState) -> None:
    """Set the series anew, so that a grid that ended leaves nothing behind."""
    PNL.clear()
    for grid_id in state.grids:
        result = grid_view(state, grid_id).result
        parts = {
            "grid_profit": result.grid_profit_e6,
            "realized": result.realized_pnl_e6,
            "unrealized": result.unrealized_pnl_e6,
            "fees": -result.fees_e6,
            "funding": result.funding_e6,
            "total": result.total_pnl_e6,
        }
        for part, amount_e6 in parts.items():
            PNL.labels(grid_id, part).set(amount_e6 / _E6)
    for alias, account in state.accounts.items():
        if account.last_proof is not None:
            RESIDUAL.labels(alias).set(account.last_proof.residual_e6 / _E6)
            PROVEN_SLOT.labels(alias).set(account.last_proof.slot)
    for wallet, books in state.wallets.items():
        if books.last_proof is not None:
            SOL_RESIDUAL.labels(wallet).set(books.last_proof.residual_lamports / _LAMPORTS_PER_SOL)
