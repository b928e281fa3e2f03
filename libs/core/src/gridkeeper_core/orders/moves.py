"""Adds up what changes an account's positions and deposit, so that a record finality left out can be taken back."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from gridkeeper_core import events as e
from gridkeeper_core.orders.seen import Key, Move, Seen
from gridkeeper_core.orders.state import AccountState, fill_key, flat_position
from gridkeeper_core.venue.chain_position import apply_fee, apply_fill, apply_quote, apply_settlement

Books = tuple[dict[int, e.PositionState], int]
"""Positions by market index, and the deposit (1e-6)."""
_UNSIGNED = (e.FillProven, e.InterestPaid)


def key_of(move: Move) -> Key:
    """What the move is known by, so that none is taken twice: unique for ever on the venue."""
    match move:
        case e.OrderFilled() | e.ForeignFilled():
            return fill_key(move.market_index, move.fill_record_id)
        case e.FillProven():
            return (f"proven:{move.intent_id}#{move.attempt}", move.slot)
        case e.InterestPaid():
            return ("interest", move.slot)
        case _:
            return (move.signature, move.index)


def moved(state: AccountState, move: Move) -> AccountState:
    """The account after one more move. One that is told late is put where it belongs: rounding depends on the order."""
    newest = next(state.seen.newest_first(), None)
    if newest is not None and _is_before(move, newest):
        seen = _with_late(state.seen, move)
        positions, deposit_e6 = _sum((state.final_positions, state.final_deposit_e6), seen.values())
    else:
        seen = state.seen.with_move(key_of(move), move)
        positions, deposit_e6 = _apply((state.positions, state.deposit_e6), move)
    return replace(state, positions=positions, deposit_e6=deposit_e6, seen=seen)


def _with_late(seen: Seen, late: Move) -> Seen:
    moves = list(seen.values())
    place = next(at for at, move in enumerate(moves) if _is_before(late, move))
    return Seen({key_of(move): move for move in (*moves[:place], late, *moves[place:])})


def _is_before(one: Move, other: Move) -> bool:
    """Whether the chain has it before the other: in an earlier slot, or earlier in the same transaction."""
    if one.slot != other.slot or isinstance(one, _UNSIGNED) or isinstance(other, _UNSIGNED):
        return one.slot < other.slot
    return one.signature == other.signature and one.index < other.index


def taken_back(state: AccountState, key: Key) -> AccountState:
    """The account as if this move had never been: all others are applied anew to what is final."""
    seen = {k: move for k, move in state.seen.items() if k != key}
    positions, deposit_e6 = _sum((state.final_positions, state.final_deposit_e6), seen.values())
    return replace(state, positions=positions, deposit_e6=deposit_e6, seen=Seen(seen))


def finalized(state: AccountState, cursor_slot: int) -> AccountState:
    """Moves up to the finalized cursor are never shown again nor taken back, so they need not be kept one by one."""
    old = [move for move in state.seen.values() if move.slot <= cursor_slot]
    if not old:
        return state
    seen = {key: move for key, move in state.seen.items() if move.slot > cursor_slot}
    positions, deposit_e6 = state.positions, state.deposit_e6
    if seen:
        positions, deposit_e6 = _sum((state.final_positions, state.final_deposit_e6), old)
    return replace(state, seen=Seen(seen), final_positions=positions, final_deposit_e6=deposit_e6)


def _sum(books: Books, moves: Iterable[Move]) -> Books:
    for move in moves:
        books = _apply(books, move)
    return books


def _apply(books: Books, move: Move) -> Books:
    positions, deposit_e6 = books
    if isinstance(move, e.Transferred | e.InterestPaid):
        return positions, deposit_e6 + move.quote_e6
    if isinstance(move, e.KeeperFeeCharged) and move.from_deposit:
        return positions, deposit_e6 + move.quote_e6
    market = "" if isinstance(move, e.KeeperFeeCharged) else move.market
    position = positions.get(move.market_index) or flat_position(market, move.market_index)
    match move:
        case e.OrderFilled() | e.FillProven() | e.ForeignFilled():
            sign = 1 if move.side == "buy" else -1
            position, _ = apply_fill(position, sign * move.base_e9, -sign * move.quote_e6)
            position = apply_fee(position, move.fee_e6)
        case e.FundingPaid():
            position = apply_quote(position, move.quote_e6)
        case e.PnlSettled():
            position = apply_settlement(position, move.quote_e6)
            deposit_e6 += move.quote_e6
        case e.KeeperFeeCharged():
            position = apply_fee(position, -move.quote_e6)
        case e.Liquidated():
            position, _ = apply_fill(position, move.base_e9, move.quote_e6)
            position = apply_fee(position, move.fee_e6)
    return {**positions, move.market_index: position}, deposit_e6
