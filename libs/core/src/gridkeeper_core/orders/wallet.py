"""What execution records of a wallet: every finalized transaction that changed its SOL, and the balance behind them."""

from __future__ import annotations

import msgspec

from gridkeeper_core.digest import digest_of
from gridkeeper_core.events import SolCounted, SolMoved
from gridkeeper_core.inputs import WalletRead


class WalletState(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet as recorded last: where its next reading begins, and what it held there."""

    cursor: str = ""
    slot: int = 0
    lamports: int = 0
    accounts: tuple[str, ...] = ()
    is_counted: bool = False


def wallet_read(state: WalletState, item: WalletRead) -> list[SolMoved | SolCounted]:
    """The facts of a reading; none where it shows nothing new."""
    counted = SolCounted(lamports=item.lamports, slot=item.slot, cursor=item.cursor, accounts=item.accounts)
    if not state.is_counted:
        return [counted]  # what came before is in the first count
    told = (state.lamports, state.cursor, state.accounts)
    if not item.moves and told == (item.lamports, item.cursor, item.accounts):
        return []
    return [*item.moves, counted]


def fold_wallet(state: WalletState, fact: SolMoved | SolCounted) -> WalletState:
    """The state after one more fact of the wallet's stream."""
    if isinstance(fact, SolMoved):
        return msgspec.structs.replace(state, cursor=fact.signature, slot=fact.slot, lamports=fact.after_lamports)
    return WalletState(
        cursor=fact.cursor, slot=fact.slot, lamports=fact.lamports, accounts=fact.accounts, is_counted=True
    )


def wallet_digest(state: WalletState) -> str:
    """`digest_v1` of a wallet."""
    return digest_of(
        1,
        {"cursor": state.cursor, "slot": state.slot, "lamports": state.lamports, "accounts": state.accounts},
    )
