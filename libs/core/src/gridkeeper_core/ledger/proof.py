"""Proves an account's equity: the venue's snapshot on the left, the postings made from events alone on the right.

Both sides value base at the snapshot's oracle prices and round alike, so that they differ only where amounts differ.
Funding that accrued but is not paid yet is on neither side.
"""

from __future__ import annotations

import msgspec

from gridkeeper_core.events import AccountSnapshot, PositionState, Posted, ProofChecked
from gridkeeper_core.ledger.account import NO_MARKET, AccountBooks, Holding
from gridkeeper_core.ledger.marks import Line
from gridkeeper_core.ledger.position import value_e6

_UNKNOWN_PRICE_E6 = 1_000_000
"""Base the venue does not know of is counted at any price above zero, so that it shows in the residual."""


def opening_postings(books: AccountBooks, snapshot: AccountSnapshot) -> tuple[Posted, ...]:
    """What brings the books to the first snapshot: its amounts less what is posted already."""
    at = _at_slot(books, snapshot.slot)
    venue = {position.market_index: position for position in snapshot.positions}
    markets = [
        _opening(snapshot, index, venue.get(index), at.holdings.get(index, Holding()))
        for index in sorted(venue.keys() | at.holdings.keys())
    ]
    cash = _opening(snapshot, NO_MARKET, None, Holding())
    changed = [posted for posted in markets if posted.base_e9 or posted.quote_e6]
    return (msgspec.structs.replace(cash, deposit_e6=snapshot.deposit_e6 - at.deposit_e6), *changed)


def checked(books: AccountBooks, snapshot: AccountSnapshot) -> ProofChecked:
    """Equity by the venue and by the books at one slot, and what lies between: never computed as the rest."""
    oracles = {position.market_index: position.oracle_e6 for position in snapshot.positions}
    left = snapshot.deposit_e6 + sum(
        value_e6(position.base_e9, position.oracle_e6) + position.quote_asset_e6 for position in snapshot.positions
    )
    at = _at_slot(books, snapshot.slot)
    right = at.deposit_e6 + sum(_worth(held, oracles.get(index)) for index, held in at.holdings.items())
    return ProofChecked(
        slot=snapshot.slot,
        left_e6=left,
        right_e6=right,
        residual_e6=left - right,
        final_slot=snapshot.cursor_slot,
    )


def equity_lines(books: AccountBooks, oracles_e6: dict[int, int]) -> tuple[Line, ...]:
    """Equity by the books in lines that add up: what each kind of posting added, and what the base is worth.

    `oracles_e6` is by market index. A settlement moves an amount between position and deposit and adds nothing.
    """
    base = sum(_worth(Holding(base_e9=held.base_e9), oracles_e6.get(i)) for i, held in sorted(books.holdings.items()))
    kinds = [Line(name=name, quote_e6=kind.quote_e6 + kind.deposit_e6) for name, kind in sorted(books.kinds.items())]
    return (*kinds, Line(name="base at the oracle price", quote_e6=base))


class _At(msgspec.Struct, frozen=True):
    deposit_e6: int
    holdings: dict[int, Holding]


def _at_slot(books: AccountBooks, slot: int) -> _At:
    # The walker may be past the slot the account was read at: what came later is not in the snapshot.
    deposit, holdings = books.deposit_e6, dict(books.holdings)
    for posted in books.recent():
        if posted.slot <= slot:
            continue
        deposit -= posted.deposit_e6
        if posted.market_index != NO_MARKET:
            held = holdings[posted.market_index]
            holdings[posted.market_index] = Holding(
                base_e9=held.base_e9 - posted.base_e9, quote_e6=held.quote_e6 - posted.quote_e6
            )
    return _At(deposit, holdings)


def _worth(held: Holding, oracle_e6: int | None) -> int:
    return value_e6(held.base_e9, _UNKNOWN_PRICE_E6 if oracle_e6 is None else oracle_e6) + held.quote_e6


def _opening(snapshot: AccountSnapshot, index: int, venue: PositionState | None, held: Holding) -> Posted:
    return Posted(
        kind="opening",
        market=venue.market if venue else "",
        base_e9=(venue.base_e9 if venue else 0) - held.base_e9,
        quote_e6=(venue.quote_asset_e6 if venue else 0) - held.quote_e6,
        deposit_e6=0,
        signature="",
        index=0,
        market_index=index,
        slot=snapshot.slot,
    )
