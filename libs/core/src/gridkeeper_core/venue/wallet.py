"""What a finalized transaction did to the SOL of a wallet, and what for: rent, a transfer, an airdrop, or fees only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gridkeeper_core.events import SolMoved
from gridkeeper_core.venue.words import SolKind

SYSTEM_PROGRAM = "11111111111111111111111111111111"
COMPUTE_BUDGET_PROGRAM = "ComputeBudget111111111111111111111111111111"
BASE_FEE_LAMPORTS = 5_000
"""What the chain takes for each signature; whatever a payer paid above it is the priority fee."""
_MOVES_ONLY = frozenset({SYSTEM_PROGRAM, COMPUTE_BUDGET_PROGRAM})


class Balance(msgspec.Struct, frozen=True):
    """Lamports of one account before and after a transaction."""

    key: str
    before: int
    after: int


def sol_moved(
    wallet: str,
    balances: Sequence[Balance],
    programs: frozenset[str],
    *,
    fee_payer: str,
    fee_lamports: int,
    signatures: int,
    signature: str,
    slot: int,
    faucets: frozenset[str] = frozenset(),
) -> SolMoved:
    """What the transaction did to `wallet`. `programs` are those it calls itself; `faucets` give SOL for nothing."""
    others = [balance for balance in balances if balance.key != wallet]
    own = next((b for b in balances if b.key == wallet), Balance(wallet, 0, 0))
    paid = fee_lamports if fee_payer == wallet else 0
    base = min(paid, BASE_FEE_LAMPORTS * signatures)
    moved = own.after - own.before + paid
    return SolMoved(
        kind=_kind(moved, others, programs, is_faucet=fee_payer in faucets),
        before_lamports=own.before,
        after_lamports=own.after,
        fee_lamports=base,
        priority_lamports=paid - base,
        signature=signature,
        slot=slot,
    )


def _kind(moved: int, others: Iterable[Balance], programs: frozenset[str], *, is_faucet: bool) -> SolKind:
    if moved == 0:
        return "fee"
    if is_faucet and moved > 0:
        return "airdrop"
    if programs <= _MOVES_ONLY:
        return "transfer_in" if moved > 0 else "transfer_out"
    # A program's account that appears holds its rent from the start on; one that goes gives it back whole.
    opened = sum(other.after for other in others if other.before == 0)
    closed = sum(other.before for other in others if other.after == 0)
    if moved == -opened:
        return "rent_paid"
    return "rent_returned" if moved == closed else "program"
