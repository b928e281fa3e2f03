"""One wallet's books in lamports: every transaction that changed its SOL, against its balance by the chain."""

from __future__ import annotations

import msgspec

from gridkeeper_core.digest import digest_of
from gridkeeper_core.events import SolChecked, SolCounted, SolMoved, SolPosted


class WalletBooks(msgspec.Struct, frozen=True, kw_only=True):
    """What the postings add up to, in all and by kind (lamports, signed), and the last proof."""

    is_open: bool = False
    lamports: int = 0
    kinds: dict[str, int] = {}
    last_signature: str = ""
    last_proof: SolChecked | None = None


def posting_of(books: WalletBooks, fact: SolMoved) -> SolPosted | None:
    """What to post for a transaction; None where the books are not open, or it is the one posted last."""
    if not books.is_open or fact.signature == books.last_signature:
        return None
    paid = fact.fee_lamports + fact.priority_lamports
    return SolPosted(
        kind=fact.kind,
        moved_lamports=fact.after_lamports - fact.before_lamports + paid,
        fee_lamports=-fact.fee_lamports,
        priority_lamports=-fact.priority_lamports,
        signature=fact.signature,
        slot=fact.slot,
    )


def count_facts(books: WalletBooks, fact: SolCounted) -> SolPosted | SolChecked:
    """The opening at the first count; afterwards what the chain says against what the postings say."""
    if not books.is_open:
        return SolPosted(
            kind="opening",
            moved_lamports=fact.lamports,
            fee_lamports=0,
            priority_lamports=0,
            signature="",
            slot=fact.slot,
        )
    residual, before = fact.lamports - books.lamports, books.last_proof
    return SolChecked(
        slot=fact.slot,
        left_lamports=fact.lamports,
        right_lamports=books.lamports,
        residual_lamports=residual,
        grown_lamports=residual - (before.residual_lamports if before is not None else 0),
    )


def fold_wallet_books(books: WalletBooks, fact: SolPosted | SolChecked) -> WalletBooks:
    """The books after one more fact of their stream."""
    if isinstance(fact, SolChecked):
        return msgspec.structs.replace(books, last_proof=fact)
    kinds = dict(books.kinds)
    for kind, lamports in (
        (fact.kind, fact.moved_lamports),
        ("fees", fact.fee_lamports),
        ("priority", fact.priority_lamports),
    ):
        if lamports:
            kinds[kind] = kinds.get(kind, 0) + lamports
    return WalletBooks(
        is_open=True,
        lamports=books.lamports + fact.moved_lamports + fact.fee_lamports + fact.priority_lamports,
        kinds=kinds,
        last_signature=fact.signature,
        last_proof=books.last_proof,
    )


def wallet_books_digest(books: WalletBooks) -> str:
    """`digest_v1` of a wallet's books."""
    proof = books.last_proof
    return digest_of(
        1,
        {
            "lamports": books.lamports,
            "kinds": tuple(sorted(books.kinds.items())),
            "last": books.last_signature,
            "proof": (proof.slot, proof.left_lamports, proof.right_lamports) if proof else None,
        },
    )
