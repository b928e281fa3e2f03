"""What the ledger answers when it is asked, and the named facts that prove its state."""

from __future__ import annotations

import msgspec

from gridkeeper_core.digest import digest_of
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import ProofChecked
from gridkeeper_core.ledger.account import AccountBooks
from gridkeeper_core.ledger.books import Sums
from gridkeeper_core.ledger.marks import Line, Result, lines_at, result_at
from gridkeeper_core.ledger.performance import Earned
from gridkeeper_core.ledger.proof import equity_lines
from gridkeeper_core.ledger.state import LedgerState

DIGEST_VERSION = 1


class GridBooksView(msgspec.Struct, frozen=True, kw_only=True):
    """A grid's books at a price. `lines` lead from grid profit to total PnL; a stopped grid has none."""

    grid_id: str
    market: str
    is_open: bool
    result: Result
    lines: tuple[Line, ...]
    earned: Earned | None = None


class HoldingView(msgspec.Struct, frozen=True, kw_only=True):
    """One market of an account, by the books: base 1e-9, quote 1e-6 (the chain's quote asset amount)."""

    market: str
    market_index: int
    base_e9: int
    quote_e6: int


class AccountBooksView(msgspec.Struct, frozen=True, kw_only=True):
    """An account's books; `lines` add up to its equity at the oracle prices given."""

    alias: str
    deposit_e6: int
    holdings: tuple[HoldingView, ...]
    lines: tuple[Line, ...]
    last_proof: ProofChecked | None


def grid_view(state: LedgerState, grid_id: str, price_e6: int | None = None) -> GridBooksView:
    """The grid's books at `price_e6`, else at the newest price, else at the price of the last mark or of the start.

    Raises GridkeeperError GRID_UNKNOWN.
    """
    if grid_id in state.stopped:
        stopped = state.stopped[grid_id]
        price = _first(price_e6, state.prices_e6.get(stopped.market), stopped.price_e6)
        result = result_at(stopped.sums, price)
        earned = state.performance[grid_id].earned(result.grid_profit_e6, result.total_pnl_e6, stopped.closed_ns)
        return GridBooksView(
            grid_id=grid_id, market=stopped.market, is_open=False, result=result, lines=(), earned=earned
        )
    books = state.grids.get(grid_id)
    if books is None:
        raise GridkeeperError("GRID_UNKNOWN", field="id", value=grid_id)
    last_mark = state.clocks[grid_id].price_e6
    price = _first(price_e6, state.price_of(grid_id), last_mark, books.opening.start_price_e6)
    result = result_at(books.sums, price)
    return GridBooksView(
        grid_id=grid_id,
        market=books.opening.market,
        is_open=True,
        result=result,
        lines=lines_at(books, price),
        earned=state.performance[grid_id].earned(
            result.grid_profit_e6, result.total_pnl_e6, state.clocks[grid_id].looked_ns
        ),
    )


def account_view(state: LedgerState, alias: str) -> AccountBooksView:
    """The account's books at the newest prices. Raises GridkeeperError ACCOUNT_UNKNOWN."""
    books = state.accounts.get(alias)
    if books is None:
        raise GridkeeperError("ACCOUNT_UNKNOWN", field="account", value=alias)
    oracles = {index: state.prices_e6[symbol] for index, symbol in books.symbols.items() if symbol in state.prices_e6}
    return AccountBooksView(
        alias=alias,
        deposit_e6=books.deposit_e6,
        holdings=_holdings(books),
        lines=equity_lines(books, oracles),
        last_proof=books.last_proof,
    )


def grid_digest(state: LedgerState, grid_id: str) -> str:
    """The digest of a grid's books."""
    if grid_id in state.stopped:
        return digest_of(DIGEST_VERSION, {"open": False, **_sums_facts(state.stopped[grid_id].sums)})
    books = state.grids[grid_id]
    cells = tuple(
        (
            index,
            cell.size_e9,
            cell.closed,
            cell.turn.base_e9,
            cell.turn.buy_quote_e6,
            cell.turn.sell_quote_e6,
            cell.turn.fee_e6,
            tuple((lot.base_e9, lot.quote_e6, lot.fee_e6) for lot in cell.lots),
        )
        for index, cell in sorted(books.sums.cells.items())
    )
    mark = state.clocks[grid_id].facts()
    return digest_of(DIGEST_VERSION, {"open": True, "cells": cells, "mark": mark, **_sums_facts(books.sums)})


def account_digest(state: LedgerState, alias: str) -> str:
    """The digest of an account's books."""
    books = state.accounts[alias]
    proof = books.last_proof
    facts: dict[str, object] = {
        "open": books.is_open,
        "deposit_e6": books.deposit_e6,
        "holdings": tuple((i, held.base_e9, held.quote_e6) for i, held in sorted(books.holdings.items())),
        "kinds": tuple((n, kind.count, kind.quote_e6, kind.deposit_e6) for n, kind in sorted(books.kinds.items())),
        "proof": (proof.slot, proof.left_e6, proof.right_e6) if proof else None,
    }
    return digest_of(DIGEST_VERSION, facts)


def _first(*choices: int | None) -> int:
    return next(choice for choice in choices if choice is not None)


def _holdings(books: AccountBooks) -> tuple[HoldingView, ...]:
    return tuple(
        HoldingView(
            market=books.symbols.get(index, ""), market_index=index, base_e9=held.base_e9, quote_e6=held.quote_e6
        )
        for index, held in sorted(books.holdings.items())
    )


def _sums_facts(sums: Sums) -> dict[str, object]:
    position = sums.position
    return {
        "base_e9": position.base_e9,
        "quote_asset_e6": position.quote_asset_e6,
        "quote_entry_e6": position.quote_entry_e6,
        "quote_break_even_e6": position.quote_break_even_e6,
        "realized_e6": sums.realized_e6,
        "grid_quote_e6": sums.grid_quote_e6,
        "fees_e6": sums.fees_e6,
        "funding_e6": sums.funding_e6,
        "other": (sums.other_base_e9, sums.other_quote_e6),
        "fills": sums.fills,
        "turns": sums.turns,
    }
